"""Checks the rewrite of an edit: that it asks for the same change and no other, and keeps the rest.

What is lost of an instruction is found as in any prompt; in languages without a vocabulary only
numbers, quotations, names, pictures and the size of the change are compared.
"""

import re
from collections.abc import Iterator

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.edit_additions import find_edit_additions
from llm_api.services.prompts.checks.edit_meaning import find_changed_acts
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.edits.clauses import clauses_of
from llm_api.services.prompts.edits.keeping_words import keeping_words, says_what_stays
from llm_api.services.prompts.edits.operations import Act
from llm_api.services.prompts.edits.picture_references import (
    Reference,
    references_in,
    without_references,
)
from llm_api.services.prompts.languages.figures import figures_in, values_in
from llm_api.services.prompts.languages.tags import form_of, has_vocabulary, length_ratio
from llm_api.services.prompts.languages.writing import shares_words
from llm_api.services.prompts.text import fold, without_quotes

# A change is said in about as many words as it was asked for.
_GROWTH = 1.6
_SLACK = {"en": 60, "zh": 20}
_SAME_SHARE = 0.4  # of an instruction's words in a rewrite of its language
_PART = re.compile(r"[.,;:。、，؛،।]")
_SIDES = {
    "left": re.compile(r"\bleft\b|左"),
    "right": re.compile(
        r"(?:\b(?:the|to|upper|lower|far|top|bottom) right\b)|\bright[ -](?:side|hand)|右"
    ),
}
# Chinese numbers that the vocabulary reads as a part of their noun: 两个人.
_HAN_COUNT = re.compile(
    r"([二两三四五六七八九十]|\d{1,2})(?:个|位|名|只|条|头|匹|张|辆|艘|棵|朵|座|把|本|盏|架|支|杯|瓶|幅|盘|碗|人)"
)
_DIGITS = re.compile(r"\d{1,9}")
_HAN_VALUES = {sign: at for at, sign in enumerate("一二三四五六七八九十", start=1)} | {"两": 2}
KEEP_MISSING = "keep_missing"


def find_edit_violations(comparison: Comparison) -> Iterator[Violation]:
    """Yield what is wrong with the rewrite of an edit, beside its form and what it has lost."""
    yield from _pictures(comparison)
    yield from _figures(comparison)
    if comparison.is_read:
        yield from _sides(comparison)
        yield from _han_counts(comparison)
        yield from find_changed_acts(comparison)
        yield from find_edit_additions(comparison)
    else:
        yield from _unread(comparison)
    changing = _changing(comparison)
    before = len(comparison.original) * length_ratio(
        comparison.constraints.language, comparison.wanted.language
    )
    if len(changing) > _GROWTH * before + _SLACK[form_of(comparison.wanted.language)]:
        yield violation_of("edit_overgrown")
    if says_what_stays(comparison.rewrite, comparison.wanted.language) is False:
        yield violation_of(KEEP_MISSING)


def _changing(comparison: Comparison) -> str:
    """Return the parts of a rewrite that say what changes, not what stays."""
    language, rewrite = comparison.wanted.language, comparison.rewrite
    if has_vocabulary(language):
        return "".join(one.text for one in clauses_of(rewrite) if not one.stays)
    words = keeping_words(language)
    parts = _PART.split(without_references(rewrite))
    return ".".join(one for one in parts if not (words and words.says.search(one.casefold())))


def _sides(comparison: Comparison) -> Iterator[Violation]:
    """Yield a side of the picture that an instruction names and a rewrite does not."""
    for side, words in _SIDES.items():
        found = words.search(fold(comparison.original))
        if found and not words.search(fold(comparison.rewrite)):
            yield violation_of("relation_lost", found[0] if found[0] in "左右" else side)


def _han_counts(comparison: Comparison) -> Iterator[Violation]:
    original, rewrite = comparison.original, comparison.rewrite
    asked, made = dict(_counted(original)), dict(_counted(rewrite))
    for value, words in asked.items():
        if value not in made and value not in _values(comparison.reading):
            yield violation_of("count_changed", words)
    for value, words in made.items():
        if value not in asked and value not in _values(comparison.constraints.reading):
            yield violation_of("count_added", words)


def _figures(comparison: Comparison) -> Iterator[Violation]:
    """Yield numbers in digits that are others: of ages, angles and shares, in any language."""
    asked, made = _bare(comparison.original), _bare(comparison.rewrite)
    words = values_in(asked, comparison.constraints.language) | _values(
        comparison.constraints.reading
    )
    own = {int(one) for one in _DIGITS.findall(asked)}
    new = {int(one) for one in _DIGITS.findall(made)}
    known = values_in(made, comparison.wanted.language) | _values(comparison.reading) | new
    for value in sorted(new - own - words):
        yield violation_of("count_added", value)
    for value in sorted(own - known):
        yield violation_of("count_changed", value)


def _bare(text: str) -> str:
    return without_quotes(without_references(text))


def _counted(text: str) -> Iterator[tuple[int, str]]:
    if text.isascii():
        return
    for match in _HAN_COUNT.finditer(text):
        yield _HAN_VALUES.get(match[1]) or int(match[1]), match[0]


def _values(reading: Reading) -> set[int]:
    words = {int(term.concept) for term in reading.of("number")}
    return words | {int(reading.tokens[at]) for at in reading.numerals}


def _unread(comparison: Comparison) -> Iterator[Violation]:
    """Yield what can be compared where the words of a language are not known."""
    language, own = comparison.wanted.language, comparison.constraints.language
    rewrite = without_references(comparison.rewrite)
    known = values_in(comparison.original, own)
    for figure in figures_in(rewrite, language):
        if figure.value not in known:
            yield violation_of("count_added", figure.words)
    if has_vocabulary(language):
        clauses = clauses_of(comparison.rewrite)
        if not any(one.act in {Act.MAKE, Act.REMOVE} and one.is_own for one in clauses):
            yield violation_of("edit_described")
    elif own == language and not shares_words(
        comparison.original, comparison.rewrite, least=_SAME_SHARE
    ):
        yield violation_of("edit_described")


def _pictures(comparison: Comparison) -> Iterator[Violation]:
    """Yield pictures that an instruction names and a rewrite does not, or otherwise."""
    original, rewrite = comparison.original, comparison.rewrite
    asked, named = references_in(original), references_in(rewrite)
    if not asked and not named:
        return
    numbers = {one.number for one in named}
    for one in asked:
        words = original[one.start : one.end]
        is_same = fold(words).replace(" ", "") in fold(rewrite).replace(" ", "")
        if one.number not in numbers or (comparison.is_same_language and not is_same):
            yield violation_of("picture_lost", words)
    for one in named:
        if one.number not in {other.number for other in asked}:
            yield violation_of("picture_added", rewrite[one.start : one.end])
    if comparison.is_read and _are_swapped(_bound(original, asked), _bound(rewrite, named)):
        yield violation_of("picture_swapped")


def _bound(text: str, references: list[Reference]) -> dict[int, frozenset[str]]:
    """Return what is said to be in each picture: in front of it, in Chinese behind."""
    bound: dict[int, frozenset[str]] = {}
    for at, one in enumerate(references):
        if text.isascii():
            start = references[at - 1].end if at else 0
            said = text[start : one.start]
        else:
            end = references[at + 1].start if at + 1 < len(references) else len(text)
            said = text[one.end : end]
        bound[one.number] = bound.get(one.number, frozenset()) | read(said).things()
    return bound


def _are_swapped(asked: dict[int, frozenset[str]], made: dict[int, frozenset[str]]) -> bool:
    """Whether something of one picture is said to be in another, and not in its own."""
    return any(
        one != other
        and (things - asked.get(other, frozenset())) & made.get(other, frozenset())
        and not things & made.get(one, frozenset())
        for one, things in asked.items()
        for other in asked
    )
