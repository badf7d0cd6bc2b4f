"""Decodes what is measured: the picture that is judged, and the grey of the file that came in."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from llm_api.pictures.child import reading
from llm_api.pictures.child.refusal import Refusal

Grey = npt.NDArray[np.float32]
Colors = npt.NDArray[np.uint8]
# Of the file that came in, so much is looked at, and its width and height are whole blocks of a
# JPEG: traces of compression are everywhere.
_WINDOW = 2048
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture as RGB, and the upper left part of the file that came in, in its own size."""

    image: Image.Image
    original: Grey

    def within(self, side: int) -> Image.Image:
        """Return the picture, smaller where its longer side has more than so many pixels."""
        smaller = self.image.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        return smaller


def decoded(head: Mapping[str, Any], body: bytes) -> Pixels:
    """Decode both files of a request: `picture` and `original` have their formats and lengths.

    Raises Refusal.
    """
    first = head["picture"]["bytes"]
    image = _flat(reading.opened(_opening(head, "picture"), body[:first]))
    if not head["original"]["bytes"]:
        return Pixels(image, _window(image))
    # Without turning it: the blocks of a JPEG begin at its first pixel.
    kind = head["original"]["format"]
    with reading.pillow_errors(kind):
        original = Image.open(io.BytesIO(body[first:]), formats=[reading.FORMATS[kind]])
        if original.width * original.height > head["max_pixels"]:
            raise Refusal("too_many_pixels", "has more pixels than are accepted.")
        original.load()
        return Pixels(image, _window(original))


def _opening(head: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    return {"format": head[which]["format"], "max_pixels": head["max_pixels"]}


def _flat(image: Image.Image) -> Image.Image:
    with_alpha = reading.in_srgb(reading.plain(image))
    if with_alpha.mode != "RGBA":
        return with_alpha
    ground = Image.new("RGB", with_alpha.size, _WHITE)
    ground.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return ground


def _window(image: Image.Image) -> Grey:
    part = image.crop((0, 0, min(image.width, _WINDOW), min(image.height, _WINDOW)))
    return grey(_flat(part))


def grey(image: Image.Image) -> Grey:
    """Return the brightness of each pixel, from 0 to 255 (ITU-R BT.601)."""
    return np.asarray(image.convert("L"), np.float32)
