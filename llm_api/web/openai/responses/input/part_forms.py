"""Parts of messages and of outputs of tools, in the form of a chat."""

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_api.errors import InvalidRequest
from llm_api.runtime.turns import base64_decoded
from llm_api.web.openai.responses.input.item_schemas import FILE, IMAGE, TEXT_PARTS

_DATA = re.compile(r"data:([^;,]*)[^,]*,", re.IGNORECASE)
# Media types whose files are texts, which every model can read.
_IS_TEXT = re.compile(
    r"text/.+|application/(json|jsonl|xml|yaml|x-yaml|toml|sql|javascript|x-sh|.+\+(json|xml))",
    re.IGNORECASE,
).fullmatch
_START = 256  # of a data URI, within which its form shows
# What the Responses API has and a chat has not.
_DETAILS = {"original": "high", "auto": None}
_NAMELESS = "file"

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says in the form of a chat.

    `content` is a text, or a list of parts; `refusal` is why a chat cannot say all of it.
    """

    content: str | list[dict[str, Any]]
    has_files: bool = False
    refusal: InvalidRequest | None = None

    @property
    def is_text(self) -> bool:
        """Whether it is a text alone."""
        return isinstance(self.content, str)


def chat_content(parts: str | Sequence[Part], path: str, *, between: str | None = None) -> Content:
    """Put a text, or the parts of one, into the form of a chat.

    Args:
        parts: as they were checked.
        path: the field that has them, for errors.
        between: what stands between texts that are all there is; None: several stay parts.

    Raises:
        InvalidRequest: a file that should be a text cannot be read.
    """
    if isinstance(parts, str):
        return Content(parts)
    said = [_part(part, f"{path}[{index}]") for index, part in enumerate(parts)]
    texts = [one["text"] for one in said if isinstance(one, dict) and one["type"] == "text"]
    if len(texts) == len(said) and (between is not None or len(texts) <= 1):
        return Content((between or "").join(texts))
    found = [one for one in said if isinstance(one, dict)]
    refused = [one for one in said if isinstance(one, InvalidRequest)]
    has_files = any(one["type"] == "file" for one in found)
    return Content(found or "", has_files, refused[0] if refused else None)


def _part(part: Part, path: str) -> dict[str, Any] | InvalidRequest:
    """Return a part of a chat's message, or why there is none like it."""
    kind = part["type"]
    if kind in TEXT_PARTS:
        return {"type": "text", "text": part[TEXT_PARTS[kind]]}
    if kind == IMAGE:
        return _picture(part, path)
    if kind == FILE:
        return _file(part, path)
    sound = part[kind]
    return {"type": kind, kind: {"data": sound["data"], "format": sound["format"]}}


def _picture(part: Part, path: str) -> dict[str, Any] | InvalidRequest:
    source = part.get("image_url")
    if source is None:
        message = "is no file of this service; send the picture as image_url, as a data URI."
        return _not_supported(f"{path}.file_id", message)
    image = dict(source) if isinstance(source, dict) else {"url": source}
    detail = part.get("detail") or image.get("detail")
    if isinstance(detail, str) and (detail := _DETAILS.get(detail, detail)):
        image["detail"] = detail
    else:
        image.pop("detail", None)
    return {"type": "image_url", "image_url": image}


def _file(part: Part, path: str) -> dict[str, Any] | InvalidRequest:
    name = part.get("filename")
    name = name if isinstance(name, str) and name else _NAMELESS
    data = part.get("file_data")
    if isinstance(data, str):
        found = _DATA.match(data[:_START])
        if found is not None and _IS_TEXT(found[1]):
            return {"type": "text", "text": f"{name}:\n\n{_text_of(data, found.end(), path)}"}
        return {"type": "file", "file": {"filename": name, "file_data": data}}
    if isinstance(part.get("file_id"), str):
        return {"type": "file", "file": {"file_id": part["file_id"]}}
    message = "is not fetched for this model; send the file in file_data, as a data URI."
    return _not_supported(f"{path}.file_url", message)


def _text_of(uri: str, start: int, path: str) -> str:
    """Return the text of a data URI, whose data begin at `start`."""
    try:
        return base64_decoded(uri[start:].encode("ascii"), is_strict=True).decode()
    except (binascii.Error, ValueError) as error:  # also of text that is not UTF-8
        message = "must be a data URI with a UTF-8 text in base64."
        raise InvalidRequest.of_field(f"{path}.file_data", message, reason="invalid_url") from error


def _not_supported(field: str, message: str) -> InvalidRequest:
    return InvalidRequest.of_field(field, message, reason="not_supported")
