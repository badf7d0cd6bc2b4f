"""Finds what a rewrite of an instruction must keep: all that it names, whatever is done to it."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from llm_api.domain.prompts import EDIT
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.constraints.negations import Negation
from llm_api.services.prompts.edits.clauses import Clause, clauses_of
from llm_api.services.prompts.edits.operations import Act
from llm_api.services.prompts.edits.picture_references import references_in, without_references
from llm_api.services.prompts.language import language_of
from llm_api.services.prompts.languages.tags import has_vocabulary, is_dense

_CACHED_TEXTS = 256
_REMOVED = "removed"


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def neutral(text: str) -> str:
    """Return an instruction as if it described what it names: nothing in it is denied.

    Names of pictures and the words that keep, deny or remove are left out, so that what is said of
    their things is compared as in any prompt.
    """
    clauses = clauses_of(text)
    stop = "。" if text and not text.isascii() and is_dense(language_of(text)) else ". "
    return stop.join(clause.bare.strip(" ,.:，：。") for clause in clauses)


def constraints_of(kind: str, prompt: str) -> Constraints:
    """Return what a rewrite of a prompt must keep; `kind` is the type of its request."""
    return edit_constraints(prompt) if kind == EDIT else find_constraints(prompt)


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def edit_constraints(prompt: str) -> Constraints:
    """Return what a rewrite of an instruction must keep.

    `in_words` lists what is removed under `removed`, and not as an object that stays.
    """
    whole = find_constraints(prompt)
    if not has_vocabulary(whole.language):
        return _without_numbers_of_pictures(prompt, whole)
    clauses = clauses_of(prompt)
    found = find_constraints(neutral(prompt))
    denied = _denied(clauses)
    removed = _targets(clauses, Act.REMOVE) - _targets(clauses, Act.MAKE, Act.KEEP)
    shown = _targets(clauses, Act.MAKE, Act.KEEP, Act.REMOVE)
    unwanted = {negation.concept for negation in denied} - shown
    in_words = {
        **found.in_words,
        "quotes": whole.quotes,
        "names": whole.names,
        "syntax": [piece.text for piece in whole.syntax],
        "objects": [one for one in found.objects if one not in removed | unwanted],
        "negations": [negation.words for negation in denied],
        _REMOVED: [one for one in found.objects if one in removed],
        "pictures": _named_pictures(prompt),
    }
    return replace(
        found,
        language=whole.language,
        nouns=tuple(noun for noun in found.nouns if noun.concept not in unwanted),
        quotes=whole.quotes,
        names=whole.names,
        syntax=whole.syntax,
        negations=denied,
        is_detailed=whole.is_detailed,
        in_words=_given(in_words),
    )


def _without_numbers_of_pictures(prompt: str, whole: Constraints) -> Constraints:
    named = _named_pictures(prompt)
    if not named:
        return whole
    found = find_constraints(without_references(prompt))
    in_words = {**found.in_words, "quotes": whole.quotes, "pictures": named}
    return replace(found, language=whole.language, quotes=whole.quotes, in_words=_given(in_words))


def _given(in_words: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return {kind: tuple(dict.fromkeys(words)) for kind, words in in_words.items() if words}


def _named_pictures(prompt: str) -> list[str]:
    return [prompt[one.start : one.end] for one in references_in(prompt)]


def _targets(clauses: Iterable[Clause], *acts: Act) -> set[str]:
    return {noun.concept for clause in clauses if clause.act in acts for noun in clause.targets}


def _denied(clauses: Iterable[Clause]) -> tuple[Negation, ...]:
    """Return the things that must not be drawn; what must not be changed is none."""
    found: dict[str, Negation] = {}
    for clause in clauses:
        if clause.act is not Act.DENY:
            continue
        for noun in clause.nouns:
            words = clause.reading.words(noun.start, noun.end)
            found.setdefault(noun.concept, Negation(noun.concept, words, is_known=noun.is_known))
    return tuple(found.values())
