"""Opens pictures with Pillow, and brings them into one form: turned, 8 bits, sRGB."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image, ImageCms, ImageOps

from llm_api.pictures.child.refusal import Refusal

# What Pillow raises for hostile and damaged files (tried with every format). Anything else is an
# error of its own, and ends the process.
_ERRORS = (OSError, SyntaxError, ValueError)
# The caller has a limit for pixels, and the process one for memory: Pillow's own would refuse what
# the first allows, and without the size that its error should name.
Image.MAX_IMAGE_PIXELS = None
# By our names. "JPEG" includes MPO, a JPEG with another picture behind it; with "MPO" in Pillow's
# list of formats, every damaged JPEG is a KeyError.
FORMATS: Mapping[str, str] = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "BMP": "BMP",
}
_MAX_PROFILE_BYTES = 4 * 1024 * 1024
_SRGB = ImageCms.createProfile("sRGB")


@contextlib.contextmanager
def pillow_errors(kind: str) -> Iterator[None]:
    """Refuse the picture where Pillow raises what it raises for broken files."""
    try:
        yield
    except _ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system and not of the picture, such as an import that came too late
        if "truncated" in str(error):
            problem = f"is cut off: the {kind} file ends too early. Send the whole file."
            raise Refusal("cut_off", problem) from error
        problem = f"is a damaged {kind} file, or a rare kind of it. Save the picture anew."
        raise Refusal("not_a_picture", problem) from error


def opened(head: Mapping[str, Any], body: bytes) -> Image.Image:
    """Open a picture, made smaller as it is read where that is cheap; its pixels are loaded.

    `head` has its `format` and may have `max_pixels` and `max_side`.
    """
    kind = head["format"]
    with pillow_errors(kind):
        image = Image.open(io.BytesIO(body), formats=[FORMATS[kind]])
        # Once more: Pillow may see another size than our own reading of the header.
        if image.width * image.height > head.get("max_pixels", 1 << 40):
            raise Refusal("too_many_pixels", "has more pixels than are accepted.")
        if kind == "JPEG" and "max_side" in head:
            # The decoder leaves out what the result does not show: a fifth of the time.
            image.thumbnail((head["max_side"], head["max_side"]), Image.Resampling.LANCZOS)
        image.load()
    # Metadata that are no TIFF raise SyntaxError: the picture is as good as without any.
    with contextlib.suppress(*_ERRORS):
        # Not in place, it copies the picture that needs no turning.
        ImageOps.exif_transpose(image, in_place=True)
    return image


def plain(image: Image.Image) -> Image.Image:
    """Return a picture as RGB or RGBA with 8 bits a color, in the color space of its profile."""
    if image.mode.startswith("I"):
        image = _from_16_bits(image)
    if image.mode == "CMYK":
        return image  # `in_srgb` converts it, with its profile
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Return 16 bits of grey as 8: Pillow's own conversion makes everything above 255 white."""
    return image.convert("I").point([value >> 8 for value in range(65_536)], "L")


def in_srgb(image: Image.Image) -> Image.Image:
    """Return a picture in sRGB, by its profile if it has one that can be used."""
    profile = image.info.get("icc_profile")
    if profile and len(profile) <= _MAX_PROFILE_BYTES:
        # A profile for other colors than the picture's, or no profile at all: as without one.
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            return _transformed(image, profile)
    return image.convert("RGB") if image.mode == "CMYK" else image


def _transformed(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return image
    if image.mode != "RGBA":
        return _converted(image, source)
    alpha = image.getchannel("A")
    result = _converted(image.convert("RGB"), source)
    result.putalpha(alpha)
    return result


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    result = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    if result is None:  # only where it was asked to work in place
        raise ImageCms.PyCMSError("no result")
    return result
