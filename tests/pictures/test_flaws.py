"""Technical flaws are found by numbers, in photographs and drawn scenes, and not in good ones."""

import io

import pytest
from PIL import Image

from llm_api.domain.judging import JudgedPicture
from llm_api.pictures.meter import PictureMeter
from tests.pictures import making, scenes
from tests.pictures.measuring import judged, needs_packages, needs_samples

# The measuring process is behind whatever else runs.
pytestmark = [needs_packages, needs_samples, pytest.mark.timeout(300)]
FLAWS = set(scenes.DAMAGE)
# Of 20 pictures that have it. Some have no light parts of which a tenth could be lost.
LEAST_FOUND = {
    "blurry": 19,
    "noisy": 18,
    "blocky": 18,
    "dark": 19,
    "overexposed": 15,
    "low_contrast": 19,
}


def set_flags(meter: PictureMeter, picture: JudgedPicture) -> set[str]:
    """Return the names of the flags that are set."""
    found = meter.measure(picture, reads_text=False, sees_objects=False)
    assert {flag.name for flag in found.flags} == FLAWS
    return {flag.name for flag in found.flags if flag.is_set}


@pytest.fixture(scope="module")
def pictures() -> dict[str, Image.Image]:
    return dict([*scenes.photographs(), *scenes.scenes()])


@pytest.mark.parametrize("flaw", LEAST_FOUND)
def test_flaws_are_found(meter: PictureMeter, pictures: dict[str, Image.Image], flaw: str) -> None:
    damage = scenes.DAMAGE[flaw]
    found = [
        name for name, image in pictures.items() if flaw in set_flags(meter, judged(damage(image)))
    ]

    assert len(found) >= LEAST_FOUND[flaw], set(pictures) - set(found)


def test_nine_of_ten_flaws_are_found_in_all(pictures: dict[str, Image.Image]) -> None:
    assert len(pictures) == 20
    assert set(LEAST_FOUND) == FLAWS
    assert sum(LEAST_FOUND.values()) >= 0.9 * len(pictures) * len(FLAWS)


def test_one_of_seventeen_flags_at_most_is_false(
    meter: PictureMeter, pictures: dict[str, Image.Image]
) -> None:
    false = [
        (name, flaw) for name, image in pictures.items() for flaw in set_flags(meter, judged(image))
    ]

    assert len(false) <= 0.06 * len(pictures) * len(FLAWS), false


def test_a_drawing_has_no_flaws(meter: PictureMeter) -> None:
    """Not for its flat parts, nor its grounds in white or black, nor edges on a grid of eight."""
    flags = {name: set_flags(meter, judged(image)) for name, image in scenes.drawings()}

    assert {name: found for name, found in flags.items() if found} == {}


def test_traces_of_compression_are_looked_for_in_the_file_that_came_in(
    meter: PictureMeter, pictures: dict[str, Image.Image]
) -> None:
    image = pictures["coffee"]
    poor = making.written(image, "JPEG", quality=10)
    smaller = Image.open(io.BytesIO(poor)).convert("RGB").resize((333, 222))

    assert "blocky" not in set_flags(meter, judged(smaller))
    assert "blocky" in set_flags(meter, judged(smaller, poor))


def test_a_turned_photograph_has_its_traces_where_they_were_written(
    meter: PictureMeter, pictures: dict[str, Image.Image]
) -> None:
    image = pictures["coffee"].crop((0, 0, 595, 397))
    exif = Image.Exif()
    exif[0x0112] = 3
    poor = making.written(image, "JPEG", quality=10, exif=exif)

    assert "blocky" in set_flags(meter, judged(image.rotate(180), poor))


def test_a_flag_says_its_number_and_from_where_on_it_is_a_flaw(meter: PictureMeter) -> None:
    night = Image.new("RGB", (64, 64), (20, 20, 20))

    found = meter.measure(judged(night), reads_text=False, sees_objects=False)
    [dark] = [flag for flag in found.flags if flag.name == "dark"]

    assert (dark.value, dark.threshold, dark.is_set) == (20.0, 90.0, True)
    assert (found.width, found.height) == (64, 64)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 900), (17, 17)])
def test_a_picture_of_any_size_can_be_measured(meter: PictureMeter, size: tuple[int, int]) -> None:
    found = meter.measure(judged(Image.new("RGB", size, "red")), reads_text=True, sees_objects=True)

    assert len(found.flags) == len(FLAWS)
    assert found.texts == ()
