"""Finds the texts that a picture shall show, and where: what a prompt quotes, and no mere names."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.constraints.relations import (
    PLACES,
    is_han,
    is_of_other,
    is_of_thing,
)
from llm_api.services.prompts.constraints.syntax import without_tags
from llm_api.services.prompts.text import GAP, Quotation, quotations

_GAP = GAP.strip()
_STOPS = frozenset(".!?;。！？；")
_CLAUSE_ENDS = _STOPS | frozenset(":：,，")
# Behind a text, these end what is said of it.
_BREAKS = _CLAUSE_ENDS | {"and", "with", "和", "与"}
# Behind these a quotation is what something is called, and nothing to be read.
_NAMING = re.compile(
    r"(?:\b(?:named|called|nicknamed|dubbed|known as|by the name of|styles? of|inspired by|like)"
    r"|名叫|名为|叫做|叫|所谓|俗称|昵称|风格类似)\s*(?:the |a )?\Z",
    re.IGNORECASE,
)
_HAN_ENDS = frozenset("顶底最")  # 下面 may be below another text
_TITLE_MARKS = "《〈"
_WRITTEN = re.compile(r"[写印刻标题字书绣]")
_BEFORE = 24
_REACH = 10


@dataclass(frozen=True, slots=True)
class Writing:
    """A quoted text; `place` is `above` or `below` for the top or bottom of the picture.

    `is_shown` is false where the quotation only names something, and where it is not wanted.
    `start` and `end` are the tokens from which its place was read; equal where it has none.
    """

    text: str
    place: str | None = None
    is_shown: bool = True
    start: int = 0
    end: int = 0


def find_writings(prompt: str, reading: Reading, nouns: Collection[int]) -> tuple[Writing, ...]:
    """Return the quoted texts of a prompt in their order, each once.

    Args:
        prompt: the prompt.
        reading: of the prompt.
        nouns: the first tokens of those of the prompt.
    """
    plain = without_tags(prompt)
    quoted = quotations(plain)
    gaps = [at for at, token in enumerate(reading.tokens) if token == _GAP]
    is_clear = len(gaps) == len(quoted)  # the sign of a gap may occur in a prompt itself
    places = _places(reading, gaps, nouns) if is_clear else {}
    found: dict[str, Writing] = {}
    for index, quotation in enumerate(quoted):
        if not any(map(str.isalnum, quotation.text)):
            continue
        is_denied = is_clear and _is_denied(reading, gaps[index])
        is_shown = not is_denied and _is_shown(plain, quotation)
        writing = Writing(quotation.text, is_shown=is_shown)
        if (term := places.get(gaps[index] if is_clear else -1)) is not None:
            writing = replace(writing, place=term.concept, start=term.start, end=term.end)
        known = found.get(quotation.text)
        if known is None or (writing.is_shown and not known.is_shown):
            found[quotation.text] = writing
    return tuple(found.values())


def _is_shown(prompt: str, quotation: Quotation) -> bool:
    before = prompt[max(quotation.start - _BEFORE, 0) : quotation.start]
    if _NAMING.search(before):
        return False
    is_title = prompt[quotation.start : quotation.start + 1] in tuple(_TITLE_MARKS)
    return not is_title or _WRITTEN.search(before[-6:]) is not None


def _is_denied(reading: Reading, gap: int) -> bool:
    """Whether a text is not wanted: it stands behind a phrase of denial, and is no exception."""
    before = reading.tokens[max(gap - 2, 0) : gap]
    if before[-1:] in (["except"], ["but"], ["besides"]) or before == ["other", "than"]:
        return False
    return gap - 1 in reading.denied or any(term.end == gap for term in reading.of("negator"))


def _places(reading: Reading, gaps: Sequence[int], nouns: Collection[int]) -> dict[int, Term]:
    """Return the words that put texts at the top or the bottom: right behind, or else before."""
    terms, found = list(_sides(reading)), dict[int, Term]()
    for term in terms:
        gap = max((at for at in gaps if at < term.start), default=None)
        if gap is not None and _is_free(reading, gap + 1, term.start, nouns, _BREAKS):
            found[gap] = term
    used = set(found.values())
    for term in terms:
        gap = min((at for at in gaps if at >= term.end), default=None)
        if gap is None or gap in found or term in used:
            continue
        opening = _clause_start(reading, term.start)
        if not any(opening <= at < term.start for at in nouns) and _is_free(
            reading, term.end, gap, nouns, _STOPS
        ):
            found[gap] = term
    return found


def _sides(reading: Reading) -> Iterator[Term]:
    """Yield the words for the top and the bottom of the picture, not those of a thing."""
    for term in reading.of("relation"):
        if term.concept not in {"above", "below"} or term.start in reading.denied:
            continue
        if is_han(reading, term):
            is_end = not _HAN_ENDS.isdisjoint(reading.tokens[max(term.start - 1, 0) : term.end])
            is_end = is_end or any(frame.end == term.start for frame in reading.of("frame"))
            is_side = is_end and not is_of_thing(reading, term)
        else:
            is_side = not PLACES.isdisjoint(reading.tokens[term.start : term.end])
            is_side = is_side and not is_of_other(reading, term)
        if is_side:
            yield term


def _clause_start(reading: Reading, at: int) -> int:
    while at > 0 and reading.tokens[at - 1] not in _CLAUSE_ENDS and reading.tokens[at - 1] != _GAP:
        at -= 1
    return at


def _is_free(
    reading: Reading, start: int, end: int, nouns: Collection[int], breaks: frozenset[str]
) -> bool:
    """Whether neither another thing nor a break stands between a text and a place."""
    between = reading.tokens[start:end]
    is_near = len(between) <= _REACH and breaks.isdisjoint(between)
    return is_near and not any(start <= at < end for at in nouns)
