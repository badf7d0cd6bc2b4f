"""Pictures for the tests of pictures: made with Pillow, and damaged by edits of their bytes."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageCms

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE = (60, 40)


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file of an image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """Open a file, with its pixels loaded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def corners(size: tuple[int, int] = SIZE, mode: str = "RGB") -> Image.Image:
    """Return an image whose upper left quarter is red, its upper right green, the rest blue."""
    image = Image.new("RGB", size, (0, 0, 255))
    width, height = size
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    return image.convert(mode)


def with_hole(size: tuple[int, int] = SIZE) -> Image.Image:
    """Return the image of `corners`, its lower half transparent."""
    image = corners(size, "RGBA")
    alpha = Image.new("L", size, 255)
    alpha.paste(0, (0, size[1] // 2, size[0], size[1]))
    image.putalpha(alpha)
    return image


def noise(size: tuple[int, int]) -> Image.Image:
    """Return an image that cannot be compressed."""
    return Image.merge("RGB", [Image.effect_noise(size, 90) for _ in range(3)])


def frames(count: int = 3) -> list[Image.Image]:
    """Return images that differ: red, then green, then blue."""
    colors = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    return [Image.new("RGB", SIZE, colors[index % 3]) for index in range(count)]


def animated(kind: str) -> bytes:
    """Return an animation of three frames, the first of which is red."""
    first, *others = frames()
    return written(first, kind, save_all=True, append_images=others, duration=100)


def turned(orientation: object) -> bytes:
    """Return a JPEG whose metadata say that it must be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(corners(), "JPEG", quality=95, exif=exif)


def wide_profile() -> bytes:
    """Return a color profile whose colors are others than sRGB's: Lab, as no camera has it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def bitmap_png(width: int, height: int) -> bytes:
    """Return a small PNG of any size: all white, one bit a pixel."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return PNG_SIGNATURE + header + chunk(b"IDAT", packed) + chunk(b"IEND")


def scans(count: int) -> bytes:
    """Return a progressive JPEG with some scans more: its last one, repeated."""
    data = written(corners(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


def every_format() -> Iterator[tuple[str, bytes]]:
    """Yield the media types that can be read, each with a picture."""
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        yield f"image/{kind.lower()}", written(corners(), kind)
