"""The pictures of the benchmark: good ones as dear as can be, and hostile ones, all made here."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 36_000_000
SIDE = 6_000  # squared, it is what is accepted at most
_PNG = b"\x89PNG\r\n\x1a\n"
_SCAN, _END = b"\xff\xda", b"\xff\xd9"


def written(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    """Return the file of an image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph(megabytes: float) -> bytes:
    """Return a PNG of about so many megabytes that cannot be compressed."""
    side = int((megabytes * 1e6 / 3) ** 0.5)
    noise = [Image.effect_noise((side, side), 90) for _ in range(3)]
    return written(Image.merge("RGB", noise), "PNG", compress_level=1)


def good(side: int = SIDE) -> Iterator[tuple[str, bytes]]:
    """Yield pictures of as many pixels as are accepted, in each format."""
    smooth = _smooth(side)
    yield "PNG", written(smooth, "PNG", compress_level=1)
    yield "JPEG", written(smooth, "JPEG", quality=90)
    yield "progressive JPEG", written(smooth, "JPEG", quality=90, progressive=True)
    yield "WebP", written(smooth, "WEBP", quality=80, method=0)
    yield "GIF", written(smooth.convert("P"), "GIF")


def hostile(side: int = SIDE) -> Iterator[tuple[str, bytes]]:
    """Yield pictures that were made to be dear."""
    small = written(Image.new("RGB", (60, 40)), "PNG")
    yield "2^30 pixels in 180 kB of PNG", _bitmap(32_768)
    yield "36 million pixels in 11 kB of PNG", _bitmap(side)
    yield "36 million transparent pixels", written(Image.new("RGBA", (side, side)), "PNG")
    packed = written(Image.new("RGB", (side, side)), "WEBP", lossless=True, method=0)
    yield "36 million pixels in 34 bytes of WebP", packed
    yield "JPEG with 50 scans more", _scans(side, 50)
    yield "JPEG with 150 scans more", _scans(side, 150)
    yield "PNG of 800,000 chunks", small[:33] + _chunk(b"tEXt") * 800_000 + small[33:]
    texts = _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 1_000_000)) * 60
    yield "PNG with 60 MB of packed text", small[:33] + texts + small[33:]
    gif = written(Image.new("P", (60, 40)), "GIF")
    start = 13 + (3 << ((gif[10] & 7) + 1))
    comment = b"\x21\xfe" + (b"\xff" + b"a" * 255) * 30_000 + b"\0"
    yield "GIF with a comment of 8 MB", gif[:start] + comment + gif[start:]
    yield "JPEG that is cut off", written(_smooth(side), "JPEG")[:-9]
    yield "8 MB that are no picture", b"<" * 8_000_000


def _bitmap(side: int) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((side + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _PNG + header + _chunk(b"IDAT", pixels) + _chunk(b"IEND")


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _smooth(side: int) -> Image.Image:
    return Image.linear_gradient("L").resize((side, side)).convert("RGB")


def _scans(side: int, count: int) -> bytes:
    data = written(_smooth(side), "JPEG", progressive=True)
    last, end = data.rindex(_SCAN), data.rindex(_END)
    return data[:end] + data[last:end] * count + data[end:]
