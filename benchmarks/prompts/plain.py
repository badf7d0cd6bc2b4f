"""The plain string checks with which the published rewriters were measured, for comparison.

They look for words, without synonyms: a rewrite that says "smartphone" has lost its "cell phone".
The service's own checks know better; where both rules are the same, so must be the figures.
"""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.prompts.rows import Row

_HAN = re.compile(r"[\u4e00-\u9fff]")
_CAMERA = re.compile(
    r"\b(camera|shots?|close-?ups?|(?:pan|tilt|zoom|track|orbit)(?:s|ned|ning|ing|ming)?|panning"
    r"|zooms?|zooming|angle|aerial|view|perspective|footage|wide-angle"
    r"|bird's[- ]eye|slow motion|time[- ]lapse)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(person|people|man|men|woman|women|boys?|girls?|child|children|kids?|figures?|individuals?"
    r"|couples?|famil(?:y|ies)|crowds?|pedestrians?|astronauts?|he|she|lady|gentleman|someone)\b",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\A\s*(sure|certainly|here (is|are)|as an ai|i'm sorry)|\*\*|```|^#", re.IGNORECASE
)
_STYLE_WORDS = {
    "Van Gogh style": ("van gogh",),
    "black and white": ("black and white",),
    "by Hokusai, in the style of Ukiyo": ("hokusai", "ukiyo"),
    "in cyberpunk style": ("cyberpunk",),
    "surrealism style": ("surreal",),
    "watercolor painting": ("watercolor",),
    "animated style": ("animat",),
}
_BETWEEN = re.compile(r" and (?:an? )?")


@dataclass(frozen=True)
class PlainFigure:
    """A check's share of rows in percent, of how many, and the published one for the full set."""

    name: str
    rows: int
    share: float
    published: float | None


def plain_figures(rows: Sequence[Row], rewriter: str) -> list[PlainFigure]:
    """Return the plain checks of a published rewriter on the rows that have its rewrites."""
    pairs = [(row, row.rewrites[rewriter]) for row in rows if rewriter in row.rewrites]
    figures = []
    for name, (applies, holds) in CHECKS.items():
        held = [holds(row, text) for row, text in pairs if applies(row)]
        if held:
            share = 100 * statistics.mean(held)
            figures.append(
                PlainFigure(name, len(held), share, PUBLISHED.get(rewriter, {}).get(name))
            )
    return figures


def _names(row: Row) -> Sequence[str]:
    if "object_a" in row.expect:
        return [str(row.expect["object_a"]), str(row.expect["object_b"])]
    return _BETWEEN.split(str(row.expect.get("object", "")))


def _has(text: str, words: str) -> bool:
    """Whether a text has some words, with an ending or in the singular as may be."""
    low = text.lower()
    return words.lower() in low or words.lower().removesuffix("s") in low


def _has_all(row: Row, text: str) -> bool:
    return all(_has(text, name) for name in _names(row))


def _has_relation(row: Row, text: str) -> bool:
    words = str(row.expect["relationship"])
    side = next((name for name in ("left", "right") if name in words), None)
    if side:
        return side in text.lower() and _has_all(row, text)
    near = r"\b(on|top|atop|above|over|bottom|below|under|beneath|underneath|base|lower|upper)\b"
    return bool(re.search(near, text, re.IGNORECASE)) and _has_all(row, text)


def _has_style(row: Row, text: str) -> bool:
    style = str(row.expect["style"])
    return any(word in text.lower() for word in _STYLE_WORDS.get(style, (style.lower(),)))


def _always(_row: Row) -> bool:
    return True


_Check = tuple[Callable[[Row], bool], Callable[[Row, str], bool]]
CHECKS: Mapping[str, _Check] = {
    "in 80-150 words": (_always, lambda _row, text: 80 <= len(text.split()) <= 150),
    "no Chinese in English": (_always, lambda _row, text: not _HAN.search(text)),
    "camera or shot term": (_always, lambda _row, text: bool(_CAMERA.search(text))),
    "no person added": (
        lambda row: not _PERSON.search(row.prompt),
        lambda _row, text: not _PERSON.search(text),
    ),
    "color kept": (
        lambda row: "color" in row.expect,
        lambda row, text: _has(text, str(row.expect["color"])),
    ),
    "both objects kept": (lambda row: " and " in str(row.expect.get("object", "")), _has_all),
    "relation and both objects": (lambda row: "relationship" in row.expect, _has_relation),
    "style name kept": (lambda row: "style" in row.expect, _has_style),
    "no preamble or markup": (_always, lambda _row, text: not _PREAMBLE.search(text)),
}
# Measured on all 946 prompts of VBench; the rows of a part differ from them by what they hold.
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "gpt-4o+cogvideox": {
        "in 80-150 words": 99.5,
        "no Chinese in English": 100.0,
        "camera or shot term": 54.8,
        "no person added": 87.1,
        "color kept": 100.0,
        "both objects kept": 84.1,
        "relation and both objects": 92.9,
        "style name kept": 84.8,
        "no preamble or markup": 100.0,
    },
    "qwen2.5-3b+wan2.1": {
        "in 80-150 words": 77.1,
        "no Chinese in English": 98.7,
        "camera or shot term": 95.6,
        "no person added": 61.0,
        "color kept": 100.0,
        "both objects kept": 90.2,
        "relation and both objects": 86.9,
        "style name kept": 96.7,
        "no preamble or markup": 100.0,
    },
}
