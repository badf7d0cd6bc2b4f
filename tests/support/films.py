"""Films of a few hundred bytes, made by code: no decoder would show them, all tools read them."""

import struct

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SCALE = 1_000  # of times: milliseconds


def film(  # noqa: PLR0913  # what films differ in
    width: int = 1280,
    height: int = 720,
    seconds: float = 5.0,
    *,
    brand: bytes = b"isom",
    version: int = 0,
    has_sound: bool = False,
    is_movie_last: bool = False,
    shade: int = 0,
    padding: int = 64,
    fps: int = 0,
) -> bytes:
    """Return an MP4, or with the brand `qt  ` a QuickTime film.

    Args:
        width: of its pictures, in pixels.
        height: of its pictures, in pixels.
        seconds: its length.
        brand: four letters that say what it is.
        version: 0 or 1, of the boxes with times: as 32 or 64 bits.
        has_sound: puts a track without a size before that of the pictures.
        is_movie_last: whether the box that describes it stands behind its pictures.
        shade: makes one film differ from another.
        padding: how many bytes its pictures have.
        fps: frames a second, of which it says how many there are; 0: it does not.
    """
    tracks = [(0, 0)] * has_sound + [(width, height)]
    inside = [_movie_head(seconds, version)]
    frames = _frames(seconds, fps, version) if fps else b""
    inside += [box(b"trak", _track_head(*sides, seconds, version), frames) for sides in tracks]
    movie = box(b"moov", *inside)
    pictures = box(b"mdat", bytes([shade % 256]) * padding)
    body = (pictures, movie) if is_movie_last else (movie, pictures)
    return b"".join([box(b"ftyp", brand, b"\0\0\2\0", brand, b"mp41"), *body])


def webm() -> bytes:
    """Return the beginning of a WebM film: its head, and an empty segment."""
    head = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(head)]) + head + b"\x18\x53\x80\x67\x80"


def box(name: bytes, *inside: bytes) -> bytes:
    """Return a box with its length and its name (ISO/IEC 14496-12)."""
    body = b"".join(inside)
    return struct.pack(">I4s", len(body) + 8, name) + body


def _movie_head(seconds: float, version: int) -> bytes:
    length = round(seconds * _SCALE)
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, _SCALE, length)
    rest = struct.pack(">IH10x", 0x10000, 0x100) + _MATRIX + struct.pack(">24xI", 2)
    return box(b"mvhd", bytes([version, 0, 0, 0]), times, rest)


def _track_head(width: int, height: int, seconds: float, version: int) -> bytes:
    length = round(seconds * _SCALE)
    times = struct.pack(">QQI4xQ" if version else ">III4xI", 0, 0, 1, length)
    sides = struct.pack(">II", width << 16, height << 16)
    return box(b"tkhd", bytes([version, 0, 0, 3]), times, bytes(16), _MATRIX, sides)


def _frames(seconds: float, fps: int, version: int) -> bytes:
    """Return how long each frame is, in two runs, as films have them whose last frame is longer."""
    length, count = round(seconds * _SCALE), round(seconds * fps)
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, _SCALE, length)
    head = box(b"mdhd", bytes([version, 0, 0, 0]), times, bytes(4))
    runs = struct.pack(">IIIIII", 0, 2, max(count - 1, 0), _SCALE // fps, 1, _SCALE // fps)
    return box(b"mdia", head, box(b"minf", box(b"stbl", box(b"stts", runs))))
