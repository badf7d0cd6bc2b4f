"""Fields that orders of pictures and of films have, and what is made of them."""

import hashlib
import re
from typing import Any

from marshmallow import ValidationError

from llm_api.domain.making import Size
from llm_api.domain.prompts import PromptRequest
from llm_api.web.making.picture_bodies import Inline, Upload
from llm_api.web.schema_fields import LANGUAGE, LANGUAGE_PATTERN, Boolean, String, line, wrong_type
from llm_api.web.smorest import StrictSchema

MAX_IMAGE_PROMPT_CHARS = 4_000
# What vendors and people write between the sides: x, X, * and the sign of multiplication.
SIZE_PATTERN = "^[1-9][0-9]{1,3} ?[xX*×] ?[1-9][0-9]{1,3}$"
_SIZE = re.compile(SIZE_PATTERN.removesuffix("$") + r"\Z")
IS_TRUE = {"enum": [True]}
# Where a picture is: a text, which may be an address, or what a body has.
Source = str | Inline | Upload


def never(*names: str, **values: dict[str, Any]) -> dict[str, Any]:
    """Describe what must not be: fields that are not null beside certain values of others."""
    given: dict[str, Any] = {name: {"not": {"type": "null"}} for name in names}
    return {"not": {"required": list(names), "properties": {**given, **values}}}


def read_size(text: str) -> Size | None:
    """Read a size such as `1024x768`; None where it is not one."""
    if not _SIZE.match(text):
        return None
    width, height = re.findall("[0-9]+", text)
    return Size(int(width), int(height))


def user_hash(user: str | None) -> str | None:
    """Return what vendors get for a caller's end user: it may be a name or an address."""
    return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest() if user else None


def rewrite_of(prompt: str, options: dict[str, Any], kind: str = "image") -> PromptRequest:
    """Return how a prompt is to be rewritten; options that are None are left out."""
    given = {name: value for name, value in options.items() if value is not None}
    return PromptRequest(prompt=prompt, type=kind, **given)


class SizeField(String):
    """A size in pixels, such as `1024x768`."""

    def __init__(self) -> None:
        """Describe the form."""
        words = "In pixels; not with `aspect_ratio` or `resolution`."
        about = {"description": words, "example": "1024x768", "pattern": SIZE_PATTERN}
        super().__init__(allow_none=True, metadata=about)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, str):
            raise wrong_type("a string such as 1024x768")
        if (size := read_size(value)) is None:
            raise ValidationError("must be a width and a height in pixels, such as 1024x768.")
        return size


class OptimizeOptionsSchema(StrictSchema):
    """How the prompt is rewritten; as for `POST /api/v1/llm/optimize-prompt`."""

    style = line(1, 100, allow_none=True, metadata={"example": "watercolor"})
    enhance_details = Boolean(allow_none=True)
    language = String(
        allow_none=True,
        validate=LANGUAGE,
        metadata={
            "description": "Of the rewrite, as a tag of BCP 47 that the image model understands.",
            "pattern": LANGUAGE_PATTERN,
            "example": "auto",
        },
    )
