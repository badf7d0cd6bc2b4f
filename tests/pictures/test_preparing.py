"""Callers' pictures are written anew: turned, in sRGB, without what nobody needs of them."""

import io
from typing import Any

import pytest
from PIL import Image, ImageCms

from llm_api.pictures.facts import PictureError, PreparedPicture
from llm_api.pictures.pictures import Pictures
from tests.pictures import making

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MIB = 1024 * 1024


def prepare(pictures: Pictures, data: bytes, **changed: Any) -> PreparedPicture:
    """Prepare a picture within usual limits."""
    limits = {"max_bytes": 10 * MIB, "max_pixels": 36_000_000, "max_side": 4096}
    options = {"field": "images[0]", **limits, "keeps_alpha": True, **changed}
    return pictures.prepare(data, **options)


def refusal(pictures: Pictures, data: bytes, **changed: Any) -> PictureError:
    """Return why a picture is refused."""
    with pytest.raises(PictureError) as raised:
        prepare(pictures, data, **changed)
    return raised.value


def is_near(found: Any, wanted: tuple[int, ...], tolerance: int = 12) -> bool:
    """Whether two colors differ by what JPEG changes."""
    return all(abs(one - other) <= tolerance for one, other in zip(found, wanted, strict=True))


def colors_of(data: bytes) -> list[Any]:
    """Return the colors near the four corners: left, right of the upper half, and of the lower."""
    image = making.opened(data)
    right, bottom = image.width - 5, image.height - 5
    return [image.getpixel(at) for at in ((5, 5), (right, 5), (5, bottom), (right, bottom))]


@pytest.mark.parametrize(("media_type", "data"), list(making.every_format()))
def test_every_format_is_read(pictures: Pictures, media_type: str, data: bytes) -> None:
    prepared = prepare(pictures, data)

    kind = "image/png" if media_type in {"image/png", "image/gif", "image/bmp"} else "image/jpeg"
    assert (prepared.facts.media_type, prepared.facts.width) == (kind, 60)
    assert is_near(colors_of(prepared.data)[0], RED)
    assert is_near(colors_of(prepared.data)[1], GREEN)


@pytest.mark.parametrize(
    ("orientation", "wanted"),
    [
        (1, [RED, GREEN, BLUE, BLUE]),
        (2, [GREEN, RED, BLUE, BLUE]),
        (3, [BLUE, BLUE, GREEN, RED]),
        (4, [BLUE, BLUE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, BLUE]),
        (6, [BLUE, RED, BLUE, GREEN]),
        (7, [BLUE, GREEN, BLUE, RED]),
        (8, [GREEN, BLUE, RED, BLUE]),
    ],
)
def test_a_photograph_is_turned(
    pictures: Pictures, orientation: int, wanted: list[tuple[int, ...]]
) -> None:
    prepared = prepare(pictures, making.turned(orientation))

    assert (prepared.facts.width > prepared.facts.height) == (orientation < 5)
    found = colors_of(prepared.data)
    assert [is_near(*pair) for pair in zip(found, wanted, strict=True)] == [True] * 4


@pytest.mark.parametrize("orientation", [0, 9])
def test_nonsense_in_the_metadata_turns_nothing(pictures: Pictures, orientation: int) -> None:
    assert prepare(pictures, making.turned(orientation)).facts.width == 60


def test_metadata_that_are_no_tiff_turn_nothing(pictures: Pictures) -> None:
    broken = making.turned(6).replace(b"Exif\0\0", b"Exif\0\0????", 1)
    length = broken.index(b"\xff\xe1") + 2
    size = int.from_bytes(broken[length : length + 2], "big") + 4
    broken = broken[:length] + size.to_bytes(2, "big") + broken[length + 2 :]

    assert prepare(pictures, broken).facts.width == 60


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_remains(pictures: Pictures, kind: str) -> None:
    prepared = prepare(pictures, making.animated(kind))

    assert prepared.facts.frames == 1
    assert is_near(colors_of(prepared.data)[0], RED)


def test_of_two_pictures_in_a_jpeg_the_first_remains(pictures: Pictures) -> None:
    first, second, _ = making.frames()
    data = making.written(first, "MPO", save_all=True, append_images=[second])

    assert is_near(colors_of(prepare(pictures, data).data)[0], RED)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_every_mode_becomes_rgb(pictures: Pictures, mode: str) -> None:
    image = Image.new("RGB", making.SIZE, "white").convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"

    prepared = making.opened(prepare(pictures, making.written(image, kind)).data)

    assert prepared.mode == "RGB"
    assert is_near(prepared.getpixel((9, 9)), (255, 255, 255), 3)


@pytest.mark.parametrize("grey", [0, 300, 0x8000, 0xFFFF])
def test_sixteen_bits_become_eight(pictures: Pictures, grey: int) -> None:
    """Pillow's own conversion makes everything above 255 white."""
    image = Image.new("I;16", making.SIZE, grey)

    prepared = making.opened(prepare(pictures, making.written(image, "PNG")).data)

    assert prepared.getpixel((9, 9)) == (grey >> 8,) * 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_alpha_is_kept_where_asked(pictures: Pictures, kind: str) -> None:
    data = making.written(making.with_hole(), kind)

    prepared = prepare(pictures, data, keeps_alpha=True)

    image = making.opened(prepared.data)
    assert (prepared.facts.media_type, prepared.facts.has_alpha) == ("image/png", True)
    assert image.getchannel("A").getextrema() == (0, 255)


def test_alpha_becomes_white_else(pictures: Pictures) -> None:
    prepared = prepare(pictures, making.written(making.with_hole(), "PNG"), keeps_alpha=False)

    assert not prepared.facts.has_alpha
    assert colors_of(prepared.data) == [RED, GREEN, (255, 255, 255), (255, 255, 255)]


def test_a_transparent_color_is_kept_as_alpha(pictures: Pictures) -> None:
    data = making.written(making.corners(), "PNG", transparency=BLUE)

    image = making.opened(prepare(pictures, data).data)

    assert image.getpixel((5, 35)) == (*BLUE, 0)


def test_alpha_that_hides_nothing_is_none(pictures: Pictures) -> None:
    data = making.written(making.corners(mode="RGBA"), "PNG")

    assert not prepare(pictures, data).facts.has_alpha


def test_metadata_and_comments_are_dropped(pictures: Pictures) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    options = {"exif": exif, "comment": b"SECRET comment", "dpi": (77, 77)}
    options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    prepared = prepare(pictures, making.written(making.corners(), "JPEG", **options))

    assert b"SECRET" not in prepared.data
    assert {"exif", "comment", "icc_profile"} & making.opened(prepared.data).info.keys() == set()


def test_a_color_profile_is_applied(pictures: Pictures) -> None:
    """Grey with a gamma of its own becomes other grey; without the profile it would be wrong."""
    profile = _linear_profile()
    data = making.written(Image.new("RGB", making.SIZE, (60, 60, 60)), "PNG", icc_profile=profile)

    found = making.opened(prepare(pictures, data).data).getpixel((9, 9))

    assert is_near(
        found, (133, 133, 133), 3
    )  # of linear light; 0.235 of full light is 0.52 in sRGB


def test_a_color_profile_leaves_the_alpha(pictures: Pictures) -> None:
    data = making.written(making.with_hole(), "PNG", icc_profile=_linear_profile())

    image = making.opened(prepare(pictures, data).data)

    assert image.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("profile", [b"no profile at all", making.wide_profile()])
def test_a_profile_that_cannot_be_used_changes_nothing(pictures: Pictures, profile: bytes) -> None:
    data = making.written(making.corners(), "PNG", icc_profile=profile)

    assert colors_of(prepare(pictures, data).data) == [RED, GREEN, BLUE, BLUE]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("size", "wanted"), [((300, 200), (150, 100)), ((80, 400), (30, 150))])
def test_large_pictures_are_made_smaller(
    pictures: Pictures, kind: str, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    prepared = prepare(pictures, making.written(making.corners(size), kind), max_side=150)

    assert (prepared.facts.width, prepared.facts.height) == wanted
    assert is_near(colors_of(prepared.data)[0], RED)


def test_small_pictures_stay_small(pictures: Pictures) -> None:
    assert prepare(pictures, making.written(making.corners(), "PNG")).facts.width == 60


def test_what_is_transparent_lends_no_color_to_its_neighbors(pictures: Pictures) -> None:
    """Made smaller without regard to alpha, a white letter on transparent black becomes grey."""
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (101, 101, 300, 300))

    small = making.opened(prepare(pictures, making.written(image, "PNG"), max_side=100).data)

    edge = [small.getpixel((x, 50)) for x in range(100)]
    assert {pixel[0] for pixel in edge if pixel[3] > 20} == {255}


def test_a_large_photograph_without_loss_becomes_a_jpeg(pictures: Pictures) -> None:
    data = making.written(making.noise((1100, 900)), "PNG")

    prepared = prepare(pictures, data)

    assert len(data) > 2 * MIB
    assert prepared.facts.media_type == "image/jpeg"


def test_too_many_bytes_are_refused_with_both_figures(pictures: Pictures) -> None:
    error = refusal(pictures, making.written(making.noise((900, 900)), "PNG"), max_bytes=MIB)

    assert (error.field, error.defect) == ("images[0]", "too_many_bytes")
    assert error.problem == "has 2.2 MiB, and at most 1 are accepted."


def test_too_many_pixels_are_refused_before_they_are_decoded(pictures: Pictures) -> None:
    error = refusal(pictures, making.bitmap_png(32_768, 32_768))

    assert (error.field, error.defect) == ("images[0]", "too_many_pixels")
    assert error.problem == (
        "has 32768x32768 pixels, 1073.7 million, and at most 36 million are accepted."
    )


def test_what_is_no_picture_is_refused_with_its_field(pictures: Pictures) -> None:
    error = refusal(pictures, b"<html>", field="mask")

    assert str(error).startswith("mask: is a web page, not a picture.")


def test_pixels_that_end_early_are_refused(pictures: Pictures) -> None:
    whole = making.written(making.noise((64, 64)), "GIF")

    error = refusal(pictures, whole[: len(whole) // 2])

    assert (error.field, error.defect) == ("images[0]", "cut_off")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_pixels_are_refused(pictures: Pictures, kind: str) -> None:
    whole = bytearray(making.written(making.noise((64, 64)), kind))
    middle = len(whole) // 2 if kind == "PNG" else whole.index(b"\xff\xc4") + 5
    whole[middle : middle + 40] = b"\x55" * 40

    assert refusal(pictures, bytes(whole)).defect in {"not_a_picture", "cut_off"}


def _linear_profile() -> bytes:
    """Return sRGB's profile with linear light: its three curves are replaced."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for at in range(132, 132 + 12 * count, 12):
        if profile[at + 1 : at + 4] == b"TRC":
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            profile[start : start + 12] = b"curv" + b"\0" * 8  # no points: linear
            profile[at + 8 : at + 12] = (12).to_bytes(4, "big")
    named = bytes(profile).replace("sRGB".encode("utf-16-be"), "line".encode("utf-16-be"))
    assert ImageCms.ImageCmsProfile(io.BytesIO(named))
    return named
