"""Brings embeddings into the encoding that was asked for.

openai-node asks for base64 by itself and decodes what comes, whatever it is: numbers would become
other numbers. OpenAI's base64 is of little-endian float32:
https://platform.openai.com/docs/api-reference/embeddings/create.
"""

import base64
import binascii
import sys
from array import array
from collections.abc import Mapping
from typing import Any

from llm_api.upstream import faults

_FLOAT_BYTES = 4
_URL_SAFE = str.maketrans("-_", "+/")
_ENCODINGS = (None, "float", "base64")


def settle(document: Mapping[str, Any], encoding: object) -> bool:
    """Give every embedding the `encoding`, None for numbers; return whether any was changed.

    Raises faults.Fault.
    """
    data = document.get("data")
    if not isinstance(data, list) or not data:
        raise faults.bad_response("an answer without data")
    if not all(isinstance(one, dict) and one.get("embedding") for one in data):
        raise faults.bad_response("an answer without embeddings")
    if encoding not in _ENCODINGS:  # a vendor's own: whatever comes is taken to be that
        return False
    is_changed = False
    for one in data:
        is_changed |= _flatten(one)
        embedding = one["embedding"]
        if encoding == "base64" and isinstance(embedding, list):
            one["embedding"] = _encoded(embedding)
            is_changed = True
        elif encoding != "base64" and isinstance(embedding, str):
            one["embedding"] = _decoded(embedding)
            is_changed = True
    return is_changed


def _flatten(one: dict[str, Any]) -> bool:
    """Unwrap a vector in a list of one, as llama.cpp writes it, or in an object like Cohere's."""
    embedding = one["embedding"]
    inner = None
    if isinstance(embedding, dict):
        inner = embedding.get("float") or embedding.get("base64")
    elif isinstance(embedding, list) and len(embedding) == 1 and isinstance(embedding[0], list):
        inner = embedding[0]
    if not inner:
        return False
    one["embedding"] = inner
    return True


def _encoded(numbers: list[Any]) -> str:
    try:
        vector = array("f", numbers)
    except (TypeError, OverflowError) as error:
        raise faults.bad_response("an embedding that is no list of numbers") from error
    return base64.b64encode(_little_endian(vector).tobytes()).decode()


def _decoded(text: str) -> list[float]:
    text = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise faults.bad_response("an embedding that is not base64") from error
    if len(raw) % _FLOAT_BYTES:
        raise faults.bad_response("an embedding that is cut")
    vector = array("f")
    vector.frombytes(raw)
    return _little_endian(vector).tolist()


def _little_endian(vector: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        vector.byteswap()
    return vector
