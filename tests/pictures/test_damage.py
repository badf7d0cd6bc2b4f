"""Damaged files of every format are refused in words, by a process that lives on."""

import random
from collections.abc import Iterator

import pytest

from llm_api.pictures.facts import PictureError
from llm_api.pictures.pictures import Pictures
from tests.pictures import making

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
DEFECTS = {
    "too_many_pixels",
    "not_a_picture",
    "cut_off",
    "unsupported_format",
    "too_costly",
}


def damaged(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield a file with some bytes changed, with bytes missing, and cut off."""
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            # More often at the beginning, where everything is that has a meaning.
            at = int(len(broken) * chance.random() ** 3)
            broken[at] = chance.choice((0, 255, chance.randrange(256), broken[at] ^ 1))
        yield bytes(broken)
    for _ in range(30):
        at = int(len(data) * chance.random() ** 2)
        yield data[:at] + data[at + chance.randint(1, 9) :]
        yield data[:at]


def sources(kind: str) -> Iterator[bytes]:
    """Yield files of a format, each of another kind."""
    yield making.written(making.corners(), kind)
    yield making.written(making.with_hole() if kind != "JPEG" else making.noise((40, 30)), kind)
    if kind in {"GIF", "WEBP", "PNG"}:
        yield making.animated(kind)
    if kind == "JPEG":
        yield making.turned(6)
        yield making.written(making.noise((40, 30)), kind, progressive=True)
        first, second, _ = making.frames()
        yield making.written(first, "MPO", save_all=True, append_images=[second])
    if kind == "PNG":
        yield making.written(making.corners(mode="P"), kind, transparency=1)
        yield making.written(making.corners(), kind, icc_profile=making.wide_profile())


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_told_and_kills_nothing(pictures: Pictures, kind: str) -> None:
    """A defect `too_costly` would mean that the process has died, or taken all its time."""
    pictures.convert(making.written(making.corners(), kind), "png")
    process = pictures._pool._idle[-1].pid
    chance, defects = random.Random(7), set()  # noqa: S311  # the same damage in every run

    for source in sources(kind):
        for broken in damaged(source, chance):
            try:
                pictures.prepare(
                    broken,
                    field="images[0]",
                    max_bytes=100_000,
                    max_pixels=1_000_000,
                    max_side=50,
                    keeps_alpha=True,
                )
            except PictureError as error:
                defects.add(error.defect)

    assert defects <= DEFECTS - {"too_costly"}
    assert pictures._pool._idle[-1].pid == process
