"""Puts requests into the terms of a model: each field is sent, emulated, or refused by its name.

Nothing is lost without a word. What would only be left out, and harms nobody, is left out with a
notice where the caller's policy is `nearest`: clients of OpenAI's routes send fixed values.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest, InputPicture
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting.fitted_fields import fitted_fields, left_out, refused
from llm_api.upstream.media.fitting.fitted_prompts import fitted_prompts
from llm_api.upstream.media.fitting.fitted_sizes import fitted_size
from llm_api.upstream.media.image_profiles import ImageModel


def fitted(request: ImageRequest, model: ImageModel, name: str) -> FittedRequest:
    """Put a request into the terms of a model, which is called `name` at its vendor.

    Raises InvalidRequest with the name of the field.
    """
    _check_pictures(request, model)
    is_edit = request.is_edit or bool(request.references)
    prompt, negative, notices = fitted_prompts(
        request.prompt, request.negative_prompt, model, partial(left_out, request, model)
    )
    size, size_notices = fitted_size(request, model)
    fields, convert_to, field_notices = fitted_fields(request, model)
    if negative is not None:
        fields["negative_prompt"] = negative
    return FittedRequest(
        model=name,
        prompt=prompt,
        parts=_parts(request, model, is_edit=is_edit),
        size=size,
        fields=fields,
        constants=_constants(request, model),
        references=request.references,
        mask=request.mask,
        is_edit=is_edit,
        max_prompt=model.max_prompt,
        convert_to=convert_to,
        seconds=model.seconds,
        notices=(*notices, *size_notices, *field_notices),
    )


def _check_pictures(request: ImageRequest, model: ImageModel) -> None:
    count = len(request.references)
    if count > model.max_references:
        most = f"at most {model.max_references} of them" if model.max_references else "none"
        raise refused("images", f"are not taken by this model: it takes {most}.")
    if count < model.min_references:
        raise refused("images", f"must be {model.min_references} or more: this model edits.")
    if request.is_edit and not count:
        raise refused("images", "must have the picture to edit.")
    if request.mask is None:
        return
    if not model.has_mask:
        raise refused("mask", "is not taken by this model.")
    _check_mask(request.mask, request.references[0] if count else None)


def _check_mask(mask: InputPicture, picture: InputPicture | None) -> None:
    if picture is None:
        raise refused("mask", "must come with the picture that it is for, in images.")
    if (mask.width, mask.height) != (picture.width, picture.height):
        raise InvalidRequest.of_field(
            "mask",
            f"must have the size of the first picture, {picture.width}x{picture.height}.",
            reason="invalid_image",
        )


def _parts(request: ImageRequest, model: ImageModel, *, is_edit: bool) -> tuple[int, ...]:
    """Return how many pictures each vendor call makes."""
    if request.n > model.max_n:
        message = f"must be at most {model.max_n} for this model."
        raise InvalidRequest.of_field("n", message, reason="out_of_range")
    each = min(model.n_per_call, model.n_per_edit) if is_edit else model.n_per_call
    whole, rest = divmod(request.n, each)
    return (each,) * whole + ((rest,) if rest else ())


def _constants(request: ImageRequest, model: ImageModel) -> Mapping[str, Any]:
    return {**model.constants, **model.optimized} if request.is_optimized else model.constants
