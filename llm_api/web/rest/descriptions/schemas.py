"""The body of `POST /api/v1/llm/describe-image`; it is answered as a rewrite is."""

from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.domain.prompts import MAX_PROMPT_CHARS
from llm_api.web.making.orders import Source
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.rest.prompt_languages import LIMITED_TARGET
from llm_api.web.rest.target_schemas import TARGETS, type_rules
from llm_api.web.schema_fields import (
    LANGUAGE,
    LANGUAGE_PATTERN,
    Boolean,
    Integer,
    String,
    line,
    one_of,
    within,
)
from llm_api.web.smorest import StrictSchema


@dataclass(frozen=True, slots=True)
class DescriptionOrder:
    """A valid request before its picture is read: where that is, and the rest by its names."""

    image: Source
    fields: dict[str, Any]

    @property
    def model(self) -> str | None:
        """The vision model that is named."""
        return self.fields.get("model")


def _about(description: str) -> dict[str, str]:
    return {"description": description}


class DescriptionRequestSchema(StrictSchema):
    """A picture whose prompt is wanted."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {"allOf": [*type_rules("target_model"), LIMITED_TARGET]}

    image = PictureField(required=True)
    type = String(
        allow_none=True,
        validate=one_of(("image", "video")),
        metadata={"default": "image"} | _about("video: the picture is the first frame."),
    )
    target_model = String(
        allow_none=True,
        validate=one_of(TARGETS),
        metadata=_about("The image or video model that gets the prompt: its limits are kept."),
    )
    language = String(
        allow_none=True,
        validate=LANGUAGE,
        metadata={"default": "auto", "pattern": LANGUAGE_PATTERN}
        | _about(
            "Of the prompt, as a tag of BCP 47 that the target understands; auto is its first."
        ),
    )
    max_length = Integer(
        allow_none=True,
        validate=within(20, MAX_PROMPT_CHARS),
        metadata=_about("Of the prompt, in characters."),
    )
    detail = String(
        allow_none=True,
        validate=one_of(("auto", "low", "high")),
        metadata={"default": "auto"} | _about("How closely the model looks, where it can be told."),
    )
    include_details = Boolean(
        allow_none=True, metadata=_about("Return `details`: what the prompt has, checks, usage.")
    )
    model = line(
        1,
        256,
        allow_none=True,
        metadata=_about("A model that sees pictures; the configured judge where left out."),
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> DescriptionOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        return DescriptionOrder(given.pop("image"), given)
