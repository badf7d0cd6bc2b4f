"""What the bytes of a film say of it: MP4 and QuickTime by their boxes, WebM by its name.

https://www.iso.org/standard/83102.html (ISO/IEC 14496-12).

Nothing is decoded. A film's own numbers are for display; what is charged is the vendor's.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_HEAD = 8
_MAX_BOXES = 10_000  # that are looked at, of all levels
_MAX_MOVIE_BYTES = 64 << 20
_MAX_TABLE_BYTES = 1 << 20  # of frames that do not last equally long
_MAX_SIDE = 32_768
_DAY_S = 86_400
_QUICKTIME = b"qt  "
_EBML = b"\x1aE\xdf\xa3"
_WEBM = b"webm"


class NotAFilm(Exception):
    """The bytes are of nothing that is known as a film, or it is cut off."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """A film: its type, and where its bytes tell them its size, length and frames a second."""

    media_type: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None


def film_facts(file: BinaryIO, size: int) -> FilmFacts:
    """Return what a file of `size` bytes is; raises NotAFilm."""
    file.seek(0)
    start = file.read(64)
    if start.startswith(_EBML):
        if _WEBM in start:
            return FilmFacts("video/webm")
        raise NotAFilm
    if start[4:8] != b"ftyp":
        raise NotAFilm
    media_type = "video/quicktime" if start[8:12] == _QUICKTIME else "video/mp4"
    reader = _Boxes(file)
    boxes = {name: (at, length) for name, at, length in reader.between(0, size)}
    if b"moov" not in boxes or b"mdat" not in boxes:
        raise NotAFilm
    at, length = boxes[b"moov"]
    if length > _MAX_MOVIE_BYTES:
        raise NotAFilm
    seconds, track = _movie(reader, at, at + length)
    width, height = track.sides or (None, None)
    return FilmFacts(media_type, width, height, seconds, track.fps)


@dataclass(frozen=True, slots=True)
class _Track:
    """What a track says of itself; a sound has no size."""

    sides: tuple[int, int] | None = None
    fps: float | None = None


class _Boxes:
    """Reads the boxes of a file, and not more of them than a film has."""

    def __init__(self, file: BinaryIO) -> None:
        """Have looked at none."""
        self._file = file
        self._left = _MAX_BOXES

    def between(self, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield the boxes from `at` to `end`: name, where the inside begins, and its length.

        Raises NotAFilm where one is cut off, or there are too many.
        """
        while end - at >= _HEAD:
            self._left -= 1
            length, name, head = self._head(at, end)
            if self._left < 0 or length < head or at + length > end:
                raise NotAFilm
            yield name, at + head, length - head
            at += length

    def _head(self, at: int, end: int) -> tuple[int, bytes, int]:
        """Return the length of a box, its name, and how long its head is."""
        self._file.seek(at)
        read = self._file.read(2 * _HEAD)
        if len(read) < _HEAD:
            raise NotAFilm
        length, name = struct.unpack_from(">I4s", read)
        if length == 1:
            return int.from_bytes(read[_HEAD:], "big"), name, 2 * _HEAD
        return length or end - at, name, _HEAD

    def inside(self, at: int, length: int, at_most: int = 256) -> bytes:
        """Return what is in a box, of a long one its beginning."""
        self._file.seek(at)
        return self._file.read(min(length, at_most))


def _movie(boxes: _Boxes, at: int, end: int) -> tuple[float | None, _Track]:
    """Return the length in seconds, and the first track that has a size."""
    seconds: float | None = None
    track = _Track()
    for name, start, length in boxes.between(at, end):
        if name == b"mvhd":
            seconds = _length(boxes.inside(start, length))
        elif name == b"trak" and track.sides is None:
            track = _track(boxes, start, start + length)
    return seconds, track


def _track(boxes: _Boxes, at: int, end: int) -> _Track:
    """Return what a track says; its frames are counted in `mdia`, `minf`, `stbl`, `stts`."""
    sides: tuple[int, int] | None = None
    seconds: float | None = None
    frames = 0
    levels = [(at, end)]
    while levels:
        for name, start, length in boxes.between(*levels.pop()):
            if name == b"tkhd":
                sides = _sides(boxes.inside(start, length))
            elif name == b"mdhd":
                seconds = _length(boxes.inside(start, length))
            elif name == b"stts":
                frames = _frames(boxes.inside(start, length, _MAX_TABLE_BYTES))
            elif name in {b"mdia", b"minf", b"stbl"}:
                levels.append((start, start + length))
    if sides is None:
        return _Track()
    return _Track(sides, round(frames / seconds, 3) if frames and seconds else None)


def _frames(box: bytes) -> int:
    """Return how many frames an `stts` box has, which counts those that last equally long."""
    try:
        count = struct.unpack_from(">I", box, 4)[0]
        return sum(struct.unpack_from(">I", box, 8 + 8 * n)[0] for n in range(count))
    except struct.error:  # it is cut off, or longer than any film needs
        return 0


def _length(box: bytes) -> float | None:
    """Return the seconds of an `mvhd` or `mdhd` box; its version says how wide its numbers are."""
    try:
        if box[0] == 1:
            scale, length = struct.unpack_from(">IQ", box, 20)
        else:
            scale, length = struct.unpack_from(">II", box, 12)
    except (struct.error, IndexError):
        return None
    seconds = length / scale if scale else 0.0
    return seconds if 0 < seconds <= _DAY_S else None


def _sides(box: bytes) -> tuple[int, int] | None:
    """Return the size in a `tkhd` box, the last eight bytes, in 65,536ths of pixels."""
    if len(box) < 8:
        return None
    at = 88 if box[0] == 1 else 76
    try:
        width, height = struct.unpack_from(">II", box, at)
    except struct.error:
        return None
    width, height = width >> 16, height >> 16
    return (width, height) if 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE else None
