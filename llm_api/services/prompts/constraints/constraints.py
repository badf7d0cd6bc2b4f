"""Finds the constraints of a user's prompt: what every rewrite of it must keep."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llm_api.services.prompts.constraints.camera import NO_CAMERA, Camera, find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.counts import Count, find_counts
from llm_api.services.prompts.constraints.names import find_names
from llm_api.services.prompts.constraints.negations import Negation, find_negations
from llm_api.services.prompts.constraints.nouns import Noun, named_nouns
from llm_api.services.prompts.constraints.people import allows_people, has_animate
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.relations import Relation, find_relations
from llm_api.services.prompts.constraints.styles import Style, find_styles
from llm_api.services.prompts.constraints.syntax import Syntax, find_syntax, without_tags
from llm_api.services.prompts.language import language_of
from llm_api.services.prompts.languages.exclusions import exclusions_in
from llm_api.services.prompts.languages.figures import figures_in
from llm_api.services.prompts.languages.proper_names import names_in
from llm_api.services.prompts.languages.tags import has_vocabulary, is_dense
from llm_api.services.prompts.text import find_quotes

_Found = TypeVar("_Found")
_DETAILED_WORDS = 120
_DETAILED_CHARS = 250
_CACHED_PROMPTS = 256
_MAX_OF_A_KIND = 100  # a prompt of 4,000 characters has fewer


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a rewrite must keep of a prompt.

    `language` is its canonical tag. Of one without a vocabulary only quotations, numbers, names,
    syntax and the commonest exclusions are found; people and animals are taken for granted then.
    `nouns` are the things it names, `objects` their concepts without repeats. `mentions_person` is
    also true where people are implied. `is_detailed` means at least 120 English words or 250
    Chinese characters: there is little to add. `reading` is the whole prompt, read once. `in_words`
    are the constraints as the prompt words them, by kind (`counts`, `colors`, …); kinds without any
    are left out.
    """

    language: str
    quotes: Sequence[str]
    counts: Sequence[Count]
    colors: Sequence[ColorOf]
    nouns: Sequence[Noun]
    objects: Sequence[str]
    relations: Sequence[Relation]
    styles: Sequence[Style]
    camera: Camera
    names: Sequence[str]
    syntax: Sequence[Syntax]
    negations: Sequence[Negation]
    mentions_person: bool
    has_animate: bool
    is_detailed: bool
    reading: Reading
    in_words: Mapping[str, Sequence[str]]


@functools.lru_cache(maxsize=_CACHED_PROMPTS)
def find_constraints(prompt: str) -> Constraints:
    """Return what a rewrite of a prompt must keep."""
    language, reading = language_of(prompt), read(prompt)
    if not has_vocabulary(language):
        return _without_vocabulary(prompt, language, reading)
    named, denied = list(named_nouns(reading)), reading.denied
    wanted = [noun for noun in named if noun.start not in denied]
    nouns = _distinct(wanted, lambda noun: noun.concept)
    in_words: dict[str, Sequence[str]] = {}
    constraints = Constraints(
        language=language,
        quotes=find_quotes(prompt),
        counts=_distinct(find_counts(reading), lambda count: count.key),
        colors=_distinct(find_colors(reading, with_parts=False), lambda color: color.key),
        nouns=nouns,
        objects=tuple(noun.concept for noun in nouns),
        relations=_distinct(find_relations(reading, named), lambda relation: relation.key),
        styles=_distinct(find_styles(reading), lambda style: style.concept),
        camera=find_camera(reading, is_strict=True),
        names=_distinct(find_names(without_tags(prompt)), lambda name: name),
        syntax=find_syntax(prompt),
        negations=_distinct(find_negations(reading), lambda negation: negation.concept),
        mentions_person=allows_people(reading),
        has_animate=has_animate(reading),
        is_detailed=_is_detailed(prompt, language),
        reading=reading,
        in_words=in_words,
    )
    in_words.update(_in_words(constraints))
    return constraints


def _without_vocabulary(prompt: str, language: str, reading: Reading) -> Constraints:
    """Return the constraints of a prompt whose words are not known."""
    in_words: dict[str, Sequence[str]] = {}
    bare = without_tags(prompt)
    counts = (Count(one.value, None, one.words, one.at) for one in figures_in(bare, language))
    constraints = Constraints(
        language=language,
        quotes=find_quotes(prompt),
        counts=_distinct(counts, lambda count: count.value),
        colors=(),
        nouns=(),
        objects=(),
        relations=(),
        styles=(),
        camera=NO_CAMERA,
        names=_distinct(names_in(bare, language), lambda name: name),
        syntax=find_syntax(prompt),
        negations=[
            Negation(one.concept, one.words, is_known=False, is_foreign=True)
            for one in exclusions_in(bare, language)
        ],
        mentions_person=True,
        has_animate=True,
        is_detailed=_is_detailed(prompt, language),
        reading=reading,
        in_words=in_words,
    )
    in_words.update(_in_words(constraints))
    return constraints


def _distinct(found: Iterable[_Found], key: Callable[[_Found], object]) -> Sequence[_Found]:
    """Return the first of each kind, and not more than can be checked in good time."""
    first: dict[object, _Found] = {}
    for constraint in found:
        first.setdefault(key(constraint), constraint)
        if len(first) >= _MAX_OF_A_KIND:
            break
    return tuple(first.values())


def _in_words(found: Constraints) -> Mapping[str, Sequence[str]]:
    kinds: Mapping[str, Sequence[str]] = {
        "quotes": found.quotes,
        "counts": [count.words for count in found.counts],
        "colors": [color.words for color in found.colors],
        "objects": found.objects,
        "relations": [relation.words for relation in found.relations],
        "styles": [style.words for style in found.styles],
        "camera": found.camera.labels(),
        "names": found.names,
        "syntax": [piece.text for piece in found.syntax],
        "negations": [negation.words for negation in found.negations],
    }
    return {kind: tuple(dict.fromkeys(words)) for kind, words in kinds.items() if words}


def _is_detailed(prompt: str, language: str) -> bool:
    if is_dense(language):
        return len(prompt) >= _DETAILED_CHARS
    return len(prompt.split()) >= _DETAILED_WORDS
