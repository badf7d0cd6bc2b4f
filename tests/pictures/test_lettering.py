"""Text is read in Chinese and English, and reported as it stands."""

import subprocess
import sys
import unicodedata
from collections.abc import Iterable

import pytest
from PIL import Image, ImageDraw

from llm_api.pictures.meter import PictureMeter
from llm_api.pictures.process import PictureProcess
from tests.pictures import making, scenes, texts
from tests.pictures.measuring import judged, needs_packages, needs_samples
from tests.support.service import REPOSITORY_ROOT

# The measuring process is behind whatever else runs.
pytestmark = [needs_packages, needs_samples, pytest.mark.timeout(300)]


def plain(text: str) -> str:
    """Return a text in one form, without spaces."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def read(meter: PictureMeter, image: Image.Image, expected: Iterable[str] = ()) -> list[str]:
    """Return the lines of an image."""
    found = meter.measure(
        judged(image), reads_text=True, sees_objects=False, expected_texts=tuple(expected)
    )
    assert found.texts is not None
    return [one.text for one in found.texts]


def missed(meter: PictureMeter, posters: Iterable[texts.Poster]) -> list[str]:
    """Return what was not read as it was drawn."""
    lost = []
    for poster in posters:
        got = {plain(line) for line in read(meter, poster.image)}
        lost += [text for text in poster.texts if plain(text) not in got]
    return lost


def test_chinese_and_english_is_read_exactly(meter: PictureMeter) -> None:
    posters = list(texts.posters())

    lost = missed(meter, posters)

    assert len(lost) <= 0.15 * sum(len(poster.texts) for poster in posters), lost


def test_every_misspelling_is_reported_as_it_stands(meter: PictureMeter) -> None:
    assert missed(meter, texts.posters(texts.MISSPELT)) == []


def test_lines_come_in_the_order_in_which_they_are_read(meter: PictureMeter) -> None:
    """Also in a row that rises: each word of it is higher than the one before."""
    image = Image.new("RGB", (1024, 640), "white")
    for place, word in enumerate(("Fresh", "bread", "daily")):
        scenes.write(image, word, (40 + 340 * place, 120 - 16 * place), 80)
    scenes.write(image, "until noon", (40, 400), 80)

    assert read(meter, image) == ["Fresh", "bread", "daily", "until noon"]


def test_a_text_has_its_place(meter: PictureMeter) -> None:
    image = Image.new("RGB", (1000, 500), "white")
    scenes.write(image, "RIGHT", (700, 50), 80)

    found = meter.measure(judged(image), reads_text=True, sees_objects=False)

    assert found.texts is not None
    [(left, top, right, bottom)] = [one.box for one in found.texts]
    assert 0.68 < left < 0.72
    assert 0.9 < right < 1
    assert 0.05 < top < 0.2
    assert 0.2 < bottom < 0.4
    assert found.versions["texts"].startswith("rapidocr 3.")


def test_a_single_sign_is_left_out_unless_it_was_asked_for(meter: PictureMeter) -> None:
    """Textures have some that are none. A single Chinese one is a text."""
    digit, character = (Image.new("RGB", (400, 400), "white") for _ in range(2))
    scenes.write(digit, "8", (150, 80), 180)
    scenes.write(character, "福", (100, 80), 200)

    assert read(meter, digit) == []
    assert read(meter, digit, ["８"]) == ["8"]
    assert read(meter, character) == ["福"]


def test_no_text_is_an_empty_result_and_not_looked_for_is_none(meter: PictureMeter) -> None:
    empty = judged(Image.new("RGB", (300, 300), "teal"))

    assert meter.measure(empty, reads_text=True, sees_objects=False).texts == ()
    assert meter.measure(empty, reads_text=False, sees_objects=False).texts is None


@pytest.mark.parametrize("size", [(1536, 1), (1, 1536), (1536, 3)])
def test_what_is_too_flat_for_a_letter_has_no_text(
    meter: PictureMeter, size: tuple[int, int]
) -> None:
    assert read(meter, Image.effect_noise(size, 80).convert("RGB")) == []


def test_cyrillic_letters_are_not_found(meter: PictureMeter) -> None:
    """So no text of other scripts may be called missing for it."""
    image = Image.new("RGB", (700, 200), "white")
    font = scenes.SAMPLES / "imgaug" / "DejaVuSans.ttf"
    scenes.write(image, "Привет мир", (30, 50), 80, font=font)

    assert read(meter, image) == []


def test_transparent_parts_are_white(meter: PictureMeter) -> None:
    image = Image.new("RGBA", (500, 200))
    ImageDraw.Draw(image).text((30, 40), "CLEAR", fill="black", font_size=100)

    assert read(meter, image) == ["CLEAR"]


def test_more_text_than_there_is_time_for_is_said(meter: PictureMeter) -> None:
    image = Image.new("RGB", (1024, 1024), "white")
    for row in range(60):
        scenes.write(
            image, f"The quick brown fox jumps over the lazy dog {row}", (20, 16 * row), 14
        )
    meter.measure(judged(Image.new("RGB", (9, 9))), reads_text=False, sees_objects=False)
    process = meter._pool._idle[-1]
    assert isinstance(process, PictureProcess)
    data = making.written(image, "PNG")
    head = {"picture": {"format": "PNG", "bytes": len(data)}, "original": {"bytes": 0}}
    wish = {"max_pixels": 10**7, "texts": True, "objects": False, "seconds": 12}

    said, _ = process.ask({**head, **wish}, data, 60)

    assert said["unavailable"] == {
        "texts": "this picture has more text than can be read in the time for one"
    }
    assert "texts" not in said
    assert len(said["flags"]) == 6
    assert read(meter, Image.new("RGB", (90, 90))) == []


def test_reading_ends_with_the_time_for_a_picture_where_the_processors_are_others() -> None:
    """In a process of its own: the reader's module sets the signals of its process."""
    program = """
import time
from llm_api.pictures.measuring.lettering import TooMuchText, _bounded

try:
    with _bounded(seconds=600.0, until=time.monotonic()):
        while True:
            sum(range(1000))
except TooMuchText:
    print("ended")
"""
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, check=True, text=True)

    assert said.stdout == "ended\n"
