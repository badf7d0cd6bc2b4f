"""What the bytes of a film say of it, and that no bytes say too much."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.videos.film_facts import FilmFacts, NotAFilm, film_facts
from tests.support.films import box, film, webm
from tests.support.tables import each

MP4 = film()
MANY = 5_000


def facts_of(data: bytes) -> FilmFacts:
    """Read a film from memory."""
    return film_facts(io.BytesIO(data), len(data))


def wide(name: bytes, inside: bytes, length: int | None = None) -> bytes:
    """Return a box whose length has 64 bits."""
    told = len(inside) + 16 if length is None else length
    return struct.pack(">I4sQ", 1, name, told) + inside


class Counted(io.BytesIO):
    """Counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count."""
        self.reads += 1
        return super().read(size)


@each(
    ("data", "facts"),
    [
        (MP4, FilmFacts("video/mp4", 1280, 720, 5.0)),
        (film(720, 1280, 4.25, version=1), FilmFacts("video/mp4", 720, 1280, 4.25)),
        (film(has_sound=True), FilmFacts("video/mp4", 1280, 720, 5.0)),
        (film(is_movie_last=True), FilmFacts("video/mp4", 1280, 720, 5.0)),
        (film(brand=b"qt  "), FilmFacts("video/quicktime", 1280, 720, 5.0)),
        (film(brand=b"iso5"), FilmFacts("video/mp4", 1280, 720, 5.0)),
        (webm(), FilmFacts("video/webm")),
        (film(seconds=0), FilmFacts("video/mp4", 1280, 720, None)),
        (film(0, 720), FilmFacts("video/mp4", None, None, 5.0)),
        (film(fps=24), FilmFacts("video/mp4", 1280, 720, 5.0, 24.0)),
        (film(fps=30, version=1), FilmFacts("video/mp4", 1280, 720, 5.0, 30.0)),
        (film(fps=25, has_sound=True), FilmFacts("video/mp4", 1280, 720, 5.0, 25.0)),
        (film(seconds=0, fps=24), FilmFacts("video/mp4", 1280, 720)),
        (
            film(fps=24).replace(b"stts\0\0\0\0\0\0\0\2", b"stts\0\0\0\0\xff\xff\xff\xff"),
            FilmFacts("video/mp4", 1280, 720, 5.0),
        ),
        (MP4 + box(b"free", bytes(9)), FilmFacts("video/mp4", 1280, 720, 5.0)),
        (MP4 + bytes(7), FilmFacts("video/mp4", 1280, 720, 5.0)),  # no box begins there
    ],
)
def test_a_film_says_what_it_is(data: bytes, facts: FilmFacts) -> None:
    assert facts_of(data) == facts


def test_lengths_of_64_bits_and_to_the_end_are_read() -> None:
    head, movie = box(b"ftyp", b"isom\0\0\0\0"), box(b"moov")
    to_the_end = b"\0\0\0\0mdat" + bytes(99)

    assert facts_of(head + wide(b"mdat", bytes(99)) + movie).media_type == "video/mp4"
    assert facts_of(head + movie + to_the_end).media_type == "video/mp4"


@each(
    "data",
    [
        b"",
        b"<html><body>502</body></html>",
        b'{"error": "expired"}',
        MP4[:-1],
        MP4[:-70],
        MP4[:20],
        film(is_movie_last=True)[:-1],
        box(b"ftyp", b"isom") + box(b"moov"),
        box(b"ftyp", b"isom") + box(b"mdat"),
        box(b"ftyp", b"isom") + wide(b"mdat", b"", 3) + box(b"moov"),
        box(b"ftyp", b"isom") + wide(b"mdat", b"", 2**63) + box(b"moov"),
        box(b"ftyp", b"isom") + b"\0\0\0\1mdat",
        box(b"ftyp", b"isom") + b"\0\0\0\7mdat" + box(b"moov"),
        b"\x1aE\xdf\xa3 matroska",
        b"\x89PNG\r\n\x1a\n" + bytes(99),
    ],
)
def test_what_is_no_film_or_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(NotAFilm):
        facts_of(data)


def test_a_film_of_a_file_that_is_shorter_than_it_was_said_to_be_is_refused() -> None:
    with pytest.raises(NotAFilm):
        film_facts(io.BytesIO(MP4[:-40]), len(MP4) + 40)


@each(
    "data",
    [
        box(b"ftyp", b"isom") + box(b"free") * 4 * MANY,
        box(b"ftyp", b"isom") + box(b"moov", box(b"trak", box(b"free") * MANY) * 9) + box(b"mdat"),
    ],
)
def test_a_file_of_nothing_but_boxes_is_given_up(data: bytes) -> None:
    file = Counted(data)

    with pytest.raises(NotAFilm):
        film_facts(file, len(data))

    assert file.reads < 3 * MANY


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_no_film(data: bytes) -> None:
    for begun in (data, b"\0\0\0\x10ftypisom\0\0\0\0" + data):
        try:
            assert facts_of(begun).media_type.startswith("video/")
        except NotAFilm:
            continue


@given(st.integers(0, len(MP4) - 1), st.integers(0, 255), st.integers(0, len(MP4)))
def test_no_film_that_was_spoilt_is_more_than_no_film(at: int, byte: int, end: int) -> None:
    spoilt = (MP4[:at] + bytes([byte]) + MP4[at + 1 :])[:end]
    try:
        facts = facts_of(spoilt)
    except NotAFilm:
        return
    assert facts.seconds is None or 0 < facts.seconds <= 86_400
    assert facts.width is None or 0 < facts.width <= 32_768
