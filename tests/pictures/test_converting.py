"""Pictures are written in the format that a caller asks for."""

import pytest

from llm_api.pictures.facts import PictureError
from llm_api.pictures.pictures import Pictures
from tests.pictures import making

FORMATS = ("png", "jpeg", "webp")


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize(("media_type", "data"), list(making.every_format()))
def test_every_format_becomes_every_other(
    pictures: Pictures, media_type: str, data: bytes, output_format: str
) -> None:
    facts = pictures.inspect(pictures.convert(data, output_format))

    assert media_type.startswith("image/")
    assert (facts.media_type, facts.width, facts.height) == (
        f"image/{output_format}",
        *making.SIZE,
    )


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_the_compression_is_a_quality(pictures: Pictures, output_format: str) -> None:
    data = making.written(making.noise((200, 200)), "PNG")

    sizes = [len(pictures.convert(data, output_format, quality)) for quality in (0, 30, 90, 100)]

    assert sizes == sorted(set(sizes))
    assert len(pictures.convert(data, output_format)) == sizes[2]


@pytest.mark.parametrize("output_format", ["png", "webp"])
def test_alpha_is_kept(pictures: Pictures, output_format: str) -> None:
    data = pictures.convert(making.written(making.with_hole(), "PNG"), output_format)

    assert making.opened(data).getchannel("A").getextrema() == (0, 255)


def test_alpha_becomes_white_in_a_jpeg(pictures: Pictures) -> None:
    image = making.opened(pictures.convert(making.written(making.with_hole(), "PNG"), "jpeg"))

    assert min(image.getpixel((5, 35))) > 240


def test_metadata_are_dropped(pictures: Pictures) -> None:
    data = making.written(making.corners(), "JPEG", comment=b"SECRET")

    assert all(b"SECRET" not in pictures.convert(data, kind) for kind in FORMATS)


def test_what_cannot_be_read_is_told(pictures: Pictures) -> None:
    with pytest.raises(PictureError, match="is a web page, not a picture"):
        pictures.convert(b"<html>", "png")
