"""Puts in what a request only names: items of earlier answers, and pictures that are kept here.

With all of it a request is at most as large as one that says everything itself.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from flask import g

from llm_api.domain.safe_text import made_printable
from llm_api.errors import BodyTooLarge, InvalidRequest, NotFound
from llm_api.runtime.turns import base64_encoded
from llm_api.web.openai.responses.input.item_checks import kind_of
from llm_api.web.openai.responses.input.item_schemas import IMAGE, REFERENCE
from llm_api.web.request.context import RequestState, caller, services

MAX_NAMED_BYTES = 20 << 20  # as of a body
_MAX_SHOWN = 64
_is_ours = re.compile(r"file_[0-9a-f]{32}").fullmatch
_PICTURE = "image/"
# By the clients that send references by default, as they call it.
_WHOLE = (
    "send the item itself. store: false makes clients send whole items"
    " (AI SDK: providerOptions: { openai: { store: false } })."
)

Item = Mapping[str, Any]


def whole_items(given: str | Sequence[Item]) -> str | list[Item]:
    """Return `input` with what it refers to.

    Raises:
        NotFound: an item or a file is not there, or is another caller's.
        InvalidRequest: a file is no picture, or there is too much.
    """
    if isinstance(given, str):
        return given
    room = _Room()
    items = _with_items(given, room)
    return [_with_pictures(item, index, room) for index, item in enumerate(items)]


class _Room:
    """What may still be put in."""

    def __init__(self) -> None:
        self._left = MAX_NAMED_BYTES

    def take(self, size: int) -> None:
        """Use some of it; raises BodyTooLarge where that is too much."""
        self._left -= size
        if self._left < 0:
            message = (
                f"The request must be at most {MAX_NAMED_BYTES >> 20} MiB with the items and files"
                " that it refers to."
            )
            raise BodyTooLarge(message, reason="body_too_large")


def _with_items(items: Sequence[Item], room: _Room) -> Sequence[Item]:
    named = [item["id"] for item in items if kind_of(item) == REFERENCE]
    if not named:
        return items
    known = services().items.find(caller().name, named)
    for index, item in enumerate(items):
        if kind_of(item) == REFERENCE and item["id"] not in known:
            name = made_printable(item["id"][:_MAX_SHOWN])
            message = f"input[{index}]: there is no item {name} (any more); {_WHOLE}"
            raise NotFound(message, reason="item_not_found")
    sizes = {name: len(orjson.dumps(item)) for name, item in known.items()}
    room.take(sum(sizes[name] for name in named))
    return [known[item["id"]] if kind_of(item) == REFERENCE else item for item in items]


def _with_pictures(item: Item, index: int, room: _Room) -> Item:
    """Return an item whose pictures of this service are in it."""
    for name in ("content", "output"):
        parts = item.get(name)
        if isinstance(parts, list) and any(map(_names_ours, parts)):
            path = f"input[{index}].{name}"
            whole = [
                _picture(part, f"{path}[{place}]", room) if _names_ours(part) else part
                for place, part in enumerate(parts)
            ]
            return {**item, name: whole}
    return item


def _names_ours(part: Any) -> bool:
    if not isinstance(part, dict) or part.get("type") != IMAGE or part.get("image_url") is not None:
        return False
    return isinstance(name := part.get("file_id"), str) and bool(_is_ours(name))


def _picture(part: Mapping[str, Any], path: str, room: _Room) -> Item:
    """Return a part with the bytes of the file that it names."""
    state: RequestState = g.request_state
    files = services().files
    file = files.find(part["file_id"], state.key)
    if not file.media_type.startswith(_PICTURE):
        message = "must be the id of a picture."
        raise InvalidRequest.of_field(f"{path}.file_id", message, reason="invalid_image")
    head = f"data:{file.media_type};base64,".encode()
    room.take(len(head) + (file.size_bytes + 2) // 3 * 4)
    whole = {name: value for name, value in part.items() if name != "file_id"}
    return whole | {"image_url": base64_encoded(files.read_all(file), head).decode()}
