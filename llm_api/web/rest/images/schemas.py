"""The body of `POST /api/v1/images/generate`."""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import MAX_SEED
from llm_api.web.images.image_orders import RATIOS, RESOLUTIONS, ImageOrder
from llm_api.web.making.jobs import MAX_WAIT_MS
from llm_api.web.making.orders import (
    IS_TRUE,
    MAX_IMAGE_PROMPT_CHARS,
    OptimizeOptionsSchema,
    SizeField,
    never,
    rewrite_of,
    user_hash,
)
from llm_api.web.making.picture_sources import MaskField, PictureField
from llm_api.web.rest.images.loop_fields import JudgeField, UntilSchema, plan_of
from llm_api.web.rest.prompt_schemas import VISIBLE_PROMPT
from llm_api.web.rest.tasks.order_fields import callback_field, tags_field, user_field
from llm_api.web.schema_fields import (
    Boolean,
    FieldProblem,
    Integer,
    ShortList,
    String,
    length,
    line,
    one_of,
    within,
)
from llm_api.web.smorest import StrictSchema

MAX_REFERENCES = 14
MAX_PICTURES_OF_A_CALL = 10
# What of an order is no part of the request to a model.
_OF_ORDER = ("images", "mask", "wait_ms", "callback_url", "preview", "response_format", "tags")


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


class ImageRequestSchema(StrictSchema):
    """Pictures to make."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                never("size", "aspect_ratio"),
                never("size", "resolution"),
                never("mask", images={"type": "null"}),
                never("optimize_options", optimize_prompt={"not": IS_TRUE}),
                never("callback_url", "preview", preview=IS_TRUE),
                never("until", "judge", judge={"enum": [False]}),
            ]
        }

    prompt = String(required=True, validate=[length(1, MAX_IMAGE_PROMPT_CHARS), VISIBLE_PROMPT])
    model = line(
        1,
        128,
        allow_none=True,
        metadata=_about("The image model; the configured one where left out."),
    )
    optimize_prompt = Boolean(
        allow_none=True, metadata=_about("Rewrite the prompt first; the vendor then must not.")
    )
    optimize_options = ma.fields.Nested(
        OptimizeOptionsSchema, allow_none=True, metadata=_about("Only with `optimize_prompt`.")
    )
    negative_prompt = String(
        allow_none=True,
        validate=length(1, 500),
        metadata=_about("What not to draw; added to the prompt where a model has no such field."),
    )
    n = Integer(
        allow_none=True,
        validate=within(1, MAX_PICTURES_OF_A_CALL),
        metadata=_about("How many pictures, as far as the model allows.", default=1),
    )
    size = SizeField()
    aspect_ratio = String(allow_none=True, validate=one_of(RATIOS))
    resolution = String(allow_none=True, validate=one_of(RESOLUTIONS))
    size_policy = String(
        allow_none=True,
        validate=one_of(("exact", "nearest")),
        metadata=_about("A size that the model does not make: refuse it, or adapt it.")
        | {"default": "exact"},
    )
    seed = Integer(
        allow_none=True,
        validate=within(0, MAX_SEED),
        metadata=_about("Of the first picture; the others get the following ones."),
    )
    quality = String(allow_none=True, validate=one_of(("auto", "low", "medium", "high")))
    background = String(allow_none=True, validate=one_of(("auto", "transparent", "opaque")))
    output_format = String(allow_none=True, validate=one_of(("png", "jpeg", "webp")))
    output_compression = Integer(
        allow_none=True, validate=within(0, 100), metadata=_about("Quality of JPEG and WebP.")
    )
    images = ShortList(
        PictureField(),
        at_least=1,
        at_most=MAX_REFERENCES,
        allow_none=True,
        metadata=_about("Pictures to start from, or to edit: 10 MB each, 50 MB together."),
    )
    mask = MaskField()
    watermark = Boolean(allow_none=True, metadata=_about("Let the vendor mark the pictures."))
    judge = JudgeField()
    until = ma.fields.Nested(
        UntilSchema,
        allow_none=True,
        metadata=_about("Make them again until one is accepted; they are then always judged."),
    )
    response_format = String(
        allow_none=True,
        validate=one_of(("url", "b64_json")),
        metadata={"default": "url"} | _about("Links to the pictures, or their bytes."),
    )
    wait_ms = Integer(
        allow_none=True,
        validate=within(0, MAX_WAIT_MS),
        metadata={"default": 300_000}
        | _about("After this time the answer is a 202 with the task; 0 is at once."),
    )
    callback_url = callback_field()
    preview = Boolean(allow_none=True, metadata=_about("Make nothing: show what would be sent."))
    tags = tags_field()
    user = user_field()

    @ma.validates_schema
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields that exclude each other, or that need another one."""
        given = {name for name, value in document.items() if value not in (None, False, ())}
        misfits = _misfits(given)
        if "until" in given and document.get("judge") is False:
            misfits.append(("until", "must be left out where `judge` is false."))
        for name, message in misfits:
            raise ValidationError({name: [FieldProblem(message, "not_supported")]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> ImageOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        order = {name: given.pop(name, None) for name in _OF_ORDER}
        optimizes = given.pop("optimize_prompt", False)
        options = given.pop("optimize_options", {})
        plan = plan_of(given.pop("judge", None), given.pop("until", None))
        given["user"] = user_hash(given.pop("user", None))
        given["size_policy"] = SizePolicy(given.pop("size_policy", "exact"))
        given["is_edit"] = order["mask"] is not None
        images, mask = order["images"] or (), order["mask"]
        return ImageOrder(
            ImageRequest(**given),
            images=tuple((f"images[{i}]", source) for i, source in enumerate(images)),
            mask=None if mask is None else ("mask", mask),
            optimize=rewrite_of(given["prompt"], options) if optimizes else None,
            wait=None if order["wait_ms"] is None else order["wait_ms"] / 1_000,
            callback_url=order["callback_url"],
            is_preview=bool(order["preview"]),
            wants_links=order["response_format"] != "b64_json",
            plan=plan,
            tags=tuple(order["tags"] or ()),
        )


def _misfits(given: set[str]) -> list[tuple[str, str]]:
    """Return the fields that do not fit the others, and why."""
    rules = (
        ("size", {"aspect_ratio", "resolution"} & given, "must not stand beside {}."),
        ("mask", {"images"} - given, "must be left out without {}."),
        ("optimize_options", {"optimize_prompt"} - given, "must be left out without {}."),
        ("callback_url", {"preview"} & given, "must not stand beside {}."),
    )
    return [
        (name, message.format(" and ".join(sorted(others))))
        for name, others, message in rules
        if name in given and others
    ]
