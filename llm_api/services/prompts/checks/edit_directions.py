"""Reads which way a change goes: from what to what, and whether a rewrite goes the other way."""

import re
from collections.abc import Iterable, Iterator, Sequence

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.edits.clauses import Clause
from llm_api.services.prompts.edits.content_words import content_of
from llm_api.services.prompts.edits.operations import Act
from llm_api.services.prompts.text import find_quotes, fold, lower
from llm_api.services.prompts.vocabulary.words import little_words

_DOING = frozenset({Act.MAKE, Act.REMOVE})
# What stands in the place of another thing may be said to remove that.
_REPLACING = re.compile(
    r"\b(?:replac|swap|switch|exchang|substitut|fill|cover|turn|convert|transform|into)\w*"
    r"|换|替|填|补|变成|变为|改成|改为"
)
_INSTEAD = re.compile(r"\b(?:replac|swap|switch|exchang|substitut)\w*|换成|换为|替换|代替")
# From what stands in front of it to what stands behind.
_TO = re.compile(r"\b(?:with|to|into|for|by)\b|[换改变]成|[换改变]为|替换[成为]|成为|移[到至]")
_TURNED = re.compile(r"\b(?:instead of|rather than|in place of)\b|而不是|[代取]替?代?(?=.)")
_USING = re.compile(r"用(.+?)(?:来)?(?:替换|代替|取代|换掉)(.+)")
_SIDES = {
    "left": re.compile(r"\b(?:on|at|to) the left\b|\bleft(?:most)? (?!of)|左"),
    "right": re.compile(r"\b(?:on|at|to) the right\b|\bright(?:most)? (?!of)|右"),
}
# What such a change goes from and to are words of any kind: day and night, left and right.
_CHANGING = re.compile(
    r"\b(?:chang|turn|convert|transform|replac|swap|switch|mov)\w*|[换改变]成|[换改变]为|替换|移到"
)
_WHERE = re.compile(r"\b(?:left|right|top|bottom)\b|[左右上下][边侧方面角]")
_PAIRS = [pair.split("/") for pair in sorted(little_words("edits_contraries"))]
_CONTRARIES = [(one, other) for pair in _PAIRS for one, other in (pair, pair[::-1])]


def is_replaced(noun: Noun, clause: Clause) -> bool:
    """Whether another thing shall stand in the place of one."""
    sides = sides_of(clause)
    return (
        sides is not None
        and bool(noun.concepts & (sides[0] - sides[1]))
        and bool(_INSTEAD.search(lower(clause.text)))
    )


def replaces(clauses: Iterable[Clause]) -> bool:
    """Whether any clause puts something in the place of another thing."""
    return any(clause.act in _DOING and _REPLACING.search(lower(clause.text)) for clause in clauses)


def turned_round(before: Sequence[Clause], after: Sequence[Clause]) -> Iterator[Violation]:
    """Yield that what was to become another thing is what that becomes."""
    asked = [sides for clause in before if (sides := sides_of(clause)) is not None]
    made = [sides for clause in after if (sides := sides_of(clause)) is not None]
    for old, new in asked:
        for one in sorted(old - new):
            for other in sorted(new - old):
                is_turned = any(
                    other in left and one in right and one not in left and other not in right
                    for left, right in made
                )
                if is_turned:
                    yield violation_of("edit_reversed", f"{one} → {other}")
                    return


def sides_exchanged(before: Sequence[Clause], after: Sequence[Clause]) -> Iterator[Violation]:
    """Yield a side whose things were to go, or to stay, where those of the other side do."""
    for act in (Act.REMOVE, Act.KEEP):
        asked, made = _sides_of(before, act), _sides_of(after, act)
        if len(asked) == 1 and len(made) == 1 and asked != made:
            yield violation_of("edit_reversed", *asked)


def _sides_of(clauses: Iterable[Clause], act: Act) -> set[str]:
    every = " ".join(fold(clause.text) for clause in clauses if clause.act is act)
    return {side for side, words in _SIDES.items() if words.search(every)}


def contrary_words(comparison: Comparison) -> Iterator[Violation]:
    """Yield a word of an instruction in whose place a rewrite has its contrary."""
    asked, made = fold(comparison.original), fold(comparison.rewrite)
    for word, other in _CONTRARIES:
        has = (_has_word(asked, word), _has_word(asked, other))
        if has == (True, False) and not _has_word(made, word) and _has_word(made, other):
            yield violation_of("edit_reversed", word)


def _has_word(text: str, word: str) -> bool:
    return bool(re.search(rf"\b{word}", text)) if word.isascii() else word in text


def sides_of(clause: Clause) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return what becomes something else, and what it becomes; None where nothing does."""
    if clause.act not in {Act.MAKE, None}:
        return None
    text = lower(clause.text)
    if (using := _USING.search(text)) is not None:
        return _named(using[2]), _named(using[1])
    if (turned := _TURNED.search(text)) is not None:
        return _named(text[turned.end() :]), _named(text[: turned.start()])
    if clause.act is None or (to := _TO.search(text)) is None:
        return None
    before, behind = text[: to.start()], text[to.end() :]
    if not _CHANGING.search(text):
        return _named(before), _named(behind)
    return _named(before) | _worded(before), _named(behind) | _worded(behind)


def _worded(text: str) -> frozenset[str]:
    return content_of(text) | frozenset(_WHERE.findall(text))


def _named(text: str) -> frozenset[str]:
    reading = read(text)
    colors = {term.concept for term in reading.of("color")}
    quotes = {quote.strip(" .,!?").casefold() for quote in find_quotes(text)}
    return frozenset(reading.things() | colors | quotes)
