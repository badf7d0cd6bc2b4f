"""Callers' pictures are read here, wherever they come from, and never passed on as they are."""

import io
from collections.abc import Iterator
from typing import Any, cast

import pytest
from PIL import Image

from llm_api.container.judge import fetched
from llm_api.errors import ApiError, InvalidRequest
from llm_api.pictures.pictures import Pictures
from llm_api.services.files import FileService
from llm_api.services.judge import JudgedPictures
from llm_api.upstream.media.fetching import LinkClient
from llm_api.upstream.media.links import LinkFailed
from tests.support.pictures import picture

NO_FILES = cast("FileService", None)


@pytest.fixture(scope="module")
def pictures() -> Iterator[Pictures]:
    """Read pictures in a process."""
    reader = Pictures()
    yield reader
    reader.close()


def judged(pictures: Pictures, **contents: bytes) -> JudgedPictures:
    """Make what reads pictures; addresses lead to the contents of their hosts' names."""
    return JudgedPictures(NO_FILES, pictures, lambda url, _: contents[url.split("/")[2]])


@pytest.mark.parametrize(
    ("kind", "written_as"),
    [
        ("PNG", "image/png"),
        ("GIF", "image/png"),
        ("BMP", "image/jpeg"),  # of 6 MB
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/jpeg"),
    ],
)
def test_every_format_becomes_one_that_every_model_reads(
    pictures: Pictures, kind: str, written_as: str
) -> None:
    data = picture(kind, (2_000, 1_000), shade=7)

    found = judged(pictures).read(data, "image")

    assert (found.media_type, found.width, found.height) == (written_as, 1_536, 768)
    assert found.original == data
    with Image.open(io.BytesIO(found.data)) as opened:
        assert opened.get_format_mimetype() == written_as


def test_transparent_parts_become_white(pictures: Pictures) -> None:
    written = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(written, "PNG")

    found = judged(pictures).read(written.getvalue(), "image")

    with Image.open(io.BytesIO(found.data)) as opened:
        assert opened.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_stated_type_must_be_the_picture_s_own(pictures: Pictures) -> None:
    with pytest.raises(InvalidRequest, match="image: is image/png, and the request") as caught:
        judged(pictures).read(picture(), "image", "image/webp")

    assert caught.value.reason == "invalid_image"


def test_the_other_name_of_jpeg_is_known(pictures: Pictures) -> None:
    assert judged(pictures).read(picture("JPEG"), "image", "IMAGE/JPG").width == 64


class Failing:
    """A client that cannot fetch anything."""

    def __init__(self, defect: str) -> None:
        """Fail in this way."""
        self._defect = defect

    def fetch(self, *_: Any) -> bytes:
        """Fail."""
        raise LinkFailed("leads to nothing.", self._defect)


@pytest.mark.parametrize(
    ("defect", "status", "reason"),
    [
        ("refused", 400, "image_refused"),
        ("gone", 400, "image_fetch_failed"),
        ("failed", 400, "image_fetch_failed"),
        ("too_large", 413, "image_too_large"),
    ],
)
def test_an_address_that_leads_to_no_picture_is_named(
    defect: str, status: int, reason: str
) -> None:
    with pytest.raises(ApiError, match=r"images\[1\]: leads to nothing") as caught:
        fetched(cast("LinkClient", Failing(defect)), "https://host/a.png", "images[1]")

    assert (caught.value.status, caught.value.reason) == (status, reason)
