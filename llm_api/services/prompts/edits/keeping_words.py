"""Knows how "keep everything else unchanged" is said, in each language of keeping_words.toml."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class KeepingWords:
    """A sentence that keeps all that is not named, and how a text shows that it has one."""

    sentence: str
    says: re.Pattern[str]


def keeping_words(language: str) -> KeepingWords | None:
    """Return the words of a language, given by its canonical tag; None where it has none here."""
    return _table().get(language)


def says_what_stays(text: str, language: str) -> bool | None:
    """Whether a text in a language says that something stays; None where its words are unknown."""
    words = keeping_words(language)
    return None if words is None else bool(words.says.search(text.casefold()))


@functools.cache
def _table() -> Mapping[str, KeepingWords]:
    text = resources.files(__package__).joinpath("keeping_words.toml").read_text("utf-8")
    return {
        language: KeepingWords(row["sentence"], re.compile(row["says"]))
        for language, row in tomllib.loads(text).items()
    }
