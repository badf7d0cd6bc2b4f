"""Says what a rewrite verifiably added. A model's own word is never taken for it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple


class _Evidence(NamedTuple):
    """The words that show an improvement: those of ASCII, and all."""

    in_ascii: re.Pattern[str]
    any: re.Pattern[str]

    def found_in(self, text: str) -> Iterator[str]:
        """Yield the words that stand in a text."""
        words = self.in_ascii if text.isascii() else self.any
        return map(re.Match.group, words.finditer(text))


@cache
def _vocabulary() -> list[tuple[str, _Evidence]]:
    """Read the sentences and their evidence, once a process."""
    text = resources.files(__package__).joinpath("improvements.toml").read_text("utf-8")
    entries = tomllib.loads(text)["improvement"]
    return [
        (
            entry["sentence"],
            _Evidence(re.compile(entry["en"]), re.compile("{en}|{zh}".format(**entry))),
        )
        for entry in entries
    ]


def improvements(original: str, rewrite: str) -> Sequence[str]:
    """Return the documented sentences that are true of the rewrite, in their fixed order."""
    before, after = original.lower(), rewrite.lower()
    return [sentence for sentence, words in _vocabulary() if _has_new(words, before, after)]


def _has_new(words: _Evidence, before: str, after: str) -> bool:
    """Tell whether one of the words stands in the second text only."""
    known = set(words.found_in(before))
    return any(word not in known for word in words.found_in(after))
