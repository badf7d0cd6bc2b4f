"""JSON with pictures in it: their base64 is never parsed or written as a text.

A JSON parser makes a text of the base64, and the text has to be encoded again to be decoded: two
copies of 8 MB a picture. Here the base64 is cut out before anything is parsed, and put into what is
written at the end.
"""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from llm_api.domain.making import DecodedBase64, InputPicture
from llm_api.runtime.turns import LARGE_WORK, base64_encoded, gathered
from llm_api.upstream.media.lifting import MARK, MIN_CHARS, Lifter
from llm_api.upstream.media.vendor_protocol import Loader

_PREFIX = re.compile(rb"data:[^,]{0,100},")
_MARKED = re.compile(rf'"{MARK}(\d+)"'.encode())


def read_json(body: bytes, lifted: Sequence[DecodedBase64] = ()) -> Any:
    """Parse JSON; texts of base64 that are 1 KiB long or longer come decoded.

    Raises ValueError for what is no JSON.

    Args:
        body: the document.
        lifted: what was cut out of it while it came in; what has not been cut out is now.
    """
    if not lifted and len(body) >= MIN_CHARS:
        lifter = Lifter(len(body))
        for piece in LARGE_WORK.pieces(body):
            lifter.feed(bytes(piece))
        body, lifted = lifter.end()
    document = orjson.loads(body)
    return _put_back(document, lifted) if lifted else document


def written(document: Any) -> bytes:
    """Write JSON; bytes in it are base64, and written as texts."""
    texts: list[bytes] = []

    def keep(value: Any) -> str:
        if not isinstance(value, bytes):
            raise TypeError(type(value).__name__)
        texts.append(value)
        return f"{MARK}{len(texts) - 1}"

    short, *marked = _MARKED.split(orjson.dumps(document, default=keep))
    pieces = [short]
    for number, between in zip(marked[::2], marked[1::2], strict=True):
        pieces += [b'"', texts[int(number)], b'"', between]
    return gathered(pieces, sum(map(len, pieces)))


def base64_of(value: object) -> bytes | DecodedBase64 | None:
    """Return base64, decoded if it is long; else as ASCII bytes without a `data:` prefix.

    None where there is none.
    """
    if isinstance(value, DecodedBase64):
        return value
    if isinstance(value, str):
        value = value.encode("ascii", "replace")
    if not isinstance(value, bytes) or not value:
        return None
    prefix = _PREFIX.match(value)
    return value if prefix is None else value[prefix.end() :]


def base64_picture(picture: InputPicture, load: Loader) -> bytes:
    """Return a picture of a caller as base64."""
    return base64_encoded(load(picture))


def data_uri(picture: InputPicture, load: Loader) -> bytes:
    """Return a picture of a caller as `data:image/png;base64,…`."""
    return base64_encoded(load(picture), f"data:{picture.media_type};base64,".encode())


def _put_back(value: Any, lifted: Sequence[DecodedBase64]) -> Any:
    if isinstance(value, str) and value.startswith(MARK):
        return lifted[int(value.removeprefix(MARK))]
    if isinstance(value, list):
        return [_put_back(item, lifted) for item in value]
    if isinstance(value, dict):
        return {name: _put_back(item, lifted) for name, item in value.items()}
    return value
