"""Says what a rewrite verifiably added. A model's own word is never taken for it."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources


@cache
def _vocabulary() -> list[tuple[str, re.Pattern[str]]]:
    """Read the sentences and their evidence, once a process."""
    text = resources.files(__package__).joinpath("vocabulary.toml").read_text("utf-8")
    entries = tomllib.loads(text)["improvement"]
    return [(entry["sentence"], re.compile(entry["words"])) for entry in entries]


def improvements(original: str, rewrite: str) -> Sequence[str]:
    """Return the documented sentences that are true of the rewrite, in their fixed order."""
    before, after = original.lower(), rewrite.lower()
    return [sentence for sentence, words in _vocabulary() if _has_new(words, before, after)]


def _has_new(words: re.Pattern[str], before: str, after: str) -> bool:
    """Tell whether one of the words stands in the second text only."""
    known = {match.group() for match in words.finditer(before)}
    return any(match.group() not in known for match in words.finditer(after))
