"""Sizes that a model makes: whether it makes one, and which come nearest to another."""

import math
import re
from collections.abc import Iterable, Iterator

from llm_api.domain.making import Size
from llm_api.upstream.media.image_profiles import ImageModel, SizeRule

_NEAR = 0.03  # ratios that differ by less look the same
_ALIKE = 0.06  # ratios that may have the same name: vendors call 1664x928 and 2848x1600 16:9
_AROUND = 4  # multiples on each side that are looked at first
_K = 1024
_RATIO = re.compile(r"(\d{1,3}(?:\.\d{1,3})?):(\d{1,3}(?:\.\d{1,3})?)")
_NAMED_RATIOS = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21")


def is_made(rule: SizeRule, size: Size) -> bool:
    """Whether a model makes a size."""
    if rule.listed or size in rule.also:
        return size in (*rule.listed, *rule.also)
    longer, shorter = max(size.width, size.height), min(size.width, size.height)
    return (
        size.width % rule.multiple == 0
        and size.height % rule.multiple == 0
        and rule.min_side <= shorter
        and longer <= rule.max_side
        and rule.min_pixels <= size.pixels <= rule.max_pixels
        and longer <= shorter * rule.max_ratio
    )


def nearest(rule: SizeRule, asked: Size) -> Size:
    """Return the size that a model makes which comes nearest to another.

    That is the same ratio, and the smallest area that is no smaller; else the next best.
    """
    if is_made(rule, asked):
        return asked
    return min(_candidates(rule, asked), key=lambda size: _distance(size, asked))


def proposals(rule: SizeRule, asked: Size) -> list[Size]:
    """Return up to three sizes to propose instead of one that is not made, the best first."""
    if rule.listed:
        return sorted(rule.listed, key=lambda size: _distance(size, asked))[:3]
    best = nearest(rule, asked)
    below = [size for size in _candidates(rule, asked) if size.pixels <= asked.pixels]
    below.sort(key=lambda size: (round(_apart(size, asked), 2), -size.pixels))
    return list(dict.fromkeys([best, *below[:1]]))


def ratio_of(text: str) -> float | None:
    """Return `16:9` as a number; None for what is no ratio."""
    found = _RATIO.fullmatch(text)
    if found is None or not float(found[1]) or not float(found[2]):
        return None
    return float(found[1]) / float(found[2])


def looks_like(size: Size, ratio: float) -> bool:
    """Whether a size has about a ratio."""
    return _ratios_apart(size.width / size.height, ratio) < _ALIKE


def with_ratio(size: Size, ratio: float) -> Size:
    """Return a size with another's area and a given ratio, whoever makes it."""
    side = math.sqrt(size.pixels)
    return Size(round(side * math.sqrt(ratio)), round(side / math.sqrt(ratio)))


def nearest_ratio(size: Size) -> str:
    """Return the usual aspect ratio that a picture comes nearest to."""
    ratio = size.width / size.height
    return min(_NAMED_RATIOS, key=lambda name: abs(math.log(ratio / (ratio_of(name) or 1))))


def size_of(model: ImageModel, resolution: str, ratio: str) -> Size | None:
    """Return the size for a resolution and an aspect ratio; None where the model has none."""
    table = model.resolutions.get(resolution)
    if table is None:
        return None
    if ratio in table:
        return table[ratio]
    width, _, height = ratio.partition(":")
    if (turned := table.get(f"{height}:{width}")) is not None:
        return Size(turned.height, turned.width)
    number = ratio_of(ratio)
    return None if number is None or model.size.listed else computed(model.size, resolution, number)


def computed(rule: SizeRule, resolution: str, ratio: float) -> Size:
    """Return the size of a ratio with the area of a square of 1024 pixels a side for `1K`."""
    side = float(resolution.removesuffix("K")) * _K
    return nearest(rule, with_ratio(Size(round(side), round(side)), ratio))


def listed_for(rule: SizeRule, ratio: float) -> Size | None:
    """Return the first size of a list that looks like a ratio; None where there is none."""
    return next((size for size in rule.listed if looks_like(size, ratio)), None)


def _ratios_apart(one: float, other: float) -> float:
    return abs(math.log(one / other))


def _apart(size: Size, asked: Size) -> float:
    return _ratios_apart(size.width / size.height, asked.width / asked.height)


def _distance(size: Size, asked: Size) -> tuple[float, bool, float, float]:
    """Order sizes: by ratio unless it looks the same, those that are no smaller, by area."""
    apart = _apart(size, asked)
    area = abs(math.log(size.pixels / asked.pixels))
    return 0.0 if apart < _NEAR else apart, size.pixels < asked.pixels, area, apart


def _candidates(rule: SizeRule, asked: Size) -> list[Size]:
    """Return sizes that are made and not far from another, at least one."""
    if rule.listed:
        return list(rule.listed)
    target_width, ratio = _target(rule, asked)
    middle = round(target_width / rule.multiple)
    found = _made(rule, range(max(1, middle - _AROUND), middle + _AROUND + 1), ratio)
    if not found:
        # Where the limits leave hardly anything, everything is looked at.
        highest = rule.max_side // rule.multiple
        found = _made(rule, range(1, highest + 1), ratio) or _made_at_all(rule, highest)
    return [*found, *rule.also]


def _target(rule: SizeRule, asked: Size) -> tuple[float, float]:
    """Return the width and the ratio that come nearest within the limits, as if not rounded."""
    ratio = asked.width / asked.height
    widest = min(
        rule.max_ratio,
        rule.max_side / rule.min_side,
        rule.max_side**2 / rule.min_pixels,
        rule.max_pixels / rule.min_side**2,
    )
    ratio = min(max(ratio, 1 / widest), widest)
    long = max(ratio, 1 / ratio)
    least = max(rule.min_pixels, rule.min_side**2 * long)
    most = min(rule.max_pixels, rule.max_side**2 / long)
    area = min(max(asked.pixels, least), most)
    return math.sqrt(area * ratio), ratio


def _made(rule: SizeRule, columns: Iterable[int], ratio: float) -> list[Size]:
    """Return the sizes of about a ratio that are made, of widths of so many multiples."""
    return [size for size in _rounded(rule.multiple, columns, ratio) if is_made(rule, size)]


def _rounded(multiple: int, columns: Iterable[int], ratio: float) -> Iterator[Size]:
    for column in columns:
        row = round(column / ratio)
        for near in (row - 1, row, row + 1):
            if near > 0:
                yield Size(column * multiple, near * multiple)


def _made_at_all(rule: SizeRule, highest: int) -> list[Size]:
    """Return the squares and near squares that are made, or the default."""
    squares = _made(rule, range(1, highest + 1), 1.0)
    return squares or [rule.default or Size(_K, _K)]
