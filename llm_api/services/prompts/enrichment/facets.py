"""The kinds of details that can be added to a prompt, with the phrases for each."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from llm_api.services.prompts.enrichment.scenes import Scenes

_FILES = ("facets.toml", "scenes.toml")
_DRAWN = "drawn"
_KINDS = ("image", "video")
# What needs no escape in the pattern by which a model is bound.
_ENGLISH = re.compile(r"[A-Za-z ,-]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to add, in English and Chinese."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Row:
    """Phrases for some scenes: any of `wanted`, any of `also`, and none of `excluded`."""

    wanted: frozenset[str]
    also: frozenset[str]
    excluded: frozenset[str]
    phrases: Sequence[Phrase]

    def suits(self, scenes: frozenset[str]) -> bool:
        """Whether it is meant for a prompt of these scenes."""
        return scenes.isdisjoint(self.excluded) and all(
            not names or not scenes.isdisjoint(names) for names in (self.wanted, self.also)
        )


@dataclass(frozen=True, slots=True)
class Facet:
    """A kind of detail that a prompt leaves open; `already` matches the words of one that has it.

    One of `phrases` is to be chosen.
    """

    name: str
    phrases: Sequence[Phrase]
    already: re.Pattern[str]

    @property
    def pattern(self) -> str:
        """A regular expression that matches any of the phrases."""
        return "(" + "|".join(phrase.en for phrase in self.phrases) + ")"


@dataclass(frozen=True, slots=True)
class FacetRows:
    """A kind of detail with all its rows; the first that suits a prompt counts."""

    name: str
    rows: Sequence[Row]
    already: re.Pattern[str]
    is_optical: bool

    def phrases_for(self, scenes: frozenset[str]) -> Sequence[Phrase]:
        """Return the phrases that fit a prompt of these scenes; none where nothing fits."""
        if self.is_optical and _DRAWN in scenes:
            return ()
        return next((row.phrases for row in self.rows if row.suits(scenes)), ())


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the phrases that suit it, by the names of their facets."""

    prompt: str
    chosen: Mapping[str, str]

    def chosen_of(self, names: frozenset[str]) -> Sequence[str]:
        """Return the phrases of these facets."""
        return [phrase for name, phrase in self.chosen.items() if name in names]


class Facets:
    """Everything in `facets.toml` and `scenes.toml`."""

    def __init__(self, text: str, scenes: str) -> None:
        """Read the texts of both files; raises ValueError where one breaks the rules it states."""
        table = tomllib.loads(text)
        self.scenes = Scenes(scenes, _phrases_of(table))
        self.version = hashlib.sha256((text + scenes).encode()).hexdigest()[:8]
        rows = [(row["kinds"], _facet(row, self.scenes.names)) for row in table["facet"]]
        self.of_kind = {kind: [facet for kinds, facet in rows if kind in kinds] for kind in _KINDS}
        self.examples = {
            kind: [
                Example(row["prompt"], row["chosen"])
                for row in table["example"]
                if row["kind"] == kind
            ]
            for kind in _KINDS
        }

    def open_for(self, kind: str, text: str, scenes: frozenset[str]) -> Sequence[Facet]:
        """Return the facets that a prompt leaves open, with the phrases that fit it.

        Args:
            kind: `image` or `video`.
            text: the prompt.
            scenes: what it shows (`enrichment.composition.scenes_of`).
        """
        return [
            Facet(facet.name, phrases, facet.already)
            for facet in self.of_kind[kind]
            if not facet.already.search(text) and (phrases := facet.phrases_for(scenes))
        ]

    def added(self, kind: str, original: str, rewrite: str) -> Sequence[str]:
        """Return the names of the facets for which a rewrite has words that its original lacks."""
        return [
            facet.name
            for facet in self.of_kind[kind]
            if _found(facet.already, rewrite) - _found(facet.already, original)
        ]


@cache
def all_facets() -> Facets:
    """Return the facets, read once per process."""
    folder = resources.files(__package__)
    return Facets(*(folder.joinpath(name).read_text("utf-8") for name in _FILES))


def _phrases_of(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield all phrases, in English and in Chinese."""
    for facet in table["facet"]:
        for row in facet["rows"]:
            for text in row["phrases"]:
                yield from map(str.strip, text.split("|"))


def _facet(table: Mapping[str, Any], known: frozenset[str]) -> FacetRows:
    already = re.compile(table["already"])
    rows = [_row(row, table["name"], known, already) for row in table["rows"]]
    return FacetRows(table["name"], rows, already, table.get("is_optical", False))


def _row(
    table: Mapping[str, Any], facet: str, known: frozenset[str], already: re.Pattern[str]
) -> Row:
    wanted, also, excluded = (
        frozenset(table.get(key, "").split()) for key in ("in", "also", "not_in")
    )
    if unknown := (wanted | also | excluded) - known:
        raise ValueError(f"facets.toml: {facet} names unknown scenes, {sorted(unknown)}.")
    phrases = [_phrase(text, facet, already) for text in table["phrases"]]
    return Row(wanted, also, excluded, phrases)


def _phrase(text: str, facet: str, already: re.Pattern[str]) -> Phrase:
    """Read "English | Chinese": both in signs that are safe, both naming what they are about."""
    english, _, chinese = map(str.strip, text.partition("|"))
    if not _ENGLISH.fullmatch(english) or not chinese or chinese.isascii():
        raise ValueError(f'facets.toml: {facet} wants "English | Chinese", not {text!r}.')
    if not already.search(english) or not already.search(chinese):
        raise ValueError(f"facets.toml: `already` of {facet} does not know {text!r}.")
    return Phrase(english, chinese)


def _found(words: re.Pattern[str], text: str) -> set[str]:
    return {match.group().casefold() for match in words.finditer(text)}
