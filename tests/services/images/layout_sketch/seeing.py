"""Reads a sketch back from its pixels alone."""

import io
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps, ImageStat

RED, BLUE, GREEN = (217, 43, 43), (43, 98, 217), (47, 158, 68)
PLAIN, PAPER = (220, 215, 203), (244, 241, 234)
TEXT_PAPER, LABEL_PAPER = (251, 250, 246), (61, 58, 54)
_MIN_PIXELS = 12  # fewer are the inside of a letter


@dataclass(frozen=True)
class Spot:
    """A connected part of a picture in one color, and the box around it."""

    left: int
    top: int
    right: int
    bottom: int


def opened(data: bytes) -> Image.Image:
    """Open a picture."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def spots(image: Image.Image, color: tuple[int, int, int]) -> list[Spot]:
    """Return the connected parts of a color, from left to right.

    Letters can cut pieces off; a piece within the box of another one belongs to it.
    """
    pixels = image.convert("RGB").load()
    assert pixels is not None
    width, height = image.size
    waiting = {(x, y) for x in range(width) for y in range(height) if pixels[x, y] == color}
    found = []
    while waiting:
        part, edge = [], [waiting.pop()]
        while edge:
            x, y = edge.pop()
            part.append((x, y))
            near = {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & waiting
            waiting -= near
            edge.extend(near)
        if len(part) >= _MIN_PIXELS:
            columns, rows = [x for x, _ in part], [y for _, y in part]
            found.append(Spot(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return sorted(
        (spot for spot in found if not any(_is_within(spot, other) for other in found)),
        key=lambda spot: spot.left,
    )


def _is_within(inner: Spot, outer: Spot) -> bool:
    return (
        inner != outer
        and inner.left >= outer.left
        and inner.top >= outer.top
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def text_distance(image: Image.Image, words: str, paper: tuple[int, int, int]) -> float:
    """Return how far the writing on the largest spot of a paper is from a text: 0 is the same.

    Both are brought to one size, so that the distance is that of the letters' shapes.
    """
    spot = max(spots(image, paper), key=lambda one: one.right - one.left)
    inside = (spot.left + 2, spot.top + 2, spot.right - 2, spot.bottom - 2)
    blank = Image.new("RGB", image.size, paper)
    seen = ImageChops.difference(image.convert("RGB"), blank).convert("L").crop(inside)
    font = ImageFont.load_default(64)
    wanted = Image.new("L", (int(font.getlength(words)) + 80, 160))
    ImageDraw.Draw(wanted).text((40, 40), words, 255, font)
    pair = [_stretched(one) for one in (seen, wanted)]
    return ImageStat.Stat(ImageChops.difference(*pair)).mean[0] / 255


def _stretched(image: Image.Image) -> Image.Image:
    """Return the writing of an image, cut out and brought to one size and contrast."""
    written = ImageOps.autocontrast(image).point(lambda value: value * (value > 60))
    return ImageOps.autocontrast(written.crop(written.getbbox()).resize((400, 40)))
