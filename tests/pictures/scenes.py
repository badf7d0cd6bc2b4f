"""Pictures to measure: photographs of two packages, scenes and drawings of our own, and damage."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from tests.support.service import REPOSITORY_ROOT

SAMPLES = REPOSITORY_ROOT / ".models" / "samples"
SANS, SERIF = (
    SAMPLES / "pylopdf_fonts_zh_cn" / f"Noto{face}SC-Regular.otf" for face in ("Sans", "Serif")
)
_PHOTOGRAPHS = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png"),
    *("grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png"),
    *("motorcycle_left.png", "retina.jpg", "rocket.jpg"),
)
SIZE = (640, 480)


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Yield the names of fifteen photographs, and the photographs in at most 640 pixels."""
    files = [SAMPLES / "skimage" / "data" / name for name in _PHOTOGRAPHS]
    for file in (*files, SAMPLES / "imgaug" / "quokka.jpg"):
        image = Image.open(file).convert("RGB")
        image.thumbnail((640, 640), Image.Resampling.LANCZOS)
        yield file.stem, image


def photograph(name: str) -> Image.Image:
    """Return one of them."""
    return dict(photographs())[name]


def scenes() -> Iterator[tuple[str, Image.Image]]:
    """Yield the names of five drawn scenes, which look like photographs, and the scenes."""
    for draw in (_hills, _fruit, _street, _shelf, _sea):
        yield draw.__name__.strip("_"), _grained(draw(), 1.5)


def _vertical(top: str, bottom: str) -> Image.Image:
    mask = Image.linear_gradient("L").resize(SIZE)
    return Image.composite(Image.new("RGB", SIZE, bottom), Image.new("RGB", SIZE, top), mask)


def _grained(image: Image.Image, sigma: float) -> Image.Image:
    grains = [Image.effect_noise(image.size, sigma) for _ in range(3)]
    return ImageChops.add(image, Image.merge("RGB", grains), 1, -128)


def _textured(image: Image.Image, mask: Image.Image, sigma: float, soft: float) -> Image.Image:
    """Add a texture of some contrast and coarseness where a mask says."""
    texture = Image.effect_noise(SIZE, sigma).filter(ImageFilter.GaussianBlur(soft))
    grey = Image.merge("RGB", [texture] * 3)
    return Image.composite(ImageChops.add(image, grey, 1, -128), image, mask)


def _hills() -> Image.Image:
    image = _vertical("#5d8fc9", "#dfe9f2")
    chance = Random(1)  # noqa: S311  # the same scene each time
    for level, color in enumerate(("#6f8299", "#4f6a5b", "#2f4a2c")):
        heights = [chance.uniform(-25, 25) for _ in range(9)]
        points = [(x * 80, 220 + 75 * level + heights[x]) for x in range(9)]
        mask = Image.new("L", SIZE, 0)
        ImageDraw.Draw(mask).polygon([(0, 480), *points, (640, 480)], fill=255)
        image.paste(color, (0, 0, *SIZE), mask)
        image = _textured(image, mask, 60, 0.7)
    return image


def _fruit() -> Image.Image:
    image = _vertical("#40342b", "#c9a983")
    for number, color in enumerate(("#b5281d", "#d98a1c", "#6d9a32", "#8c2a4d")):
        size = 130 + 12 * number
        light = ImageChops.invert(Image.radial_gradient("L")).resize((size, size))
        ball = Image.composite(
            Image.new("RGB", light.size, color), Image.new("RGB", light.size), light
        )
        ImageDraw.Draw(ball).ellipse(
            (size // 3, size // 4, size // 3 + 16, size // 4 + 12), "white"
        )
        shape = Image.new("L", (size, size), 0)
        ImageDraw.Draw(shape).ellipse((2, 2, size - 3, size - 3), fill=255)
        image.paste(ball, (30 + 145 * number, 290 - size // 2), shape)
    return _textured(image, Image.new("L", SIZE, 255), 9, 0.6)


def _street() -> Image.Image:
    image = _vertical("#a9bdd0", "#e2dccb")
    draw = ImageDraw.Draw(image)
    chance = Random(2)  # noqa: S311  # the same scene each time
    for number in range(7):
        left, top = 92 * number - 5, chance.randrange(60, 200)
        draw.rectangle(
            (left, top, left + 86, 420), fill=chance.choice(["#7d5a48", "#8f8a80", "#56606b"])
        )
        for window in range(24):
            x, y = left + 9 + 25 * (window % 3), top + 13 + 33 * (window // 3)
            draw.rectangle(
                (x, y, x + 14, y + 19), fill=chance.choice(["#20262e", "#f3dc9a", "#3c4b5c"])
            )
    draw.rectangle((0, 420, 640, 480), fill="#45464a")
    return _textured(image, Image.new("L", SIZE, 255), 22, 0.8)


def _shelf() -> Image.Image:
    image = Image.new("RGB", SIZE, "#3a2a1d")
    draw = ImageDraw.Draw(image)
    chance = Random(3)  # noqa: S311  # the same scene each time
    for row in range(3):
        left = 12
        while left < 610:
            wide, high = chance.randrange(14, 38), chance.randrange(95, 140)
            color = tuple(chance.randrange(30, 220) for _ in range(3))
            draw.rectangle((left, 150 * row + 150 - high, left + wide, 150 * row + 150), fill=color)
            draw.line(
                (left + wide // 2, 150 * row + 70, left + wide // 2, 150 * row + 120), "#e8e0c8", 3
            )
            left += wide + 3
    return _textured(image, Image.new("L", SIZE, 255), 14, 0.8)


def _sea() -> Image.Image:
    image = _vertical("#f0b27a", "#1f4e6b")
    draw = ImageDraw.Draw(image)
    draw.ellipse((430, 90, 500, 160), fill="#fff4d6")
    for row in range(60):
        y = 240 + 4 * row
        points = [(x, y + 3 * math.sin(x / (9 + row / 5) + row)) for x in range(0, 640, 4)]
        draw.line(points, fill="#cfe3ea" if row % 3 == 0 else "#16394f", width=1)
    draw.polygon([(180, 330), (300, 330), (285, 360), (200, 360)], fill="#5a2f1e")
    draw.polygon([(235, 200), (238, 325), (300, 322)], fill="#f4efe4")
    return _textured(image, Image.new("L", SIZE, 255), 16, 0.7)


def drawings() -> Iterator[tuple[str, Image.Image]]:
    """Yield the names of drawings that have no flaw, and the drawings."""
    poster = Image.new("RGB", (1024, 1024), "#88aacc")
    write(poster, "OPEN 24 HOURS", (60, 100), 90)
    yield "a poster", poster
    page = Image.new("RGB", (1024, 1024), "white")
    write(page, "HELLO", (100, 400), 120)
    yield "black on white", page
    night = Image.new("RGB", (1024, 768), "#101020")
    ImageDraw.Draw(night).ellipse((300, 300, 600, 600), fill="#ffdd88")
    yield "a moon at night", night
    for width in (1024, 1000):
        sketch = Image.new("RGB", (width, 768), "#9fd0ff")
        draw = ImageDraw.Draw(sketch)
        draw.rectangle((0, 512, width, 768), fill="#3a7a3a")
        for number in range(5):
            left = 64 + 160 * number
            draw.rectangle((left, 384, left + 96, 512), fill="#c03020", outline="black", width=4)
        yield f"boxes on a grid, {width} wide", sketch
        yield f"boxes as a JPEG, {width} wide", damaged_by_jpeg(sketch, 85)
    yield from _products()


def _products() -> Iterator[tuple[str, Image.Image]]:
    product = Image.new("RGB", (1000, 800), "white")
    product.paste(photograph("chelsea"), (280, 250))
    yield "a product on white", product
    yield "a product on white as a JPEG", damaged_by_jpeg(product, 85)
    shape = Image.new("L", (451, 300), 0)
    ImageDraw.Draw(shape).ellipse((30, 30, 420, 270), fill=255)
    soft = Image.new("RGB", (1000, 800), "white")
    soft.paste(photograph("chelsea"), (280, 250), shape.filter(ImageFilter.GaussianBlur(12)))
    yield "a product that fades into white", soft


def write(
    image: Image.Image,
    text: str,
    at: tuple[int, int],
    size: int,
    *,
    color: str = "black",
    font: Path = SANS,
) -> None:
    """Write a line of text into an image."""
    face = ImageFont.truetype(font, size)
    ImageDraw.Draw(image).text(at, text, fill=color, font=face)


def damaged_by_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Return what is left of an image when it is written as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


# By the name of the flag that each must set.
DAMAGE: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "blurry": lambda image: image.filter(ImageFilter.GaussianBlur(2.5)),
    "noisy": lambda image: _grained(image, 15),
    "blocky": lambda image: damaged_by_jpeg(image, 12),
    "dark": lambda image: image.point(lambda value: value * 0.28),
    "overexposed": lambda image: image.point(lambda value: min(value * 2.2 + 40, 255)),
    "low_contrast": lambda image: image.point(lambda value: value * 0.2 + 100),
}
