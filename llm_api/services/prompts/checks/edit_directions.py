"""Reads which way a change goes: from what to what, and whether a rewrite goes the other way."""

import re
from collections.abc import Iterable, Iterator, Sequence

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.edits.clauses import Clause
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
_TO = re.compile(r"\b(?:with|to|into|for|by)\b|[换改变]成|[换改变]为|替换[成为]|成为")
_TURNED = re.compile(r"\b(?:instead of|rather than|in place of)\b|而不是|[代取]替?代?(?=.)")
_USING = re.compile(r"用(.+?)(?:来)?(?:替换|代替|取代|换掉)(.+)")
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
    return _named(text[: to.start()]), _named(text[to.end() :])


def _named(text: str) -> frozenset[str]:
    reading = read(text)
    colors = {term.concept for term in reading.of("color")}
    quotes = {quote.strip(" .,!?").casefold() for quote in find_quotes(text)}
    return frozenset(reading.things() | colors | quotes)
