"""Shapes and texts are drawn where and as a drawing says."""

from typing import Any

import pytest
from PIL import Image

from llm_api.pictures.facts import PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from tests.pictures import making


def draw(pictures: Pictures, *items: dict[str, Any], **changed: Any) -> Image.Image:
    """Draw items on a white picture, and return it."""
    drawing = {"width": 100, "height": 80, "background": "#ffffff", "output_format": "png"}
    return making.opened(pictures.draw({**drawing, "compression": None, "items": items, **changed}))


def shape(kind: str, *place: int) -> dict[str, Any]:
    return {"kind": kind, "place": place, "fill": "#ff0000", "outline": None, "line": 1}


def text(words: str, *place: int, max_size: int = 100) -> dict[str, Any]:
    return {
        "kind": "text",
        "place": place,
        "text": words,
        "color": "#000000",
        "max_size": max_size,
    }


def inked(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the box of everything that is not white."""
    box = image.convert("L").point(lambda value: 255 - value).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("kind", ["box", "ellipse"])
def test_a_shape_fills_its_place(pictures: Pictures, kind: str) -> None:
    image = draw(pictures, shape(kind, 10, 20, 50, 60))

    assert inked(image) == (10, 20, 50, 60)
    assert image.getpixel((30, 40)) == (255, 0, 0)


def test_an_ellipse_leaves_its_corners(pictures: Pictures) -> None:
    image = draw(pictures, shape("ellipse", 10, 20, 50, 60))

    assert image.getpixel((11, 21)) == (255, 255, 255)


def test_items_are_drawn_in_their_order(pictures: Pictures) -> None:
    above = {**shape("box", 20, 20, 40, 40), "fill": "#0000ff"}

    image = draw(pictures, shape("box", 0, 0, 50, 50), above)

    assert image.getpixel((30, 30)) == (0, 0, 255)


@pytest.mark.parametrize("words", ["a", "LAYOUT SKETCH", "wwwwwwww"])
def test_a_text_is_as_large_as_fits_into_its_place(pictures: Pictures, words: str) -> None:
    left, top, right, bottom = inked(draw(pictures, text(words, 10, 10, 90, 40)))

    assert min(left, top) >= 9
    assert (right <= 91, bottom <= 41) == (True, True)
    assert right - left > 60 or bottom - top > 10


def test_a_text_is_no_larger_than_its_limit(pictures: Pictures) -> None:
    _, top, _, bottom = inked(draw(pictures, text("H", 0, 0, 100, 80, max_size=20)))

    assert bottom - top <= 20


def test_no_background_is_transparent(pictures: Pictures) -> None:
    image = draw(pictures, shape("box", 10, 10, 20, 20), background=None)

    assert [image.getpixel((0, 0))[3], image.getpixel((15, 15))[3]] == [0, 255]


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_every_format_can_be_asked_for(pictures: Pictures, output_format: str) -> None:
    image = draw(pictures, output_format=output_format, compression=50)

    assert (image.format, image.size) == (output_format.upper(), (100, 80))


def test_a_drawing_that_fails_is_no_fault_of_the_caller(pictures: Pictures) -> None:
    with pytest.raises(PicturesUnavailable):
        draw(pictures, {"kind": "box"})

    assert draw(pictures).size == (100, 80)
