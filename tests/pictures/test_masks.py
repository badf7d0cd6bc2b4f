"""A mask says with its alpha what is to be painted, and fits its picture."""

from typing import Any

import pytest
from PIL import Image

from llm_api.pictures.facts import PictureError, PreparedPicture
from llm_api.pictures.pictures import Pictures
from tests.pictures import making


def prepare_mask(pictures: Pictures, data: bytes, size: tuple[int, int]) -> PreparedPicture:
    """Prepare a mask for a picture of a size."""
    limits = {"max_bytes": 4 * 1024 * 1024, "max_pixels": 36_000_000}
    return pictures.prepare_mask(data, field="mask", size=size, **limits)


def refusal(pictures: Pictures, data: bytes, size: tuple[int, int]) -> PictureError:
    """Return why a mask is refused."""
    with pytest.raises(PictureError) as raised:
        prepare_mask(pictures, data, size)
    assert raised.value.field == "mask"
    return raised.value


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_a_mask_is_a_png_with_the_alpha_that_came(pictures: Pictures, kind: str) -> None:
    mask = prepare_mask(pictures, making.written(making.with_hole(), kind), making.SIZE)

    image = making.opened(mask.data)
    assert (mask.facts.media_type, mask.facts.has_alpha, image.size) == (
        "image/png",
        True,
        making.SIZE,
    )
    assert [image.getpixel((5, 5)), image.getpixel((5, 35))] == [(0, 0, 0, 255), (0, 0, 0, 0)]


def test_a_mask_follows_its_picture_when_that_was_made_smaller(pictures: Pictures) -> None:
    mask = prepare_mask(pictures, making.written(making.with_hole((301, 200)), "PNG"), (150, 100))

    image = making.opened(mask.data)
    assert image.size == (150, 100)
    assert [image.getpixel((5, 5))[3], image.getpixel((5, 95))[3]] == [255, 0]


@pytest.mark.parametrize("image", [making.corners(), making.corners(mode="RGBA")])
def test_a_mask_without_transparent_parts_is_refused(pictures: Pictures, image: Any) -> None:
    error = refusal(pictures, making.written(image, "PNG"), making.SIZE)

    assert error.defect == "mask_without_alpha"
    assert error.problem == (
        "has no transparent parts. Make those transparent that are to be painted."
    )


@pytest.mark.parametrize("size", [(60, 60), (40, 60), (64, 40)])
def test_a_mask_of_another_shape_is_refused_with_both_sizes(
    pictures: Pictures, size: tuple[int, int]
) -> None:
    error = refusal(pictures, making.written(making.with_hole(), "PNG"), size)

    assert error.defect == "mask_size"
    assert error.problem == (
        f"has 60x40 pixels, and must have the size of the first picture, {size[0]}x{size[1]}."
    )


def test_a_mask_is_turned_as_its_picture_is(pictures: Pictures) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = making.written(making.with_hole(), "PNG", exif=exif)

    image = making.opened(prepare_mask(pictures, data, (40, 60)).data)

    assert [image.getpixel((35, 5))[3], image.getpixel((5, 5))[3]] == [255, 0]


def test_limits_hold_for_masks_too(pictures: Pictures) -> None:
    assert refusal(pictures, b"\0" * 5_000_000, (1, 1)).defect == "too_many_bytes"
    assert refusal(pictures, making.bitmap_png(8_000, 8_000), (1, 1)).defect == "too_many_pixels"
