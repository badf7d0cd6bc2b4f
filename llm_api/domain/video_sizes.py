"""Sizes of films, by their resolutions and aspect ratios."""

import math
from collections.abc import Iterable

from llm_api.domain.making import Size
from llm_api.domain.videos import AUTO_RATIO

# The shorter side of 16:9, in pixels.
_LINES = {"480p": 480, "720p": 720, "1080p": 1_080, "4k": 2_160}
_MULTIPLE = 16
_WIDE = 16 / 9


def shape_of(ratio: str) -> float:
    """Return the width of an aspect ratio, such as `16:9`, by its height."""
    wide, _, high = ratio.partition(":")
    return int(wide) / int(high)


def nearest_ratio(shape: float, ratios: Iterable[str]) -> str:
    """Return the aspect ratio that is nearest to a width by a height: 2 is as far from 1 as 1/2."""
    return min(ratios, key=lambda one: abs(math.log(shape_of(one) / shape)))


def usual_size(resolution: str, ratio: str) -> Size:
    """Return the size that a resolution has in an aspect ratio: the area of its 16:9.

    A ratio that the model is to choose counts as 16:9.
    """
    lines = _LINES[resolution]
    shape = _WIDE if ratio == AUTO_RATIO else shape_of(ratio)
    if shape == _WIDE:
        return Size(round(lines * _WIDE), lines)
    height = math.sqrt(lines * lines * _WIDE / shape)
    return Size(_whole(height * shape), _whole(height))


def _whole(side: float) -> int:
    return round(side / _MULTIPLE) * _MULTIPLE
