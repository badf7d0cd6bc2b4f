"""Has Pillow import all that it imports when it needs it, before no file can be opened any more.

Pillow and Python's codecs import parts of themselves in the middle of their work. Behind the limits
of the process that would fail as if the picture were damaged.
"""

import copy
import encodings.latin_1
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import io

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageColor,
    ImageFilter,
    ImagePalette,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    TiffTags,
    WebPImagePlugin,
)

from llm_api.pictures.child import drawing, reading, writing

_IMPORTED = (
    *(copy, encodings.latin_1, encodings.utf_16, encodings.utf_16_be, encodings.utf_16_le),
    *(BmpImagePlugin, GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin),
    *(WebPImagePlugin, TiffImagePlugin, TiffTags, ImageColor, ImageFilter, ImagePalette),
)
_DRAWING = {"width": 8, "height": 8, "background": "white", "output_format": "png"}
_TEXT = {"kind": "text", "place": [0, 0, 8, 8], "text": "a", "color": "black", "max_size": 8}


def rehearse() -> None:
    """Read a small picture of each format, write it in each, and draw."""
    for kind in reading.FORMATS:
        file = io.BytesIO()
        Image.new("RGB", (2, 2)).save(file, kind)
        body = file.getvalue()
        head = {"format": kind, "max_pixels": 100, "max_side": 1, "keeps_alpha": True}
        writing.prepared(reading.opened(head, body), head, body)
    for output_format in ("png", "jpeg", "webp"):
        writing.in_format(Image.new("RGBA", (2, 2)), output_format, None)
    drawing.drawn({**_DRAWING, "compression": None, "items": [_TEXT]})
    # Image.open would import all 40 formats for a picture that is of none of these.
    Image._initialized = 2  # noqa: SLF001  # there is no public name for it
