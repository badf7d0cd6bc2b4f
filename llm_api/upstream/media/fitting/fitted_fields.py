"""Fits the fields of a request that are sent as they are, or changed a little, or left out."""

from typing import Any

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import MAX_SEED, Notice
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.image_profiles import ImageModel

# Without them the picture is another one, and its caller would not know.
_NEEDED = frozenset(["background", "negative_prompt"])
_DROPPED = "This model has no such setting; the field was left out."
_LOSSY = frozenset(["jpeg", "webp"])
_TRANSPARENT = frozenset(["png", "webp"])
_Fields = dict[str, Any]


def refused(field: str, problem: str) -> InvalidRequest:
    """Return the error for a field that a model does not take."""
    return InvalidRequest.of_field(field, problem, reason="not_supported")


def left_out(request: ImageRequest, model: ImageModel, field: str) -> list[Notice]:
    """Return the notice about a field that is not sent; raises InvalidRequest where it must be."""
    is_harmless = request.size_policy is SizePolicy.NEAREST and field not in _NEEDED
    if not (field in model.drops or field in request.extra or is_harmless):
        raise refused(field, "is not taken by this model; leave it out, or choose another model.")
    return [Notice(field, "dropped", _DROPPED)]


def fitted_fields(
    request: ImageRequest, model: ImageModel
) -> tuple[_Fields, str | None, list[Notice]]:
    """Return the fields to send, the format that we convert into, and notices."""
    fields, convert_to, notices = _format(request, model)
    for field, value in _asked(request, model).items():
        if value is None:
            continue
        if field not in model.sends:
            notices += left_out(request, model, field)
        elif field == "quality":
            fields[field], changed = _quality(model, value)
            notices += changed
        else:
            fields[field] = value
    if "seed" in fields:
        _check_seed(request)
    if "watermark" in model.sends:
        fields["watermark"] = request.watermark
    return fields, convert_to, notices + _watermark(request, model)


def _asked(request: ImageRequest, model: ImageModel) -> _Fields:
    return {
        **request.extra,
        "seed": request.seed,
        "quality": None if request.quality == "auto" else request.quality,
        "background": _background(request, model),
        "user": request.user,
        "partial_images": request.partial_images or None,
    }


def _check_seed(request: ImageRequest) -> None:
    highest = MAX_SEED - request.n + 1
    if (request.seed or 0) > highest:
        message = f"must be at most {highest} with so many pictures: each has the next seed."
        raise InvalidRequest.of_field("seed", message, reason="out_of_range")


def _watermark(request: ImageRequest, model: ImageModel) -> list[Notice]:
    if model.always_marks and not request.watermark:
        message = "The vendor marks its pictures unless its account has signed a waiver."
        return [Notice("watermark", "adapted", message)]
    if request.watermark and "watermark" not in model.sends and not model.always_marks:
        return left_out(request, model, "watermark")
    return []


def _background(request: ImageRequest, model: ImageModel) -> str | None:
    """Return the background to ask for; transparency is never faked."""
    if request.background in {None, "auto"}:
        return None
    if request.background != "transparent":
        # Opaque is what a model makes that has no other.
        return request.background if "background" in model.sends else None
    if "background" not in model.sends:
        raise refused("background", "cannot be transparent with this model.")
    if request.output_format not in {None, *_TRANSPARENT}:
        raise refused("background", "can be transparent with png or webp alone.")
    return request.background


def _quality(model: ImageModel, asked: str) -> tuple[str, list[Notice]]:
    if asked in model.quality.values():
        return asked, []
    if asked not in model.quality:
        known = ", ".join(dict.fromkeys([*model.quality.values(), *model.quality]))
        raise refused("quality", f"must be one of {known}, auto for this model.")
    vendors = model.quality[asked]
    return vendors, [Notice("quality", "adapted", f"{asked} is {vendors} with this model.")]


def _format(request: ImageRequest, model: ImageModel) -> tuple[_Fields, str | None, list[Notice]]:
    """Return what to ask for, the format that we convert into, and notices."""
    wanted, compression = request.output_format, request.output_compression
    notices = []
    if compression is not None and wanted not in _LOSSY:
        message = "Only jpeg and webp are compressed; the field was left out."
        notices.append(Notice("output_compression", "dropped", message))
        compression = None
    if wanted is None:
        return {}, None, notices
    fields: _Fields = {"output_format": wanted}
    if compression is not None:
        fields["output_compression"] = compression
    if fields.keys() <= model.sends and wanted in model.formats:
        return fields, None, notices
    if wanted == model.makes and compression is None:
        return {}, None, notices
    message = "This service converts what the model makes."
    return {}, wanted, [*notices, Notice("output_format", "emulated", message)]
