"""Pictures for tests: real ones, wrong ones and hostile ones."""

import io
import struct
import zlib
from functools import cache

from PIL import Image, ImageDraw, ImageFont

_PNG = b"\x89PNG\r\n\x1a\n"
_ROWS_AT_ONCE = 256


@cache
def picture(
    kind: str = "PNG", size: tuple[int, int] = (64, 64), *, shade: int = 0, mode: str = "RGB"
) -> bytes:
    """Return the bytes of a picture of one color, which `shade` (0 to 16,777,215) chooses."""
    color = tuple(shade.to_bytes(3, "big"))
    filled = Image.new(mode, size, (*color, 128) if mode == "RGBA" else color)
    written = io.BytesIO()
    filled.save(written, kind)
    return written.getvalue()


def noise(size: tuple[int, int], kind: str = "PNG") -> bytes:
    """Return a picture that cannot be compressed: a PNG has about three bytes a pixel."""
    written = io.BytesIO()
    Image.effect_noise(size, 100).convert("RGB").save(written, kind)
    return written.getvalue()


def sign_that_says(words: str) -> bytes:
    """Return a picture with a text."""
    image = Image.new("RGB", (640, 320), "white")
    font = ImageFont.load_default(size=110)
    ImageDraw.Draw(image).text((40, 90), words, fill="black", font=font)
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def shade_of(data: bytes) -> int:
    """Return what `picture` was given for `shade`, of a format without loss."""
    with Image.open(io.BytesIO(data)) as opened:
        pixel = opened.convert("RGB").getpixel((0, 0))
    return int.from_bytes(bytes(pixel), "big")  # type: ignore[arg-type]  # RGB: three numbers


def huge_png(side: int = 32_768) -> bytes:
    """Return a small PNG of 2^30 black and white pixels (at 32,768): a bomb for whoever decodes."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = (b"\0" * (1 + side // 8)) * _ROWS_AT_ONCE
    packed = b"".join(packer.compress(rows) for _ in range(side // _ROWS_AT_ONCE))
    return (
        _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed + packer.flush()) + _chunk(b"IEND")
    )


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
