"""Bodies of the routes of films; source: https://platform.openai.com/docs/api-reference/videos.

Clients send much that a model does not know, and forms have texts for numbers: both are taken.
"""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.making import Notice
from llm_api.domain.safe_text import made_printable
from llm_api.domain.video_sizes import usual_size
from llm_api.domain.videos import RATIOS, RESOLUTIONS
from llm_api.web.making.orders import MAX_IMAGE_PROMPT_CHARS, OptimizeOptionsSchema, SizeField
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.openai.loose_fields import LooseBoolean, LooseInteger, dropped, optional, seed_in
from llm_api.web.openai.schemas import model_field
from llm_api.web.openai.videos.film_sizes import nearest_of
from llm_api.web.openai.videos.frame_names import REFERENCE
from llm_api.web.query_fields import ArgumentsSchema, DecimalField
from llm_api.web.schema_fields import VISIBLE, String, length, line, one_of, within
from llm_api.web.smorest import StrictSchema
from llm_api.web.videos.film_fields import (
    LISTED,
    MAX_COST_MICROS,
    MAX_FPS,
    MAX_LISTED,
    DurationField,
    links_field,
    misfits,
    order_of,
    references_field,
    rules,
)
from llm_api.web.videos.film_orders import VideoOrder

VARIANTS = ("video", "thumbnail", "spritesheet")
_UNKNOWN = "No video model has such a field."
_MAX_NOTICES = 20


class VideoCreationSchema(StrictSchema):
    """A film to make: JSON, or a form with a file.

    What a model does not take is changed or left out, and named in the header `x-llm-api-warnings`.
    """

    class Meta:
        """Marshmallow's options: `make` looks at the fields that are not declared."""

        unknown = ma.EXCLUDE
        rules: ClassVar[dict[str, Any]] = rules(REFERENCE)

    prompt = String(
        validate=[length(1, MAX_IMAGE_PROMPT_CHARS), VISIBLE], **optional("What to show.")
    )
    model = model_field(**optional("The video model; the configured one where left out."))
    seconds = DurationField(
        takes_digits=True, metadata={"description": "Seconds, as a number or in digits; or auto."}
    )
    size = SizeField()
    input_reference = PictureField(allow_none=True)
    last_frame = PictureField(allow_none=True)
    reference_images = references_field()
    reference_videos = links_field("Films to go by")
    reference_audios = links_field("Sounds to go by")
    resolution = String(validate=one_of(RESOLUTIONS), **optional("Instead of `size`."))
    aspect_ratio = String(validate=one_of(RATIOS), **optional("Instead of `size`."))
    negative_prompt = String(validate=length(0, 500), **optional("What not to show."))
    seed = LooseInteger(validate=within(-(2**63), 2**64 - 1), **optional())
    audio = LooseBoolean(**optional("Whether the film has sound.", default=False))
    camera_fixed = LooseBoolean(**optional())
    fps = LooseInteger(validate=within(1, MAX_FPS), **optional())
    return_last_frame = LooseBoolean(**optional("Its last picture: the variant thumbnail."))
    watermark = LooseBoolean(**optional())
    retry_without_audio = LooseBoolean(
        **optional("Make it once more, silent, where a filter refuses its sound.")
    )
    optimize_prompt = LooseBoolean(**optional("Rewrite the prompt first."))
    optimize_options = ma.fields.Nested(OptimizeOptionsSchema, allow_none=True)
    max_cost_micros = LooseInteger(
        validate=within(0, MAX_COST_MICROS),
        **optional("The most that it may cost, in millionths of its price's currency."),
    )
    user = line(0, 512, **optional("Your end user; vendors get only a hash of it."))
    safety_identifier = line(0, 512, **optional())

    @ma.validates_schema
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields that exclude each other, or that need another one."""
        for name, problem in misfits(document, REFERENCE):
            raise ValidationError({name: [problem]})

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> VideoOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value not in (None, "")}
        notices: list[Notice] = []
        for change in (_sized, _seeded):
            given, more = change(given)
            notices += more
        notices += [
            dropped(made_printable(name[:64]), _UNKNOWN)
            for name, value in original.items()
            if value is not None and name not in self.fields
        ]
        if "seconds" in given:
            given["duration"] = given.pop("seconds")
        given["user"] = given.get("safety_identifier") or given.get("user")
        return order_of(
            given, adapts=True, first_frame=REFERENCE, notices=tuple(notices[:_MAX_NOTICES])
        )


def _sized(given: dict[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """Return the fields with the resolution and the aspect ratio that are nearest to a size."""
    size = given.get("size")
    if size is None:
        return given, []
    resolution, ratio = nearest_of(size)
    meant = {"resolution": resolution, "aspect_ratio": ratio}
    usual = usual_size(resolution, ratio)
    words = f"It was taken for {resolution} in {ratio}: {usual}."
    notices = [] if usual == size else [Notice("size", "adapted", words)]
    return {**meant, **given}, notices


def _seeded(given: dict[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """Return the fields with a seed that vendors take, if any."""
    seed, notices = seed_in(given)
    others = {name: value for name, value in given.items() if name != "seed"}
    return others if seed is None else {**others, "seed": seed}, notices


class OpenAIListArgumentsSchema(ArgumentsSchema):
    """Which films are wanted; other arguments are passed over."""

    class Meta:
        """Marshmallow's options."""

        unknown = ma.EXCLUDE

    after = String(
        validate=length(1, 128), metadata={"description": "The last id of the page before."}
    )
    limit = DecimalField(MAX_LISTED, f"How many at most. Default: {LISTED}.", at_least=1)
    order = String(
        validate=one_of(("asc", "desc")),
        metadata={
            "description": "By their beginnings; desc has the newest first.",
            "default": "desc",
        },
    )

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return what the service takes."""
        return {
            "after": values.get("after"),
            "limit": values.get("limit", LISTED),
            "is_oldest_first": values.get("order") == "asc",
        }


class VariantArgumentsSchema(ArgumentsSchema):
    """Which file of a film is wanted; other arguments are passed over."""

    class Meta:
        """Marshmallow's options."""

        unknown = ma.EXCLUDE

    variant = String(
        validate=one_of(VARIANTS),
        metadata={
            "description": "A thumbnail is its cover, or its last picture, if there is one.",
            "default": VARIANTS[0],
        },
    )

    @ma.post_load
    def make(self, values: dict[str, str], **_: Any) -> str:
        """Return the variant."""
        return values.get("variant", VARIANTS[0])
