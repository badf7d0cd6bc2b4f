"""Changes good rewrites in ways that lose nothing: a checker that finds fault there cries wolf."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.prompts.mutations import (
    CHINESE_NUMBERS,
    ENGLISH_NUMBERS,
    MEASURES,
    Good,
    without,
)

_SENTENCE = re.compile(r"[^.!?。！？]+(?:[.!?]+[\"'”’]*(?=\s|\Z)|[。！？]+[”’」》]*|\Z)|[.!?]+")
_MARKS = "\"'“‘「《", "\"'”’」》"


@dataclass(frozen=True)
class Variant:
    """A rewrite that is as good as the one it was made of, and what was done to it."""

    kind: str
    text: str


def variants(good: Good) -> Iterator[Variant]:
    """Yield every harmless variant of a rewrite; those that change nothing are left out."""
    for kind, change in CHANGES.items():
        for text in change(good):
            if text != good.rewrite:
                yield Variant(kind, text)


def in_other_marks(good: Good) -> Iterator[str]:
    """Put quoted texts in other quotation marks."""
    for quote in good.constraints.quotes:
        marked = rf"[{_MARKS[0]}]{re.escape(quote)}[{_MARKS[1]}]"
        for left, right in ("“”", "「」"):
            yield re.sub(marked, f"{left}{quote}{right}".replace("\\", r"\\"), good.rewrite)


def in_digits(good: Good) -> Iterator[str]:
    """Write a number in digits."""
    for count in good.constraints.counts:
        if 1 < count.value < len(ENGLISH_NUMBERS):
            english = without(good.rewrite, [ENGLISH_NUMBERS[count.value]], str(count.value))
            word = CHINESE_NUMBERS[count.value] if count.value != 2 else "两"
            words = f"(?<![一二三四五六七八九十]){word}(?=[{MEASURES}])"
            yield good.pick(english, re.sub(words, str(count.value), good.rewrite))


def in_another_order(good: Good) -> Iterator[str]:
    """Move the last sentence to the front."""
    parts = [part.strip() for part in _SENTENCE.findall(good.rewrite) if part.strip()]
    if len(parts) > 1:
        yield good.pick(" ", "").join([parts[-1], *parts[:-1]])


def with_more(english: str, chinese: str) -> Callable[[Good], Iterator[str]]:
    """Return a change that puts a sentence behind the others."""
    return lambda good: iter([good.rewrite + good.pick(f" {english}", chinese)])


CHANGES: Mapping[str, Callable[[Good], Iterator[str]]] = {
    "other quotation marks": in_other_marks,
    "numbers in digits": in_digits,
    "sentences in another order": in_another_order,
    "light added": with_more("Soft light falls from the side.", "柔和的光线从侧面洒下。"),
    "surface added": with_more("Every surface has a fine grain.", "所有表面都带有细腻的纹理。"),
    "viewers spoken of": with_more(
        "The scene invites the viewer to linger.", "整个场景引人久久驻足。"
    ),
    "likeness added": with_more(
        "Far away stands a small statue of a lion.", "远处立着一尊小小的石狮雕像。"
    ),
}
