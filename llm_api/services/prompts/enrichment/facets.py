"""The kinds of details that can be added to a prompt, with the phrases for each."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

_DRAWN = "drawn"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to add, in English and Chinese; excluded from some scenes, or for some scenes only."""

    en: str
    zh: str
    not_in: frozenset[str]
    only_in: frozenset[str]

    def fits(self, scenes: frozenset[str]) -> bool:
        """Whether it suits a prompt of these scenes."""
        return scenes.isdisjoint(self.not_in) and (
            not self.only_in or not scenes.isdisjoint(self.only_in)
        )


@dataclass(frozen=True, slots=True)
class Facet:
    """A kind of detail; `already` matches the words of a prompt that has it."""

    name: str
    phrases: Sequence[Phrase]
    already: re.Pattern[str]
    is_optical: bool

    @property
    def pattern(self) -> str:
        """A regular expression that matches any of the phrases."""
        return "(" + "|".join(phrase.en for phrase in self.phrases) + ")"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the phrases that suit it, by the names of their facets."""

    prompt: str
    chosen: Mapping[str, str]

    def chosen_of(self, names: frozenset[str]) -> Sequence[str]:
        """Return the phrases of these facets."""
        return [phrase for name, phrase in self.chosen.items() if name in names]


class Facets:
    """Everything in `facets.toml`."""

    def __init__(self) -> None:
        """Read the file."""
        text = resources.files(__package__).joinpath("facets.toml").read_text("utf-8")
        table = tomllib.loads(text)
        kinds = ("image", "video")
        self.version = hashlib.sha256(text.encode()).hexdigest()[:8]
        self._scenes = {name: re.compile(words) for name, words in table["scenes"].items()}
        self._facets = {kind: [_facet(row) for row in table[kind]] for kind in kinds}
        self.examples = {
            kind: [self._example(kind, row) for row in table[f"{kind}_example"]] for kind in kinds
        }

    def _example(self, kind: str, table: Mapping[str, Any]) -> Example:
        names = [facet.name for facet in self._facets[kind]]
        return Example(table["prompt"], dict(zip(names, table["chosen"], strict=True)))

    def open_for(self, kind: str, text: str, known: frozenset[str]) -> Sequence[Facet]:
        """Return the facets that a prompt leaves open, with the phrases that fit it.

        Args:
            kind: `image` or `video`.
            text: the prompt.
            known: scenes that it has besides those found by its words.
        """
        found = (name for name, words in self._scenes.items() if words.search(text))
        scenes = known.union(found)
        fitting = [
            replace(facet, phrases=[phrase for phrase in facet.phrases if phrase.fits(scenes)])
            for facet in self._facets[kind]
            if not facet.already.search(text) and not (facet.is_optical and _DRAWN in scenes)
        ]
        return [facet for facet in fitting if facet.phrases]

    def added(self, kind: str, original: str, rewrite: str) -> Sequence[str]:
        """Return the names of the facets for which a rewrite has words that its original lacks."""
        return [
            facet.name
            for facet in self._facets[kind]
            if _found(facet.already, rewrite) - _found(facet.already, original)
        ]


@cache
def all_facets() -> Facets:
    """Return the facets, read once per process."""
    return Facets()


def _facet(table: Mapping[str, Any]) -> Facet:
    phrases = [
        Phrase(
            phrase["en"],
            phrase["zh"],
            frozenset(phrase.get("not_in", ())),
            frozenset(phrase.get("only_in", ())),
        )
        for phrase in table["phrases"]
    ]
    already = re.compile(table["already"])
    return Facet(table["name"], phrases, already, table.get("is_optical", False))


def _found(words: re.Pattern[str], text: str) -> set[str]:
    return {match.group().casefold() for match in words.finditer(text)}
