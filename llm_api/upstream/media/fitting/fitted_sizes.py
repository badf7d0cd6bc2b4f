"""Decides which size a model is asked for."""

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import Notice, Size
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting import sizes
from llm_api.upstream.media.fitting.fitted_fields import left_out
from llm_api.upstream.media.image_profiles import ImageModel, SizeRule

_SQUARE = "1:1"
_Fitted = tuple[Size | None, list[Notice]]


def fitted_size(request: ImageRequest, model: ImageModel) -> _Fitted:
    """Return the size to ask for, None to let the model choose, and notices.

    Raises InvalidRequest with the nearest sizes as a hint.
    """
    ratio = None if request.aspect_ratio == "auto" else request.aspect_ratio
    asked = [name for name in ("size", "aspect_ratio", "resolution") if _said(request, name)]
    if not model.size.is_asked:
        return None, [notice for name in asked for notice in left_out(request, model, name)]
    if request.size is not None:
        return _of_size(request, model.size, request.size)
    if request.resolution is None and ratio is None:
        return _unasked(request, model.size), []
    if request.resolution is None or not model.resolutions:
        return _of_ratio(request, model, ratio)
    return _of_resolution(request, model, request.resolution, ratio)


def _said(request: ImageRequest, name: str) -> bool:
    return getattr(request, name) not in {None, "auto"}


def _unasked(request: ImageRequest, rule: SizeRule) -> Size | None:
    """Return the size for a caller who has asked for none."""
    if not request.references or not (rule.follows_input or rule.keeps_ratio):
        return rule.default
    first = request.references[0]
    wanted = Size(first.width, first.height)
    if rule.keeps_ratio and rule.default is not None:
        wanted = sizes.with_ratio(rule.default, first.width / first.height)
    return sizes.nearest(rule, wanted)


def _of_size(request: ImageRequest, rule: SizeRule, size: Size) -> _Fitted:
    if sizes.is_made(rule, size):
        return size, []
    if request.size_policy is SizePolicy.EXACT:
        raise _not_made("size", rule, size)
    made = sizes.nearest(rule, size)
    return made, [Notice("size", "adapted", f"This model does not make {size}; it makes {made}.")]


def _not_made(field: str, rule: SizeRule, asked: Size) -> InvalidRequest:
    near = " or ".join(map(str, sizes.proposals(rule, asked)))
    error = InvalidRequest.of_field(field, "is not made by this model.", reason="invalid_size")
    return error.replaced(hint=f"The nearest sizes that it makes: {near}.")


def _of_ratio(request: ImageRequest, model: ImageModel, ratio: str | None) -> _Fitted:
    """Fit an aspect ratio without a resolution, or for a model that has no resolutions."""
    notices = left_out(request, model, "resolution") if request.resolution is not None else []
    if ratio is None:
        return model.size.default, notices
    number = _number(ratio)
    if model.resolutions:
        found, more = _of_resolution(request, model, next(iter(model.resolutions)), ratio)
        return found, notices + more
    rule = model.size
    if rule.listed:
        found = sizes.listed_for(rule, number)
    else:
        area = rule.default or Size(1024, 1024)
        found = sizes.nearest(rule, sizes.with_ratio(area, number))
    return _checked(request, model, ratio, found, notices)


def _of_resolution(
    request: ImageRequest, model: ImageModel, resolution: str, ratio: str | None
) -> _Fitted:
    if resolution not in model.resolutions:
        known = ", ".join(model.resolutions)
        message = f"must be one of {known} for this model."
        raise InvalidRequest.of_field("resolution", message, reason="invalid_size")
    if ratio is None:
        first = request.references[0] if request.references else None
        ratio = sizes.nearest_ratio(Size(first.width, first.height)) if first else _SQUARE
    _number(ratio)
    return _checked(request, model, ratio, sizes.size_of(model, resolution, ratio), [])


def _number(ratio: str) -> float:
    number = sizes.ratio_of(ratio)
    if number is None:
        raise InvalidRequest.of_field(
            "aspect_ratio", "must be two numbers such as 16:9.", reason="invalid"
        )
    return number


def _checked(
    request: ImageRequest, model: ImageModel, ratio: str, found: Size | None, notices: list[Notice]
) -> _Fitted:
    """Return a size that was found for a ratio, if it has that ratio."""
    number = _number(ratio)
    if found is not None and sizes.looks_like(found, number):
        return found, notices
    asked = sizes.with_ratio(model.size.default or Size(1024, 1024), number)
    if request.size_policy is SizePolicy.EXACT:
        raise _not_made("aspect_ratio", model.size, asked)
    made = found or sizes.nearest(model.size, asked)
    message = f"This model does not make {ratio}; it makes {made}."
    return made, [*notices, Notice("aspect_ratio", "adapted", message)]
