"""What a picture file says of itself is read without decoding it, and what is none is told."""

import struct
from typing import Any

import pytest
from PIL import Image

from llm_api.pictures.facts import PictureError, PictureFacts
from llm_api.pictures.pictures import Pictures
from tests.pictures import making

FORMATS = dict(making.every_format())


def inspect(data: bytes) -> PictureFacts:
    """Inspect a picture; no process is needed."""
    return Pictures().inspect(data)


def refusal(data: bytes) -> PictureError:
    """Return why a picture is refused."""
    with pytest.raises(PictureError) as raised:
        inspect(data)
    return raised.value


@pytest.mark.parametrize("media_type", FORMATS)
def test_type_and_size_are_read_from_the_bytes(media_type: str) -> None:
    facts = inspect(FORMATS[media_type])

    assert (facts.media_type, facts.width, facts.height) == (media_type, *making.SIZE)
    assert (facts.has_alpha, facts.frames) == (False, 1)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 80}),
    ],
)
def test_alpha_is_seen(kind: str, options: dict[str, Any]) -> None:
    data = making.written(making.with_hole(), kind, **options)

    assert inspect(data).has_alpha
    assert (inspect(data).width, inspect(data).height) == making.SIZE


def test_a_transparent_color_is_alpha() -> None:
    palette = making.corners(mode="P")

    assert inspect(making.written(palette, "PNG", transparency=0)).has_alpha
    assert inspect(making.written(making.with_hole(), "GIF")).has_alpha


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_has_frames(kind: str) -> None:
    assert inspect(making.animated(kind)).frames == 3


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}])
def test_every_kind_of_jpeg_is_read(options: dict[str, Any]) -> None:
    facts = inspect(making.written(making.noise((300, 200)), "JPEG", **options))

    assert (facts.width, facts.height) == (300, 200)


def test_a_jpeg_with_a_film_behind_it_is_a_jpeg() -> None:
    """Telephones add one; within it are bytes that are marks of a JPEG."""
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x0c" * 500

    assert inspect(FORMATS["image/jpeg"] + film).media_type == "image/jpeg"


def test_two_pictures_in_one_file_are_one_jpeg() -> None:
    first, second, _ = making.frames()

    facts = inspect(making.written(first, "MPO", save_all=True, append_images=[second]))

    assert (facts.media_type, facts.width) == ("image/jpeg", 60)


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_file_that_ends_early_is_cut_off(media_type: str) -> None:
    whole = making.written(making.noise((64, 64)), media_type.partition("/")[2])

    error = refusal(whole[:30] if media_type == "image/gif" else whole[: len(whole) // 2])

    assert error.defect == "cut_off"
    assert error.problem.endswith("file ends too early. Send the whole file.")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (making.written(making.corners(), "TIFF"), "a TIFF picture"),
        (making.written(making.corners(), "AVIF"), "an AVIF picture"),
        (making.written(making.corners(), "ICO"), "an icon"),
        (making.written(making.corners(), "JPEG2000"), "a JPEG 2000 picture"),
        (making.written(making.corners(), "PDF"), "a PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "an SVG drawing"),
        (b"<svg width='1'/>", "an SVG drawing"),
    ],
)
def test_other_formats_are_told_by_name(data: bytes, name: str) -> None:
    error = refusal(data)

    assert error.defect == "unsupported_format"
    assert error.problem == f"is {name}, which cannot be read. Send JPEG, PNG, WebP, GIF or BMP."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty."),
        (b"\n<!DOCTYPE html><title>404</title>", "is a web page, not a picture."),
        (b'{"error": "no"}', "is not a picture."),
        (b"BM is no bitmap, only a word of two letters", "is not a picture."),
        (b"\xff\xd8\xff", "is cut off"),
        (making.PNG_SIGNATURE + b"\0" * 40, "is a damaged PNG file."),
        (b"\xff\xd8\xff\xe0\x00\x04\0\0\x12" + b"\0" * 20, "is a damaged JPEG file."),
        (b"GIF89a" + b"\1\0\1\0\0\0\0" + b"\x99", "is a damaged GIF file."),
        (b"RIFF\x10\0\0\0WEBPVP9 " + b"\0" * 8, "is a damaged WebP file."),
    ],
)
def test_what_is_no_picture_is_told(data: bytes, words: str) -> None:
    assert refusal(data).problem.startswith(words)


@pytest.mark.parametrize("size", [(0, 40), (60, 0)])
def test_a_picture_without_pixels_is_damaged(size: tuple[int, int]) -> None:
    data = making.PNG_SIGNATURE + making.chunk(
        b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    )

    assert refusal(data + making.chunk(b"IEND")).problem.startswith("is a damaged PNG file.")


def test_a_compressed_bitmap_is_refused() -> None:
    """Pillow decodes it in Python, a thousand times slower."""
    data = bytearray(making.written(making.corners(mode="P"), "BMP"))
    data[30] = 1

    assert refusal(bytes(data)).defect == "unsupported_format"


def test_a_jpeg_with_more_scans_than_programs_write_is_refused() -> None:
    assert inspect(making.scans(20)).media_type == "image/jpeg"
    assert refusal(making.scans(100)).defect == "too_costly"


PNG_HEAD = making.PNG_SIGNATURE + making.chunk(
    b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
)


@pytest.mark.parametrize(
    ("head", "part", "count"),
    [
        (PNG_HEAD, making.chunk(b"tEXt"), 900_000),
        (b"\xff\xd8\xff\xfe\0\2", b"\xff\xfe\0\2", 2_000_000),
        (b"\xff\xd8\xff", b"\xff", 8_000_000),
        (b"GIF89a\1\0\1\0\0\0\0", b"\x21\xfe\1a", 2_000_000),
        (b"GIF89a\1\0\1\0\0\0\0\x21\xfe", b"\1a", 4_000_000),
    ],
    ids=["png", "jpeg", "fill", "gif", "gif blocks"],
)
def test_a_file_of_millions_of_parts_is_refused_before_they_are_counted(
    head: bytes, part: bytes, count: int
) -> None:
    """A loop over all of them would stop the worker for a second; so would Pillow's."""
    assert refusal(head + part * count).problem.startswith("is a damaged")


def test_a_first_frame_beyond_its_screen_counts_in_full() -> None:
    data = bytearray(making.written(Image.new("P", (20, 10)), "GIF"))
    data[6:10] = struct.pack("<HH", 5, 5)

    assert (inspect(bytes(data)).width, inspect(bytes(data)).height) == (20, 10)
