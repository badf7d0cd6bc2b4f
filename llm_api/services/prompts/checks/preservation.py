"""Checks that a rewrite keeps the constraints of its prompt."""

import re
from collections.abc import Iterable, Iterator, Sequence

from llm_api.domain.prompts import EDIT
from llm_api.services.prompts.checks.across_languages import (
    find_lost_across,
    is_style_unread,
)
from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.camera import (
    Camera,
    contradicting_moves,
    lost_labels,
)
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.constraints.counts import Count, find_counts
from llm_api.services.prompts.constraints.names import has_name
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.relations import keeps_relation
from llm_api.services.prompts.constraints.spelling import (
    is_doubled_otherwise,
    is_spelt_otherwise,
)
from llm_api.services.prompts.constraints.styles import Style
from llm_api.services.prompts.constraints.syntax_forms import WrittenForms
from llm_api.services.prompts.text import find_quotes, fold, has_quote, names_quote, stem

_PRONOUNS = {"man": "he", "boy": "he", "woman": "she", "girl": "she"}
_WITH_WORDS = frozenset({"choices", "steps", "weights", "parts"})
_ONE = frozenset({"a", "an", "one", "single"})
_FIRST_SENTENCE = re.compile(r"[^.!?。！？]*[.!?。！？]?")


def find_lost(comparison: Comparison) -> Iterator[Violation]:
    """Find everything that a rewrite lost or changed, and quoted texts that it added."""
    yield from _quotes(comparison)
    if comparison.wanted.preserve:
        yield from _preserved(comparison)
    if comparison.constraints.syntax:
        yield from _syntax(comparison)
    yield from _find_lost_words(comparison) if comparison.is_read else find_lost_across(comparison)


def _find_lost_words(comparison: Comparison) -> Iterator[Violation]:
    """Find what was lost of the things that the vocabulary has words for."""
    constraints = comparison.constraints
    yield from _objects(comparison)
    yield from _counts(comparison)
    if constraints.colors:
        yield from _colors(comparison)
    if constraints.relations:
        yield from _relations(comparison)
    if constraints.styles:
        yield from _styles(comparison)
    if constraints.in_words.get("camera"):
        yield from _camera(constraints.camera, comparison.reading)
    if constraints.names and comparison.is_same_language:
        yield from _names(comparison)


def find_style_violations(comparison: Comparison) -> Iterator[Violation]:
    """Check the style wanted beside the prompt: named, once, in the first sentence."""
    wanted, style = comparison.wanted.style, comparison.style
    if wanted is None or style is None or not wanted.strip():
        return
    if is_style_unread(comparison):
        return
    name = fold(wanted).strip()
    bare = name.removesuffix("style").removesuffix("风格").strip() or name
    first = _FIRST_SENTENCE.match(comparison.rewrite)
    head = first[0] if first else comparison.rewrite
    if bare not in fold(head) and _styles_of(style).isdisjoint(_styles_of(read(head))):
        yield violation_of("style_lost", wanted)
    elif comparison.folded.count(name) > 1:
        yield violation_of("style_repeated", wanted)


def _styles_of(reading: Reading) -> frozenset[str]:
    return frozenset(term.concept for term in reading.of("drawn", "look"))


def _quotes(comparison: Comparison) -> Iterator[Violation]:
    original, rewrite = comparison.original.casefold(), comparison.rewrite
    quotes = comparison.constraints.quotes
    for quote in quotes:
        if not has_quote(rewrite, quote):
            is_unmarked = names_quote(rewrite, quote)
            yield violation_of("quote_unmarked" if is_unmarked else "quote_lost", quote)
    for quote in find_quotes(rewrite):
        if quote not in quotes and quote.strip(" ,.!?，。！？").casefold() not in original:
            yield violation_of("quote_added", quote)


def _preserved(comparison: Comparison) -> Iterator[Violation]:
    for words in comparison.wanted.preserve:
        if words.strip().casefold() not in comparison.rewrite.casefold():
            yield violation_of("preserve_lost", words)


def _syntax(comparison: Comparison) -> Iterator[Violation]:
    written = WrittenForms(comparison.rewrite)
    for piece in comparison.constraints.syntax:
        is_english = piece.text.isascii() and comparison.is_read
        is_translatable = piece.kind in _WITH_WORDS and not is_english
        if is_translatable and not comparison.is_same_language:
            if piece.text not in comparison.rewrite and not written.take(piece):
                yield violation_of("syntax_untranslated", piece.text)
        elif piece.text not in comparison.rewrite:
            yield violation_of("syntax_lost", piece.text)


def _objects(comparison: Comparison) -> Iterator[Violation]:
    constraints = comparison.constraints
    for noun in constraints.nouns:
        if not _keeps_thing(comparison, noun):
            yield violation_of("object_lost", constraints.reading.words(noun.start, noun.end))


def _keeps_thing(comparison: Comparison, noun: Noun) -> bool:
    """Whether a rewrite has a thing of the prompt, by a name of it or by a kind of it."""
    reading = comparison.reading
    if noun.kind == "anybody":
        has_people = bool(reading.of("anybody", "person", "pronoun"))
        return has_people or "their" in comparison.stems or "them" in comparison.stems
    if comparison.has_any(noun.concepts):
        return True
    if noun.concept == "animal" and reading.of("animate"):
        return True
    pronoun = _PRONOUNS.get(noun.concept)
    if pronoun and reading.has("pronoun", pronoun):
        return True
    own = comparison.constraints.reading.tokens[noun.start : noun.end]
    if not own[0].isascii():
        return "".join(own) in comparison.folded
    if not comparison.is_same_language:
        return False
    stems = comparison.stems
    return all(stem(word) in stems or is_doubled_otherwise(stem(word), stems) for word in own)


def _counts(comparison: Comparison) -> Iterator[Violation]:
    constraints, reading = comparison.constraints, comparison.reading
    has_numbers = reading.numerals or reading.of("number")  # many rewrites have none
    found = find_counts(reading) if has_numbers else ()
    counted = list({count.key: count for count in found}.values())
    for count in constraints.counts:
        if not _keeps_count(count, constraints.counts, counted):
            yield violation_of("count_changed", count.words)
    yield from _multiplied(constraints, [count for count in counted if count.value > 1])


def _keeps_count(count: Count, counts: Sequence[Count], counted: Sequence[Count]) -> bool:
    """Whether the number occurs with its noun, or with none of the prompt's other things.

    A larger number of the same thing contradicts it; a smaller one may be a part of it.
    """
    if count.value == 1:
        return True
    wanted = sum({other.value for other in counts if _is_same(other.noun, count.noun)})
    if any(other.value > wanted for other in counted if _is_same(other.noun, count.noun)):
        return False
    others = [other.noun for other in counts if not _is_same(other.noun, count.noun)]
    return any(
        other.value == count.value and not _is_one_of(other.noun, others) for other in counted
    )


def _is_one_of(noun: Noun | None, others: Iterable[Noun | None]) -> bool:
    return noun is not None and any(other and noun.may_be(other) for other in others)


def _is_same(left: Noun | None, right: Noun | None) -> bool:
    if left is None or right is None:
        return left is right
    people = {"person", "anybody"}
    is_anybody = {left.kind, right.kind} <= people and "anybody" in {left.kind, right.kind}
    return is_anybody or left.may_be(right)


def _multiplied(constraints: Constraints, several: Sequence[Count]) -> Iterator[Violation]:
    """Find a single thing of the prompt of which the rewrite has several."""
    reading = constraints.reading
    for noun in constraints.nouns:
        if not any(_is_known_same(count.noun, noun) for count in several):
            continue
        before = reading.tokens[noun.start - 1] if noun.start else ""
        is_only = sum(other.may_be(noun) for other in constraints.nouns) <= 1
        if before in _ONE and is_only:
            yield violation_of("count_changed", reading.words(noun.start - 1, noun.end))


def _is_known_same(left: Noun | None, right: Noun) -> bool:
    return left is not None and left.concept == right.concept and not left.is_kind


def _colors(comparison: Comparison) -> Iterator[Violation]:
    colors = comparison.constraints.colors
    wanted = {color.color for color in colors}  # the nouns of others are not looked for
    every = find_colors(comparison.reading, among=wanted)
    found = list({color.key: color for color in every}.values())
    for color in colors:
        # What an edit changes has its color before, and that after it.
        is_new = comparison.wanted.type == EDIT and color.noun is None
        if is_new and any(other.color == color.color for other in found):
            continue
        if not _keeps_color(color, colors, found):
            yield violation_of("color_lost", color.words)


def _keeps_color(color: ColorOf, colors: Sequence[ColorOf], found: Sequence[ColorOf]) -> bool:
    """Whether a color occurs, and not only with another of the prompt's things."""
    if color.color == "colorful":
        return True
    others = [
        other.noun
        for other in colors
        if other.color != color.color and not _is_same(other.noun, color.noun)
    ]
    return any(other.color == color.color and not _is_one_of(other.noun, others) for other in found)


def _keeps_style(style: Style, comparison: Comparison) -> bool:
    """Whether a rewrite has a style of the prompt, by a name of it."""
    if style.is_known:
        reading = comparison.reading
        is_named = reading.has("drawn", style.concept) or reading.has("look", style.concept)
        return is_named or style.words in comparison.folded
    if not comparison.is_same_language:
        return True
    stems = comparison.stems
    words = style.concept.split()
    return all(word in stems or is_spelt_otherwise(word, stems) for word in words)


def _relations(comparison: Comparison) -> Iterator[Violation]:
    for relation in comparison.constraints.relations:
        if not keeps_relation(comparison.reading, relation):
            yield violation_of("relation_lost", relation.words)


def _styles(comparison: Comparison) -> Iterator[Violation]:
    for style in comparison.constraints.styles:
        if not _keeps_style(style, comparison):
            yield violation_of("style_lost", style.words)


def _names(comparison: Comparison) -> Iterator[Violation]:
    for name in comparison.constraints.names:
        if not has_name(comparison.folded, comparison.stems, name):
            yield violation_of("name_lost", name)


def _camera(wanted: Camera, reading: Reading) -> Iterator[Violation]:
    for label in lost_labels(wanted, reading):
        yield violation_of("camera_lost", label)
    for move in contradicting_moves(wanted, reading):
        yield violation_of("camera_added", move)
