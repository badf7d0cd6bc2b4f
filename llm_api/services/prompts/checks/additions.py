"""Finds what a rewrite adds: people, denied and other things, lens terms, and real improvements."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from heapq import heapify, heappop, heapreplace
from importlib import resources

from llm_api.services.prompts.checks.across_languages import find_denied_across, is_free_of
from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.negations import Negation
from llm_api.services.prompts.constraints.nouns import named_nouns
from llm_api.services.prompts.constraints.people import find_people, is_anybody
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.constraints.spelling import is_meant
from llm_api.services.prompts.text import lower, stem, words_of
from llm_api.services.prompts.vocabulary.words import THINGS, little_words

_LENS = re.compile(
    r"(?<![a-z0-9])(?:\d+\s?mm|f/\d[\d.]*|bokeh|lens(?:es)?|dslr|depth of field|shutter|aperture"
    r"|telephoto|iso \d+)(?![a-z])|镜头|景深|虚化|焦距|光圈|快门|毫米"
)
_OPENING = 3
_PEOPLE = frozenset({"person", "people"})
_LETTER = re.compile(r"[a-z]")
_MAX_BEGUN = 60
_CACHED_WORDS = 20_000
# What animals are called as well: a family of ducks, the mother and her calf, a skilled hunter.
SAID_OF_ANIMALS = little_words("said_of_animals")


def find_added(comparison: Comparison) -> Iterator[Violation]:
    """Find people, denied things and lens terms that must not have been added."""
    yield from _people(comparison)
    if comparison.constraints.negations:
        yield from _denied(comparison)
        yield from find_denied_across(comparison)
    yield from _lens_terms(comparison)


def find_added_nouns(comparison: Comparison) -> Iterator[Violation]:
    """Find the first thing that a rewrite names and its prompt does not."""
    known = comparison.constraints.reading.things()
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
        words = reading.words(term.start, term.end)
        if not (constraints.has_animate and is_animal) and not is_meant(constraints.reading, words):
            yield violation_of("person_added", words)
            return


def _denied(comparison: Comparison) -> Iterator[Violation]:
    """Find things the prompt denies that a rewrite shows, or denies once more."""
    before, reading = comparison.constraints.reading, comparison.reading
    own = [term for term in find_people(before) if term.kind != "pronoun"]
    shown = {term.concept for term in before.of(*THINGS) if term.start not in before.denied}
    for negation in comparison.constraints.negations:
        if negation.concept in shown or negation.is_foreign:
            continue
        mentions = list(_mentions(negation, reading))
        if negation.concept in _PEOPLE and own:
            mentions = list(_other_people(negation, reading, own))
        if any(at not in reading.denied and not is_free_of(reading, at) for at in mentions):
            yield violation_of("negation_broken", negation.words)
        elif mentions:
            yield violation_of("negation_worded", negation.words)


def _other_people(negation: Negation, reading: Reading, own: Sequence[Term]) -> Iterator[int]:
    """Yield where a rewrite mentions people of whom a prompt has only its own.

    "A woman, no people behind her" has a woman, and no crowd; "children, no adults" no adults.
    """
    are_anybody = any(term.concept in _PEOPLE and term.kind == "anybody" for term in own)
    word = stem(negation.words)
    for term in reading.of("anybody", "person"):
        is_named = stem(reading.words(term.start, term.end)) == word
        if is_named or (is_anybody(reading, term) and not are_anybody):
            yield term.start


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
    before, after = _Shown(original), _Shown(rewrite)
    return [evidence.sentence for evidence in all_evidence() if _has_new(evidence, before, after)]


def _has_new(evidence: "Evidence", before: "_Shown", after: "_Shown") -> bool:
    """Whether any of the words occurs in the second text only."""
    found = after.found(evidence)
    if (first := next(found, None)) is None:
        return False
    if not before.has(first):
        return True  # as in most rewrites: the words of the first text need not be found
    known = set(before.found(evidence))
    return first not in known or any(word not in known for word in found)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The words that show an improvement: those in ASCII, those in Chinese, and all.

    Each match of `in_ascii` begins with a word that begins as one of `openings`, or with a number
    where `unit` occurs.
    """

    sentence: str
    in_ascii: re.Pattern[str]
    in_chinese: re.Pattern[str]
    any: re.Pattern[str]
    openings: Sequence[str]
    unit: str | None


class _Shown:
    """What a text shows.

    A pattern of many words is tried at every letter. In ASCII, where words are known by their first
    letters, it is tried only at those that it can begin with: that takes half the time.
    """

    def __init__(self, text: str) -> None:
        self._as_written, self._text = text, lower(text)

    def has(self, word: str) -> bool:
        """Whether a word occurs, be it as a part of another."""
        return word in self._text

    def found(self, evidence: Evidence) -> Iterator[str]:
        """Return the words of evidence that occur, from left to right."""
        if not self._as_written.isascii():
            words = evidence.any if self._has_letters else evidence.in_chinese
            return map(re.Match.group, words.finditer(self._text))
        begun = self._begun.get(evidence.sentence, ())
        if len(begun) > _MAX_BEGUN:  # a text that is made to cost time
            return map(re.Match.group, evidence.in_ascii.finditer(self._text))
        return self._found_at(begun, evidence.in_ascii)

    @cached_property
    def _has_letters(self) -> bool:
        """Whether there can be English words."""
        return bool(_LETTER.search(self._text))

    @cached_property
    def _begun(self) -> Mapping[str, Sequence[str]]:
        """The words with which evidence can begin, by its sentence."""
        begun: dict[str, list[str]] = {}
        words = set(words_of(self._as_written))
        for word in words:
            for sentence in _shown_by(word):
                begun.setdefault(sentence, []).append(word)
        for evidence in all_evidence():
            if evidence.unit is not None and evidence.unit in self._text:
                numbers = [word for word in words if word[0].isdecimal()]
                begun.setdefault(evidence.sentence, []).extend(numbers)
        return begun

    def _found_at(self, begun: Sequence[str], pattern: re.Pattern[str]) -> Iterator[str]:
        """Yield what a pattern matches where one of some words stands."""
        text, end = self._text, 0
        places = [(text.find(word), word) for word in begun]
        heapify(places)
        while places:
            at, word = places[0]
            following = text.find(word, at + 1)
            if following < 0:
                heappop(places)
            else:
                heapreplace(places, (following, word))
            if at >= end and (match := pattern.match(text, at)):
                yield match[0]
                end = match.end()


@lru_cache(_CACHED_WORDS)
def _shown_by(word: str) -> Sequence[str]:
    """Return the sentences whose evidence can begin with a word.

    Texts consist of the same few thousand words: kept, they take half the time of looking each up.
    """
    known = _openings().get(word[:_OPENING], ())
    return tuple(sentence for opening, sentence in known if word.startswith(opening))


@cache
def _openings() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return the openings of evidence, with its sentence, by their first letters."""
    table: dict[str, list[tuple[str, str]]] = {}
    for evidence in all_evidence():
        for opening in evidence.openings:
            known = table.setdefault(opening[:_OPENING], [])
            known.append((opening, evidence.sentence))
    return table


@cache
def all_evidence() -> Sequence[Evidence]:
    """Return the evidence of improvements.toml, read once per process."""
    text = resources.files(__package__).joinpath("improvements.toml").read_text("utf-8")
    return [
        Evidence(
            sentence=entry["sentence"],
            in_ascii=re.compile(entry["en"]),
            in_chinese=re.compile(entry["zh"]),
            any=re.compile("{en}|{zh}".format(**entry)),
            openings=entry["openings"].split(),
            unit=entry.get("unit"),
        )
        for entry in tomllib.loads(text)["improvement"]
    ]
