"""Writes pictures: what vendors get of callers' pictures, masks, and formats asked for.

The figures behind the choices are CPU times of Pillow 13, for a photograph of 2048 squared.
"""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from llm_api.pictures.child.reading import in_srgb, pillow_errors, plain
from llm_api.pictures.child.refusal import Refusal

# Below it, a lossless file is a drawing or a screenshot, which JPEG would spoil, or it is cheap.
_SMALL_BYTES = 2 * 1024 * 1024
_LOSSLESS = frozenset({"PNG", "GIF", "BMP"})
# Level 1: 348 ms; the usual 6 takes 823 ms for 12 % less.
_PNG = {"format": "PNG", "compress_level": 1}
_GOOD_QUALITY = 90
# Of a lossless source, whose colors are as sharp as its grey.
_BEST_JPEG = {"quality": 95, "subsampling": 0}
# Method 0: 69 ms; the usual 4 takes 260 ms for a fifth less.
_WEBP_METHOD = 0


def prepared(image: Image.Image, head: Mapping[str, Any], body: bytes) -> bytes:
    """Write a caller's picture anew: `max_side`, `keeps_alpha`, and the source's `format`."""
    with pillow_errors(head["format"]):
        image = plain(image)
        image.thumbnail((head["max_side"], head["max_side"]), Image.Resampling.LANCZOS)
        image = in_srgb(image)
        if _is_transparent(image) and head["keeps_alpha"]:
            return _written(image, _PNG)
        image = _on_white(image)
        if head["format"] not in _LOSSLESS:
            return _written(image, {"format": "JPEG", "quality": _GOOD_QUALITY})
        if len(body) <= _SMALL_BYTES:
            return _written(image, _PNG)
        return _written(image, {"format": "JPEG", **_BEST_JPEG})


def mask(image: Image.Image, head: Mapping[str, Any]) -> bytes:
    """Write a mask of the `size` of its picture: black, with the alpha of what came."""
    with pillow_errors(head["format"]):
        image = plain(image)
        if not _is_transparent(image):
            problem = "has no transparent parts. Make those transparent that are to be painted."
            raise Refusal("mask_without_alpha", problem)
        width, height = head["size"]
        # Both were made smaller from the same size, each side rounded.
        if abs(image.width * height - image.height * width) > max(*image.size, width, height):
            problem = (
                f"has {image.width}x{image.height} pixels, and must have the size of the first "
                f"picture, {width}x{height}."
            )
            raise Refusal("mask_size", problem)
        alpha = image.getchannel("A").resize((width, height), Image.Resampling.BILINEAR)
        black = Image.new("RGBA", (width, height))
        black.putalpha(alpha)
        return _written(black, _PNG)


def converted(image: Image.Image, head: Mapping[str, Any]) -> bytes:
    """Write a picture in an `output_format`, with a `compression` of 0 to 100 or None."""
    with pillow_errors(head["format"]):
        image = in_srgb(plain(image))
        return in_format(image, head["output_format"], head["compression"])


def in_format(image: Image.Image, output_format: str, compression: int | None) -> bytes:
    """Return the file of a picture, as `png`, `jpeg` or `webp`."""
    if output_format == "png":
        return _written(image, _PNG)
    quality = _GOOD_QUALITY if compression is None else compression
    if output_format == "webp":
        return _written(image, {"format": "WEBP", "quality": quality, "method": _WEBP_METHOD})
    return _written(_on_white(image), {"format": "JPEG", "quality": quality})


def _is_transparent(image: Image.Image) -> bool:
    if image.mode != "RGBA":
        return False
    lowest, _ = image.getchannel("A").getextrema()
    return isinstance(lowest, int) and lowest < 255


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _written(image: Image.Image, options: Mapping[str, Any]) -> bytes:
    image.info.clear()  # Pillow writes comments and profiles that it finds there
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()
