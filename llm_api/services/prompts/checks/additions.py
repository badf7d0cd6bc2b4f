"""Checks that a rewrite adds nothing it must not: people, banned and other things, lens talk."""

import re
from collections.abc import Iterator

from llm_api.services.prompts.checks.preservation import Rewrite
from llm_api.services.prompts.checks.violations import Violation, violation
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.constraints.negations import Negation, denied_tokens
from llm_api.services.prompts.constraints.nouns import THINGS, named_nouns
from llm_api.services.prompts.constraints.people import find_people
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.vocabulary.words import little_words

_LENS = re.compile(
    r"(?<![a-z0-9])(?:\d+\s?mm|f/\d[\d.]*|bokeh|lens(?:es)?|dslr|depth of field|shutter|aperture"
    r"|telephoto|iso \d+)(?![a-z])|镜头|景深|虚化|焦距|光圈|快门|毫米"
)


# What animals are called as well: a family of ducks, the mother and her calf, a skilled hunter.
_SAID_OF_ANIMALS = little_words("added_said_of_animals")


def find_added_people(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    """Find the first person in a rewrite of a prompt that has none and implies none."""
    if locks.mentions_person:
        return
    for term in find_people(rewrite.reading):
        if locks.has_animate and (term.kind == "pronoun" or term.concept in _SAID_OF_ANIMALS):
            continue
        yield violation("person_added", rewrite.reading.words(term.start, term.end))
        return


def find_broken_negations(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    """Find things the prompt denies that a rewrite shows, or denies once more."""
    denied, denied_before = denied_tokens(rewrite.reading), denied_tokens(locks.reading)
    shown = {term.concept for term in locks.reading.of(*THINGS) if term.start not in denied_before}
    for negation in locks.negations:
        if negation.concept in shown:
            continue
        places = list(_places(negation, rewrite))
        if any(at not in denied for at in places):
            yield violation("negation_broken", negation.words)
        elif places:
            yield violation("negation_worded", negation.words)


def _places(negation: Negation, rewrite: Rewrite) -> Iterator[int]:
    reading = rewrite.reading
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


def find_added_nouns(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    """Find things a rewrite names and the prompt does not, for when nothing new is wanted."""
    known = {term.concept for term in locks.reading.of(*THINGS)}
    for noun in named_nouns(rewrite.reading):
        if noun.concept not in known and noun.kind != "anybody":
            words = rewrite.reading.words(noun.start, noun.end)
            yield violation("noun_added", words)
            return


def find_lens_terms(locks: Constraints, rewrite: Rewrite, style: str | None) -> Iterator[Violation]:
    """Find talk of lenses in a drawn or painted picture whose prompt has none."""
    is_drawn = any(one.is_drawn for one in locks.styles) or (style is not None and _is_drawn(style))
    if not is_drawn:
        return
    found = _LENS.search(" ".join(rewrite.reading.tokens))
    if found and found[0] not in " ".join(locks.reading.tokens):
        yield violation("lens_talk", found[0].strip())


def _is_drawn(style: str) -> bool:
    return any(True for _ in read(style).of("drawn"))
