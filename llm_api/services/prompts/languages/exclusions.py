"""Reads "no people" and the like in languages that the vocabulary has no words of."""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

from llm_api.services.prompts.languages.tags import name_of
from llm_api.services.prompts.text import without_quotes

CONCEPTS = ("people", "text", "watermark", "logo", "car", "animal")
# Written without gaps, or with endings at the noun: a noun begins and ends wherever it stands.
_WITHOUT_GAPS = frozenset({"ja", "ko", "th", "zh-Hant", "bn", "mr"})
_NOT_INSIDE, _NOT_BEFORE_LETTERS = r"(?<![^\W_])", r"(?![^\W_])"
_SENTENCE = re.compile(r"[^.!?。！？।॥؟۔\n¶]+")


class Exclusion(NamedTuple):
    """Something that a prompt excludes: one of `CONCEPTS`, in the prompt's words."""

    concept: str
    words: str


@dataclass(frozen=True, slots=True)
class _Rules:
    """Patterns of a language.

    `denied` finds the nouns of a concept where they are denied, `noun` them all, `denial` what
    denies anything, and `own` those who are somebody, and not just people.
    """

    denied: Mapping[str, tuple[re.Pattern[str], ...]]
    noun: Mapping[str, re.Pattern[str]]
    denial: re.Pattern[str]
    own: re.Pattern[str]


def knows_exclusions(language: str) -> bool:
    """Whether what a prompt in a language excludes is read, as far as `CONCEPTS` go."""
    return language in _table()


def on_exclusions(language: str) -> str:
    """Return a sentence on what is read of the exclusions of prompts in a language."""
    if knows_exclusions(language):
        known = "people, text, watermarks, logos, cars and animals"
        return f"Of what a prompt excludes in words, only {known} are read in {name_of(language)}."
    return f"What a prompt excludes in words is not read in {name_of(language)}, only flags."


def exclusions_in(text: str, language: str) -> Iterator[Exclusion]:
    """Yield what a text excludes, each concept once, in the order in which they stand there."""
    if language not in _table():
        return
    rules, bare = _rules(language), without_quotes(text)
    found: dict[str, tuple[int, str]] = {}
    for concept, patterns in rules.denied.items():
        matches = (match for pattern in patterns for match in pattern.finditer(bare))
        if (first := min(matches, key=re.Match.start, default=None)) is not None:
            found[concept] = (first.start(1), first[1])
    for concept, (_, words) in sorted(found.items(), key=lambda item: item[1]):
        yield Exclusion(concept, words)


def shows(text: str, language: str, concept: str) -> bool:
    """Whether a text has a noun of a concept in a sentence that denies nothing."""
    rules, bare = _rules(language), without_quotes(text)
    noun = rules.noun.get(concept)
    if noun is None:
        return False
    parts = _SENTENCE.findall(bare)
    return any(noun.search(part) and not rules.denial.search(part) for part in parts)


def has_somebody(text: str, language: str) -> bool:
    """Whether a text has somebody of its own, such as a woman, whatever people it excludes."""
    return _rules(language).own.search(without_quotes(text)) is not None


@functools.cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    path = resources.files(__package__).joinpath("exclusions.toml")
    return tomllib.loads(path.read_text("utf-8"))


@functools.cache
def _rules(language: str) -> _Rules:
    row = _table()[language]
    alone: Mapping[str, str] = row.get("alone", {})
    nouns = {concept: row[concept] for concept in CONCEPTS if concept in row}
    every = [row[side] for side in ("before", "behind") if side in row]
    return _Rules(
        denied={
            concept: tuple(_denied(row, noun, alone.get(concept), language))
            for concept, noun in nouns.items()
        },
        noun={
            concept: re.compile(_edged(f"(?:{noun})", language), re.IGNORECASE)
            for concept, noun in nouns.items()
        },
        denial=re.compile(
            "|".join([*(_edged(f"(?:{one})", language) for one in every), *alone.values()]),
            re.IGNORECASE,
        ),
        own=re.compile(_edged(f"(?:{row['own']})", language), re.IGNORECASE),
    )


def _denied(
    row: Mapping[str, Any], noun: str, alone: str | None, language: str
) -> Iterator[re.Pattern[str]]:
    gap = r"\s*" if language in _WITHOUT_GAPS else r"(?:\s+|(?<=['’]))"
    any_noun = "|".join(row[concept] for concept in CONCEPTS if concept in row)
    between, others = row.get("between"), row.get("or")
    filler = f"(?:{between})?" if between else ""
    if "before" in row:
        # "without text or people": the same denial holds for what a list goes on with.
        listed = rf"(?:(?:{any_noun}){gap}(?:{others}){gap}{filler})?" if others else ""
        pattern = rf"(?:{row['before']}){gap}{filler}{listed}({noun})"
        yield re.compile(_edged(pattern, language), re.IGNORECASE)
    if "behind" in row:
        listed = rf"(?:{gap}(?:{others}){gap}(?:{any_noun}))?" if others else ""
        pattern = rf"({noun}){listed}{gap}(?:{row['behind']})"
        yield re.compile(_edged(pattern, language), re.IGNORECASE)
    if alone is not None:
        yield re.compile(_edged(f"({alone})", language), re.IGNORECASE)


def _edged(pattern: str, language: str) -> str:
    """Return a pattern that matches whole words, where a language has gaps between them."""
    if language in _WITHOUT_GAPS:
        return pattern
    return f"{_NOT_INSIDE}{pattern}{_NOT_BEFORE_LETTERS}"
