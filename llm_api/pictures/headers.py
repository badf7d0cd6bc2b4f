"""Reads what a picture file says of itself, by its bytes alone: no pixel is decoded.

Written from the formats' specifications: PNG (W3C, third edition, section 11), JPEG (ITU-T T.81,
annex B), WebP (RFC 9649), GIF89a, and BMP's DIB headers. All loops are bounded, since the bytes may
be hostile and this runs on the worker's only thread; what goes beyond the bounds is no picture that
any program has written.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping

from llm_api.pictures.facts import PictureError, PictureFacts
from llm_api.runtime.turns import LARGE_WORK

READABLE = "JPEG, PNG, WebP, GIF or BMP"
# Libraries write chunks of 8 KiB or more: this is enough for 150 MB.
_MAX_PNG_CHUNKS = 20_000
_MAX_JPEG_SEGMENTS = 2_000
_MAX_GIF_BLOCKS = 4_000  # before the first frame; comments and color profiles stand there
_MAX_WEBP_CHUNKS = 2_000
# A progressive JPEG has about ten scans. Each costs a pass over all pixels, however few bytes it
# has: thousands of empty ones fit into a small file.
MAX_JPEG_SCANS = 64
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END = 0xDA, 0xD9
_SCANNED_AT_ONCE = 524_288  # takes a fifth of a millisecond, and then others have a turn
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_GIF_FRAME = re.compile(rb"\x00\x21\xf9\x04.{4}\x00[\x2c\x21]", re.DOTALL)
_OTHERS = (
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), "a TIFF picture"),
    (re.compile(rb".{4}ftyp(?:heic|heix|heim|heis|hevc|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "an AVIF picture"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\x1aE\xdf\xa3|FLV|RIFF.{4}AVI ", re.DOTALL), "a video"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (re.compile(rb"\0\0[\x01\x02]\0"), "an icon"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<svg\b", re.DOTALL), "an SVG drawing"),
)
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)


class _Cut(Exception):
    """The bytes end before what they announce."""


def read_facts(data: bytes) -> PictureFacts:
    """Return what a picture file says of itself.

    The size is that of the stored pixels: a photograph may have to be turned by its metadata.

    Raises:
        PictureError: `not_a_picture`, `unsupported_format`, or `cut_off`.
    """
    for opening, name, read in _FORMATS:
        if opening.match(data):
            return _checked(data, name, read)
    raise _unknown(data)


def _checked(data: bytes, name: str, read: Callable[[bytes], PictureFacts]) -> PictureFacts:
    try:
        facts = read(data)
    except (_Cut, struct.error, IndexError):
        problem = f"is cut off: the {name} file ends too early. Send the whole file."
        raise PictureError("", problem, defect="cut_off") from None
    if not facts.width or not facts.height:
        raise _damaged(name)
    return facts


def _damaged(name: str) -> PictureError:
    problem = f"is a damaged {name} file. Save the picture anew."
    return PictureError("", problem, defect="not_a_picture")


def _unknown(data: bytes) -> PictureError:
    if not data:
        return PictureError("", "is empty. Send a picture.", defect="not_a_picture")
    start = data[:1024]
    for opening, name in _OTHERS:
        if opening.match(start):
            problem = f"is {name}, which cannot be read. Send {READABLE}."
            return PictureError("", problem, defect="unsupported_format")
    what = "a web page, not a picture" if _PAGE.match(start) else "not a picture"
    return PictureError("", f"is {what}. Send {READABLE}.", defect="not_a_picture")


def _png(data: bytes) -> PictureFacts:
    if data[12:16] != b"IHDR":
        raise _damaged("PNG")
    width, height = struct.unpack_from(">II", data, 16)
    has_alpha, frames = data[25] in {4, 6}, 1
    for kind, at in _png_chunks(data):
        if kind == b"tRNS":
            has_alpha = True
        elif kind == b"acTL":
            frames = min(struct.unpack_from(">I", data, at)[0], 1_000_000) or 1
    return PictureFacts("image/png", width, height, has_alpha, frames)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the types of the chunks, and where their contents begin; raises _Cut without an end."""
    at = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PNG_CHUNKS):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind == b"IEND":
            return
        yield kind, at + 8
        at += length + 12
    raise _damaged("PNG")


def _jpeg(data: bytes) -> PictureFacts:
    width = height = scans = 0
    for marker, at in _jpeg_segments(data):
        if marker in _FRAME_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 3)
        scans += marker == _SCAN
    if scans > MAX_JPEG_SCANS:
        problem = "is a progressive JPEG with too many scans. Save it anew as a plain JPEG."
        raise PictureError("", problem, defect="too_costly")
    return PictureFacts("image/jpeg", width, height)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers up to the end of the picture, and where their segments begin.

    Behind the end there may be another picture, or a short film of the moment. Raises _Cut where
    the picture has no end.
    """
    at = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        if data[at] != 0xFF:
            raise _damaged("JPEG")
        marker = data[at + 1]
        if marker == _END:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        yield marker, at + 2
        at += 2 + max(struct.unpack_from(">H", data, at + 2)[0], 2)
        if marker == _SCAN:
            at = _scan_end(data, at)
    raise _damaged("JPEG")


def _scan_end(data: bytes, at: int) -> int:
    """Return where the pixels of a scan end: at a marker that is none within them."""
    for start in range(at, len(data), _SCANNED_AT_ONCE):
        if start > at:
            LARGE_WORK.wait()
        marker = _MARKER.search(data, start, start + _SCANNED_AT_ONCE + 1)
        if marker is not None:
            return marker.start()
    raise _Cut


def _webp(data: bytes) -> PictureFacts:
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    if riff_bytes + 8 > len(data):
        raise _Cut
    kind = data[12:16]
    if kind == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise _damaged("WebP")
        width, height = struct.unpack_from("<HH", data, 26)
        return PictureFacts("image/webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        if data[20] != 0x2F:
            raise _damaged("WebP")
        (bits,) = struct.unpack_from("<I", data, 21)
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return PictureFacts("image/webp", *size, has_alpha=bool(bits >> 28 & 1))
    if kind != b"VP8X":
        raise _damaged("WebP")
    width = 1 + int.from_bytes(data[24:27], "little")
    height = 1 + int.from_bytes(data[27:30], "little")
    frames = _webp_frames(data, min(riff_bytes + 8, len(data))) if data[20] & 0x02 else 1
    return PictureFacts("image/webp", width, height, bool(data[20] & 0x10), frames)


def _webp_frames(data: bytes, end: int) -> int:
    at, frames = 12, 0
    for _ in range(_MAX_WEBP_CHUNKS):
        if at + 8 > end:
            break
        frames += data[at : at + 4] == b"ANMF"
        (length,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + length + length % 2
    return max(frames, 1)


def _gif(data: bytes) -> PictureFacts:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    has_alpha = False
    for _ in range(_MAX_GIF_BLOCKS):
        if data[at] == 0x2C:
            frames = len(_GIF_FRAME.findall(data, at))
            # A first frame may be larger than the screen that it is shown on.
            left, top, own_width, own_height = struct.unpack_from("<HHHH", data, at + 1)
            size = max(width, left + own_width), max(height, top + own_height)
            return PictureFacts("image/gif", *size, has_alpha, frames + 1)
        if data[at] != 0x21:
            raise _damaged("GIF")
        if data[at + 1] == 0xF9:
            has_alpha = bool(data[at + 3] & 1)
        at = _past_blocks(data, at + 2)
    raise _damaged("GIF")


def _past_blocks(data: bytes, at: int) -> int:
    """Return where a GIF's list of blocks ends."""
    for _ in range(_MAX_GIF_BLOCKS):
        length = data[at]
        at += 1 + length
        if not length:
            return at
    raise _damaged("GIF")


def _bmp(data: bytes) -> PictureFacts:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return PictureFacts("image/bmp", width, height)
    if not 40 <= header_bytes <= 124:
        raise _unknown(b"?")
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression not in {0, 3, 6}:
        problem = "is a compressed BMP picture, which cannot be read. Send PNG or JPEG."
        raise PictureError("", problem, defect="unsupported_format")
    if len(data) < abs(height) * (abs(width) * bits // 8):
        raise _Cut
    # Most programs leave the fourth byte of a pixel out of account; so does Pillow.
    return PictureFacts("image/bmp", abs(width), abs(height))


_FORMATS: tuple[tuple[re.Pattern[bytes], str, Callable[[bytes], PictureFacts]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG", _jpeg),
    (re.compile(re.escape(_PNG_SIGNATURE)), "PNG", _png),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "WebP", _webp),
    (re.compile(rb"GIF8[79]a"), "GIF", _gif),
    (re.compile(rb"BM.{12}[\x0c-\x7c]\0\0\0", re.DOTALL), "BMP", _bmp),
)
FORMAT_NAMES: Mapping[str, str] = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
}
