"""Draws shapes and texts: what a drawing says as JSON becomes a picture.

A drawing has `width`, `height`, `background` (a color, or None for transparent), `output_format`,
`compression`, and `items`, drawn in their order:

* `{"kind": "box" | "ellipse", "place": [left, top, right, bottom], "fill": color | None,
  "outline": color | None, "line": pixels}`;
* `{"kind": "text", "place": […], "text": …, "color": …}`: in one line, in the middle of its place,
  as large as fits, and no larger than `max_size` pixels.

The right and bottom edges of a place are outside of it. The only font has the letters of English;
others would be drawn as empty boxes, and must not be asked for.
"""

import functools
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from llm_api.pictures.child.writing import in_format

_MIN_TEXT_SIZE = 6
_TRIAL_SIZE = 64


def drawn(head: Mapping[str, Any]) -> bytes:
    """Return the file of a drawing."""
    background = head["background"]
    mode = "RGBA" if background is None else "RGB"
    image = Image.new(mode, (head["width"], head["height"]), background or 0)
    canvas = ImageDraw.Draw(image)
    for item in head["items"]:
        left, top, right, bottom = item["place"]
        if item["kind"] == "text":
            _write(canvas, item)
            continue
        shape = canvas.ellipse if item["kind"] == "ellipse" else canvas.rectangle
        edges = (left, top, max(right - 1, left), max(bottom - 1, top))
        shape(edges, item["fill"], item["outline"], item["line"])
    return in_format(image, head["output_format"], head["compression"])


def _write(canvas: ImageDraw.ImageDraw, item: Mapping[str, Any]) -> None:
    left, top, right, bottom = item["place"]
    font = _fitting(item["text"], right - left, bottom - top, item["max_size"])
    middle = ((left + right) / 2, (top + bottom) / 2)
    canvas.text(middle, item["text"], fill=item["color"], font=font, anchor="mm")


def _fitting(text: str, width: int, height: int, max_size: int) -> ImageFont.FreeTypeFont:
    """Return the font in the largest size in which a text fits."""
    wide, high = _extent(text)
    size = int(min(width * _TRIAL_SIZE / wide, height * _TRIAL_SIZE / high, max_size))
    return _font(max(size, _MIN_TEXT_SIZE))


def _extent(text: str) -> tuple[float, float]:
    """Return how wide a text is at the trial size, and how high a line is."""
    font = _font(_TRIAL_SIZE)
    ascent, descent = font.getmetrics()
    return max(font.getlength(text), 1.0), ascent + descent


@functools.lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType.")
    return font
