"""Bodies of the image routes; source: https://platform.openai.com/docs/api-reference/images.

Clients send much that a model does not know, and forms have texts for numbers: both are taken.
"""

from typing import Any, ClassVar

import marshmallow as ma
import orjson
from marshmallow import ValidationError

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import Notice
from llm_api.domain.safe_text import made_printable
from llm_api.web.images.image_orders import RATIOS, RESOLUTIONS, ImageOrder
from llm_api.web.making.jobs import MAX_WAIT_MS
from llm_api.web.making.orders import (
    IS_TRUE,
    SIZE_PATTERN,
    OptimizeOptionsSchema,
    never,
    read_size,
    rewrite_of,
    user_hash,
)
from llm_api.web.making.picture_sources import MAX_PICTURES, MaskField, PictureField
from llm_api.web.openai.loose_fields import LooseBoolean, LooseInteger, dropped, optional, seed_in
from llm_api.web.openai.schemas import model_field
from llm_api.web.schema_fields import (
    VISIBLE,
    FieldProblem,
    ShortList,
    String,
    length,
    line,
    one_of,
    within,
    wrong_type,
)
from llm_api.web.smorest import StrictSchema

MAX_PROMPT_CHARS = 32_000
_MAX_REWRITTEN_CHARS = 4_000
_SIZE_OR_TIER_PATTERN = f"{SIZE_PATTERN}|^(1|1\\.5|2|3|4)[Kk]$|^[Aa][Uu][Tt][Oo]$"
_TOO_LONG = {"minLength": _MAX_REWRITTEN_CHARS + 1}
_MAX_EXTRA_BYTES = 4_096  # of one field that is passed on as it is
_OF_REQUEST = (
    *("prompt", "model", "n", "negative_prompt", "aspect_ratio", "resolution", "quality"),
    *("background", "output_format", "output_compression", "watermark"),
)
_FORMATS = {"jpg": "jpeg"}


class _SizeOrTier(String):
    """A size such as `1024x1024`, a tier such as `2K`, or `auto`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, str):
            raise wrong_type("a string such as 1024x1024")
        if value.lower() == "auto":
            return None
        if value.upper() in RESOLUTIONS:
            return value.upper()
        if (size := read_size(value)) is None:
            raise ValidationError("must be auto, or a width and a height such as 1024x1024.")
        return size


class _ImageBodySchema(StrictSchema):
    """Fields of both routes. Others are passed on to models that take them; else they are dropped.

    What was dropped is named in the headers `x-dropped-params` and `x-llm-api-warnings`.
    """

    IS_EDIT: ClassVar[bool]

    class Meta:
        """Marshmallow's options: `make` adds the fields that are not declared."""

        unknown = ma.EXCLUDE
        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                never("mask", image={"enum": [None, []]}),
                never("optimize_prompt", optimize_prompt=IS_TRUE, prompt=_TOO_LONG),
            ]
        }

    prompt = String(required=True, validate=[length(1, MAX_PROMPT_CHARS), VISIBLE])
    model = model_field(**optional("The image model; the configured one where left out."))
    n = LooseInteger(validate=within(1, 10), **optional())
    size = _SizeOrTier(
        **optional(
            "auto, pixels such as 1024x1024, or a tier such as 2K.", pattern=_SIZE_OR_TIER_PATTERN
        )
    )
    aspect_ratio = String(validate=one_of(RATIOS), **optional())
    resolution = String(validate=one_of(RESOLUTIONS), **optional())
    size_policy = String(
        validate=one_of(("exact", "nearest")),
        **optional(
            "A size that the model does not make: refuse it, or adapt it.", default="nearest"
        ),
    )
    quality = line(1, 32, **optional())
    background = String(validate=one_of(("auto", "transparent", "opaque")), **optional())
    output_format = String(validate=one_of(("png", "jpeg", "jpg", "webp")), **optional())
    output_compression = LooseInteger(validate=within(0, 100), **optional())
    response_format = String(
        validate=one_of(("b64_json", "url")),
        **optional("The pictures' bytes, or links to them.", default="b64_json"),
    )
    stream = LooseBoolean(**optional("Answer with events, each with a picture."))
    partial_images = LooseInteger(
        validate=within(0, 3), **optional("Previews, of models that send some; with `stream`.")
    )
    seed = LooseInteger(validate=within(-(2**63), 2**64 - 1), **optional())
    negative_prompt = String(validate=length(0, 2_000), **optional())
    watermark = LooseBoolean(**optional())
    user = line(0, 512, **optional("Your end user; vendors get only a hash of it."))
    safety_identifier = line(0, 512, **optional())
    optimize_prompt = LooseBoolean(**optional("Rewrite the prompt first."))
    optimize_options = ma.fields.Nested(OptimizeOptionsSchema, allow_none=True)
    wait_ms = LooseInteger(
        validate=within(1, MAX_WAIT_MS),
        **optional("How long to wait at most; then the answer is a 504.", default=MAX_WAIT_MS),
    )
    mask = MaskField()

    @ma.validates_schema
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject a prompt that is too long for the optimizer, and a mask of nothing."""
        if document.get("mask") is not None and not document.get("image"):
            problem = FieldProblem("must be left out without image.", "not_supported")
            raise ValidationError({"mask": [problem]})
        too_long = len(document.get("prompt") or "") > _MAX_REWRITTEN_CHARS
        if document.get("optimize_prompt") and too_long:
            words = f"must be at most {_MAX_REWRITTEN_CHARS} characters long for optimize_prompt."
            raise ValidationError({"prompt": [words]})

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> ImageOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        extra, notices = _others(
            {
                name: value
                for name, value in original.items()
                if value is not None and name not in self.fields
            }
        )
        notices += _without_effect(given)
        pictures, mask = given.get("image", ()), given.get("mask")
        is_one = len(pictures) == 1
        optimizes = given.get("optimize_prompt", False)
        return ImageOrder(
            _request(given, extra, is_edit=self.IS_EDIT or mask is not None),
            images=tuple(
                ("image" if is_one else f"image[{i}]", source) for i, source in enumerate(pictures)
            ),
            mask=None if mask is None else ("mask", mask),
            optimize=rewrite_of(given["prompt"], given.get("optimize_options", {}))
            if optimizes
            else None,
            wait=given["wait_ms"] / 1_000 if "wait_ms" in given else None,
            wants_links=given.get("response_format") == "url",
            is_streamed=given.get("stream", False),
            notices=tuple(notices),
        )


class ImageGenerationRequestSchema(_ImageBodySchema):
    """Pictures to make."""

    IS_EDIT = False

    image = ShortList(
        PictureField(),
        at_most=MAX_PICTURES,
        **optional("Pictures to start from; also under `images`."),
    )


class ImageEditRequestSchema(_ImageBodySchema):
    """Pictures to edit: JSON, or a form with files.

    A form may name them `image`, `image[]`, `image[0]` or `images`.
    """

    IS_EDIT = True

    image = ShortList(
        PictureField(),
        at_least=1,
        at_most=MAX_PICTURES,
        required=True,
        metadata={"description": "Pictures to edit: 10 MB each, 50 MB together."},
    )


def _request(given: dict[str, Any], extra: dict[str, Any], *, is_edit: bool) -> ImageRequest:
    fields = {name: given[name] for name in _OF_REQUEST if name in given}
    size = given.get("size")
    if isinstance(size, str):
        fields["resolution"], size = size, None
    if "output_format" in fields:
        fields["output_format"] = _FORMATS.get(fields["output_format"], fields["output_format"])
    if not fields.get("negative_prompt"):
        fields.pop("negative_prompt", None)
    return ImageRequest(
        **fields,
        size=size,
        size_policy=SizePolicy(given.get("size_policy", "nearest")),
        seed=seed_in(given)[0],
        user=user_hash(given.get("safety_identifier") or given.get("user")),
        is_edit=is_edit,
        partial_images=given.get("partial_images", 0) if given.get("stream") else 0,
        extra=extra,
    )


def _others(given: dict[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """Return the fields that are passed on as they are, and notices of those too large for it."""
    extra, notices = {}, []
    for name, value in given.items():
        if len(name) <= 64 and len(orjson.dumps(value)) <= _MAX_EXTRA_BYTES:
            extra[name] = value
        else:
            notices.append(dropped(made_printable(name[:64]), "It is too large to be passed on."))
    return extra, notices


def _without_effect(given: dict[str, Any]) -> list[Notice]:
    """Return notices of fields that have no effect beside the others."""
    notices = []
    if given.get("partial_images") and not given.get("stream"):
        notices.append(dropped("partial_images", "It has an effect with stream only."))
    if "optimize_options" in given and not given.get("optimize_prompt"):
        notices.append(dropped("optimize_options", "It has an effect with optimize_prompt only."))
    return notices + seed_in(given)[1]
