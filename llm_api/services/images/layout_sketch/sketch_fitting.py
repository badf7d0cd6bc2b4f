"""Fits requests to the layout sketch: what it draws, and what it refuses by name."""

import math
from collections.abc import Iterator

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import FittedRequest, Notice, Size
from llm_api.errors import InvalidRequest

MAX_PICTURES = 10
MIN_SIDE = 256
MAX_SIDE = 8_192
MAX_PIXELS = 16_777_216
DEFAULT_SIZE = Size(1024, 1024)
_MULTIPLE = 8
_RESOLUTIONS = {"1K": 1024, "1.5K": 1536, "2K": 2048, "3K": 3072, "4K": 4096}
_FORMATS = ("png", "jpeg", "webp")


def fitted(request: ImageRequest, model: str) -> FittedRequest:
    """Return a request in the terms of the sketch; raises InvalidRequest."""
    _refuse(request)
    fields = {
        "seed": request.seed,
        "negative_prompt": request.negative_prompt,
        "background": request.background,
        "output_format": request.output_format or "png",
        "output_compression": request.output_compression,
    }
    size = _size(request)
    notices = list(_notices(request))
    wanted = request.size
    if wanted is not None and wanted != size:
        notices.append(Notice("size", "adapted", f"The picture has {size} instead of {wanted}."))
    return FittedRequest(
        model=model,
        prompt=request.prompt,
        parts=(request.n,),
        size=size,
        fields={name: value for name, value in fields.items() if value is not None},
        notices=tuple(notices),
    )


def _refuse(request: ImageRequest) -> None:
    for field, is_there in (("images", bool(request.references)), ("mask", bool(request.mask))):
        if is_there or (field == "images" and request.is_edit):
            message = "must be left out: the layout sketch is drawn from the prompt alone."
            raise InvalidRequest.of_field(field, message, reason="not_supported")
    if not 1 <= request.n <= MAX_PICTURES:
        message = f"must be 1 to {MAX_PICTURES} with the layout sketch."
        raise InvalidRequest.of_field("n", message, reason="out_of_range")
    if request.output_format not in {None, *_FORMATS}:
        message = f"must be one of {', '.join(_FORMATS)}."
        raise InvalidRequest.of_field("output_format", message, reason="not_supported")
    if request.background == "transparent" and request.output_format == "jpeg":
        message = "must be opaque with JPEG, which has no transparency; or ask for png or webp."
        raise InvalidRequest.of_field("background", message, reason="not_supported")


def _notices(request: ImageRequest) -> Iterator[Notice]:
    if request.negative_prompt:
        message = "The things that it names are not drawn, even where the prompt names them."
        yield Notice("negative_prompt", "emulated", message)
    if request.quality not in {None, "auto"}:
        yield Notice("quality", "dropped", "The layout sketch has one quality.")
    for field in sorted(request.extra):
        yield Notice(field, "dropped", "The layout sketch does not use it.")


def _size(request: ImageRequest) -> Size:
    if request.size is None:
        return _of_ratio(request.aspect_ratio, request.resolution)
    problem = _problem(request.size)
    if not problem:
        return request.size
    if request.size_policy is SizePolicy.EXACT:
        raise InvalidRequest.of_field("size", problem, reason="invalid_size")
    return _nearest(request.size)


def _problem(size: Size) -> str:
    shorter, longer = sorted((size.width, size.height))
    if shorter >= MIN_SIDE and longer <= MAX_SIDE and size.pixels <= MAX_PIXELS:
        return ""
    return (
        f"must have sides of {MIN_SIDE} to {MAX_SIDE} pixels and at most {MAX_PIXELS} pixels in"
        f" all, such as {_nearest(size)}."
    )


def _nearest(size: Size) -> Size:
    """Return a size that can be drawn, with the same proportions if there is one."""
    scale = max(1.0, MIN_SIDE / min(size.width, size.height))
    scale *= min(1.0, math.sqrt(MAX_PIXELS / (size.pixels * scale * scale)))
    return Size(_side(size.width * scale), _side(size.height * scale))


def _side(length: float) -> int:
    return min(max(int(length), MIN_SIDE), MAX_SIDE)


def _of_ratio(aspect_ratio: str | None, resolution: str | None) -> Size:
    if resolution is not None and resolution not in _RESOLUTIONS:
        message = f"must be one of {', '.join(_RESOLUTIONS)}."
        raise InvalidRequest.of_field("resolution", message, reason="not_supported")
    side = _RESOLUTIONS[resolution or "1K"]
    if aspect_ratio in {None, "auto"}:
        return Size(side, side)
    across, _, down = str(aspect_ratio).partition(":")
    if not (across.isdecimal() and down.isdecimal() and int(across) and int(down)):
        message = "must be two numbers, such as 16:9."
        raise InvalidRequest.of_field("aspect_ratio", message, reason="out_of_range")
    ratio = math.sqrt(int(across) / int(down))
    return _nearest(Size(_rounded(side * ratio), _rounded(side / ratio)))


def _rounded(length: float) -> int:
    return max(int(length) // _MULTIPLE * _MULTIPLE, _MULTIPLE)
