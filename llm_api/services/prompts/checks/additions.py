"""Finds what a rewrite adds: people, denied and other things, lens terms, and real improvements."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from llm_api.services.prompts.checks.preservation import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.negations import Negation
from llm_api.services.prompts.constraints.nouns import THINGS, named_nouns
from llm_api.services.prompts.constraints.people import find_people
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.vocabulary.words import little_words

_LENS = re.compile(
    r"(?<![a-z0-9])(?:\d+\s?mm|f/\d[\d.]*|bokeh|lens(?:es)?|dslr|depth of field|shutter|aperture"
    r"|telephoto|iso \d+)(?![a-z])|镜头|景深|虚化|焦距|光圈|快门|毫米"
)
# What animals are called as well: a family of ducks, the mother and her calf, a skilled hunter.
SAID_OF_ANIMALS = little_words("said_of_animals")


def find_added(comparison: Comparison) -> Iterator[Violation]:
    """Find people, denied things and lens terms that must not have been added."""
    yield from _people(comparison)
    if comparison.constraints.negations:
        yield from _denied(comparison)
    yield from _lens_terms(comparison)


def find_added_nouns(comparison: Comparison) -> Iterator[Violation]:
    """Find the first thing that a rewrite names and its prompt does not."""
    known = {term.concept for term in comparison.constraints.reading.of(*THINGS)}
    reading = comparison.reading
    for noun in named_nouns(reading):
        if noun.concept not in known and noun.kind != "anybody":
            yield violation_of("noun_added", reading.words(noun.start, noun.end))
            return


def _people(comparison: Comparison) -> Iterator[Violation]:
    """Find the first person in a rewrite of a prompt that has none and implies none."""
    constraints, reading = comparison.constraints, comparison.reading
    if constraints.mentions_person:
        return
    for term in find_people(reading):
        is_animal = term.kind == "pronoun" or term.concept in SAID_OF_ANIMALS
        if not (constraints.has_animate and is_animal):
            yield violation_of("person_added", reading.words(term.start, term.end))
            return


def _denied(comparison: Comparison) -> Iterator[Violation]:
    """Find things the prompt denies that a rewrite shows, or denies once more."""
    before, reading = comparison.constraints.reading, comparison.reading
    shown = {term.concept for term in before.of(*THINGS) if term.start not in before.denied}
    for negation in comparison.constraints.negations:
        if negation.concept in shown:
            continue
        mentions = list(_mentions(negation, reading))
        if any(at not in reading.denied for at in mentions):
            yield violation_of("negation_broken", negation.words)
        elif mentions:
            yield violation_of("negation_worded", negation.words)


def _mentions(negation: Negation, reading: Reading) -> Iterator[int]:
    """Yield the tokens at which a denied thing is mentioned."""
    if negation.is_known:
        people = {"person", "people"} & {negation.concept}
        for term in reading.of(*(("anybody", "person") if people else THINGS)):
            if people or term.concept == negation.concept:
                yield term.start
        return
    if negation.words.isascii():
        yield from (
            at
            for at, token in enumerate(reading.tokens)
            if token.rstrip("s") == negation.words.rstrip("s")
        )
        return
    length = len(negation.words)
    for at, token in enumerate(reading.tokens):
        if token == negation.words[0] and reading.words(at, at + length) == negation.words:
            yield at


def _lens_terms(comparison: Comparison) -> Iterator[Violation]:
    """Find lens terms in a drawn or painted picture whose prompt has none."""
    constraints, style = comparison.constraints, comparison.style
    is_drawn = any(own.is_drawn for own in constraints.styles)
    if not (is_drawn or (style is not None and style.of("drawn"))):
        return
    found = _LENS.search(" ".join(comparison.reading.tokens))
    if found and found[0] not in " ".join(constraints.reading.tokens):
        yield violation_of("lens_talk", found[0].strip())


def improvements(original: str, rewrite: str) -> Sequence[str]:
    """Return the documented sentences that are true of the rewrite, in their fixed order.

    What a model says of its own changes is not believed.
    """
    before, after = original.lower(), rewrite.lower()
    return [sentence for sentence, words in _evidence() if _has_new(words, before, after)]


class _Evidence(NamedTuple):
    """The words that show an improvement: those in ASCII, and all."""

    in_ascii: re.Pattern[str]
    any: re.Pattern[str]

    def found_in(self, text: str) -> Iterator[str]:
        """Yield the words that occur in a text."""
        words = self.in_ascii if text.isascii() else self.any
        return map(re.Match.group, words.finditer(text))


@cache
def _evidence() -> Sequence[tuple[str, _Evidence]]:
    text = resources.files(__package__).joinpath("improvements.toml").read_text("utf-8")
    return [
        (
            entry["sentence"],
            _Evidence(re.compile(entry["en"]), re.compile("{en}|{zh}".format(**entry))),
        )
        for entry in tomllib.loads(text)["improvement"]
    ]


def _has_new(words: _Evidence, before: str, after: str) -> bool:
    """Whether any of the words occurs in the second text only."""
    known = set(words.found_in(before))
    return any(word not in known for word in words.found_in(after))
