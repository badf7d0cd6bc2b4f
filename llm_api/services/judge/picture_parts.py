"""Pictures as parts of messages, and whether a model can have seen them."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_api.domain.calls import Completion
from llm_api.domain.judging import JudgedPicture
from llm_api.runtime.turns import LARGE_WORK
from llm_api.services.quotas.estimates import estimate_text
from llm_api.services.routing.catalogue import Destination
from llm_api.upstream.vendors.vision import HIGH

# Shares of what is expected. Tokens of texts are estimated, and models cut pictures up differently;
# a picture that was not seen takes none at all.
_SURE_OF_TEXT, _SURE_OF_PICTURE = 0.75, 0.5
NOT_SEEN = (
    "The model counts too few tokens to have seen the picture as it was sent; its judgment may be"
    " of something else."
)


def picture_part(
    picture: JudgedPicture, detail: str, at: Destination, looks_at: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Return the part of a message that has a picture, as a data URI of our own.

    Args:
        picture: the picture.
        detail: `auto`, `low` or `high`; sent where the vendor takes it.
        at: where the message goes.
        looks_at: names of the rubric's dimensions that are looked at.
    """
    image_url = {"url": f"data:{picture.media_type};base64,{_base64_of(picture.data)}"}
    sent = at.upstream.vision.detail(detail, looks_at)
    return {"type": "image_url", "image_url": image_url | ({"detail": sent} if sent else {})}


def _base64_of(data: bytes) -> str:
    """Return bytes as base64, a piece a turn: others are served meanwhile."""
    size = LARGE_WORK.piece_bytes // 3 * 3  # each piece is base64 by itself
    pieces = []
    for start in range(0, len(data), size):
        LARGE_WORK.wait()
        pieces.append(base64.b64encode(memoryview(data)[start : start + size]))
    return b"".join(pieces).decode("ascii")


def unseen(
    parameters: Mapping[str, Any],
    pictures: Iterable[JudgedPicture],
    completion: Completion,
    at: Destination,
) -> str | None:
    """Return a warning where the prompt of a call took too few tokens for its pictures.

    None also where the vendor's counts are not known.
    """
    counted = completion.usage.prompt_tokens
    if counted is None or completion.usage.source != "upstream":
        return None
    texts, details = _told(parameters["messages"])
    is_high = bool(details) and all(detail == HIGH for detail in details)
    least = 0
    for picture in pictures:
        tokens = at.upstream.vision.least_tokens(
            at.model, picture.width, picture.height, HIGH if is_high else None
        )
        if tokens is None:
            return None
        least += tokens
    expected = _SURE_OF_TEXT * estimate_text(texts) + _SURE_OF_PICTURE * least
    return NOT_SEEN if counted < expected else None


def _told(messages: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str | None]]:
    """Return the texts of messages, and the details of their pictures."""
    texts: list[str] = []
    details: list[str | None] = []
    for message in messages:
        content = message["content"]
        parts: list[Any] = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            if "image_url" in part:
                details.append(part["image_url"].get("detail"))
            else:
                texts.append(part["text"])
    return texts, details
