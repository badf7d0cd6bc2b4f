"""Decides whether a rewrite may be given to the user."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llm_api.services.prompts.checks.additions import (
    find_added_nouns,
    find_added_people,
    find_broken_negations,
    find_lens_terms,
)
from llm_api.services.prompts.checks.formatting import find_form_violations
from llm_api.services.prompts.checks.preservation import Rewrite, find_lost, read_rewrite
from llm_api.services.prompts.checks.violations import Violation, violation
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.language import is_written_in
from llm_api.services.prompts.text.quotes import find_quotes, has_quote, names_quote
from llm_api.services.prompts.vocabulary.words import fold

_MAX_CHARS = 6_000
_CLARITY_GROWTH = 1.3
_CLARITY_SLACK = 80
_FIRST_SENTENCE = re.compile(r"[^.!?。！？]*[.!?。！？]?")
_LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a rewrite beside keeping what the user said.

    `language` is that of the rewrite, `en` or `zh`. Lengths are in characters. `is_tags` means
    comma-separated tags instead of sentences.
    """

    type: str
    language: str
    max_length: int | None = None
    min_length: int | None = None
    enhance_details: bool = True
    style: str | None = None
    preserve: tuple[str, ...] = ()
    is_tags: bool = False


def find_violations(
    original: str, rewrite: str, wanted: Wanted, *, locks: Constraints | None = None
) -> list[Violation]:
    """Return everything that is wrong with a rewrite, the hard things first."""
    if not rewrite.strip():
        return [violation("empty")]
    kept = locks or find_constraints(original)
    same = kept.language == wanted.language
    read_once = read_rewrite(rewrite, read(rewrite), is_same_language=same)
    found = [
        *find_form_violations(original, rewrite, is_tags=wanted.is_tags),
        *_language(original, rewrite, wanted),
        *_length(original, rewrite, wanted),
        *_quotes(original, rewrite, kept),
        *_preserved(rewrite, wanted),
        *find_lost(kept, read_once),
        *find_added_people(kept, read_once),
        *find_broken_negations(kept, read_once),
        *find_lens_terms(kept, read_once, wanted.style),
        *_asked_style(rewrite, wanted, read_once),
        *(() if wanted.enhance_details else find_added_nouns(kept, read_once)),
    ]
    return sorted(dict.fromkeys(found), key=lambda one: not one.is_hard)


def _language(original: str, rewrite: str, wanted: Wanted) -> Iterator[Violation]:
    if rewrite != original and not is_written_in(rewrite, wanted.language, original):
        yield violation("wrong_language", _LANGUAGES[wanted.language])


def _length(original: str, rewrite: str, wanted: Wanted) -> Iterator[Violation]:
    limit = wanted.max_length or _MAX_CHARS
    if not wanted.enhance_details:
        limit = min(limit, round(len(original) * _CLARITY_GROWTH) + _CLARITY_SLACK)
    if len(rewrite) > limit:
        yield violation("too_long", limit)
    if wanted.min_length and len(rewrite) < wanted.min_length:
        yield violation("too_short", wanted.min_length)


def _quotes(original: str, rewrite: str, locks: Constraints) -> Iterator[Violation]:
    for quote in locks.quotes:
        if not has_quote(rewrite, quote):
            is_there = names_quote(rewrite, quote)
            yield violation("quote_unmarked" if is_there else "quote_lost", quote)
    known = original.casefold()
    for quote in find_quotes(rewrite):
        if quote not in locks.quotes and quote.strip(" ,.!?，。！？").casefold() not in known:
            yield violation("quote_added", quote)


def _preserved(rewrite: str, wanted: Wanted) -> Iterator[Violation]:
    for words in wanted.preserve:
        if words.strip().casefold() not in rewrite.casefold():
            yield violation("preserve_lost", words)


def _asked_style(rewrite: str, wanted: Wanted, read_once: Rewrite) -> Iterator[Violation]:
    """Check the style that was asked for beside the prompt: named, once, in the first sentence."""
    if wanted.style is None or not wanted.style.strip():
        return
    style = fold(wanted.style).strip()
    bare = style.removesuffix("style").removesuffix("风格").strip() or style
    known = {term.concept for term in read(style).of("drawn", "look")}
    first = _FIRST_SENTENCE.match(rewrite)
    head = first[0] if first else rewrite
    if bare not in fold(head) and not known & {t.concept for t in read(head).of("drawn", "look")}:
        yield violation("style_lost", wanted.style)
    elif read_once.folded.count(style) > 1:
        yield violation("style_repeated", wanted.style)
