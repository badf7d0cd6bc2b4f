"""Finds what of a user's prompt must stay in every rewrite of it."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from llm_api.services.prompts.constraints.camera import Camera, find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.counts import Count, find_counts
from llm_api.services.prompts.constraints.names import find_names
from llm_api.services.prompts.constraints.negations import Negation, denied_tokens, find_negations
from llm_api.services.prompts.constraints.nouns import Noun, named_nouns
from llm_api.services.prompts.constraints.people import allows_people, has_animate
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.relations import Relation, find_relations
from llm_api.services.prompts.constraints.styles import Style, find_styles
from llm_api.services.prompts.language import language_of
from llm_api.services.prompts.text.quotes import find_quotes
from llm_api.services.prompts.vocabulary.words import stem

_Lock = TypeVar("_Lock")
_DETAILED_WORDS = 120
_DETAILED_CHARS = 250
_KEPT_LOCKS = 256
_MAX_LOCKS = 100  # of a kind; a prompt of 4,000 characters has fewer


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a rewrite must keep of a prompt.

    `nouns` are the things it names, `objects` their names without repeats. `mentions_person` also
    says yes where people are implied. `words` are the stems of all its words. `is_detailed` means
    at least 120 English words or 250 Chinese characters: there is little to add.
    """

    language: str
    quotes: tuple[str, ...]
    counts: tuple[Count, ...]
    colors: tuple[ColorOf, ...]
    nouns: tuple[Noun, ...]
    objects: tuple[str, ...]
    relations: tuple[Relation, ...]
    styles: tuple[Style, ...]
    camera: Camera
    names: tuple[str, ...]
    negations: tuple[Negation, ...]
    mentions_person: bool
    has_animate: bool
    is_detailed: bool
    words: frozenset[str]
    reading: Reading

    def as_words(self) -> Mapping[str, list[str]]:
        """Return what is kept in words to show, by kind; kinds without any are left out."""
        kinds: Mapping[str, Iterable[str]] = {
            "quotes": self.quotes,
            "counts": (count.words for count in self.counts),
            "colors": (color.words for color in self.colors),
            "objects": self.objects,
            "relations": (relation.words for relation in self.relations),
            "styles": (style.words for style in self.styles),
            "camera": self.camera.labels(),
            "names": self.names,
            "negations": (negation.words for negation in self.negations),
        }
        shown = {kind: list(dict.fromkeys(words)) for kind, words in kinds.items()}
        return {kind: words for kind, words in shown.items() if words}


@functools.lru_cache(maxsize=_KEPT_LOCKS)
def find_constraints(prompt: str) -> Constraints:
    """Return what a rewrite of a prompt must keep."""
    language, reading = language_of(prompt), read(prompt)
    nouns = _each_once(_wanted_nouns(reading), lambda one: one.concept)
    return Constraints(
        language=language,
        quotes=tuple(find_quotes(prompt)),
        counts=_each_once(find_counts(reading), lambda one: one.key),
        colors=_each_once(find_colors(reading, with_parts=False), lambda one: one.key),
        nouns=nouns,
        objects=tuple(noun.concept for noun in nouns),
        relations=_each_once(find_relations(reading), lambda one: one.key),
        styles=_each_once(find_styles(reading), lambda one: one.concept),
        camera=find_camera(reading, is_strict=True),
        names=_each_once(find_names(prompt), lambda one: one),
        negations=_each_once(find_negations(reading), lambda one: one.concept),
        mentions_person=allows_people(reading),
        has_animate=has_animate(reading),
        is_detailed=_is_detailed(prompt, language),
        words=frozenset(map(stem, reading.tokens)),
        reading=reading,
    )


def _each_once(found: Iterable[_Lock], key: Callable[[_Lock], object]) -> tuple[_Lock, ...]:
    """Return the first of each kind, and not more than can be checked in good time."""
    first: dict[object, _Lock] = {}
    for one in found:
        first.setdefault(key(one), one)
        if len(first) >= _MAX_LOCKS:
            break
    return tuple(first.values())


def _wanted_nouns(reading: Reading) -> Iterator[Noun]:
    denied = denied_tokens(reading)
    return (noun for noun in named_nouns(reading) if noun.start not in denied)


def _is_detailed(prompt: str, language: str) -> bool:
    if language == "zh":
        return len(prompt) >= _DETAILED_CHARS
    return len(prompt.split()) >= _DETAILED_WORDS
