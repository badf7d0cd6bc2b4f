"""Recognizes words that are spelt wrongly: what a rewrite corrects is neither added nor lost."""

from collections.abc import Iterable, Sequence

from llm_api.services.prompts.constraints.nouns import STOPS
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.vocabulary.words import phrases_by_pair

_SHORTEST, _SHORT, _LONG = 3, 4, 8


def is_misspelling(written: str, meant: str) -> bool:
    """Whether a word may be a misspelling of another.

    Of a short word only letters in another order, or one left out; of a longer one any slip of one
    key, and of two from eight letters on. The beginning of a word is another word: "dance" is no
    slip for "dancer".
    """
    if meant.startswith(written) or written.startswith(meant) or len(written) < _SHORTEST:
        return False
    if sorted(written) == sorted(meant):
        return _distance(written, meant) == 1
    if len(meant) <= _SHORT:
        return (
            len(written) < len(meant) and written[0] == meant[0] and _distance(written, meant) == 1
        )
    return _distance(written, meant) <= (2 if len(meant) >= _LONG else 1)


def is_meant(reading: Reading, words: str) -> bool:
    """Whether a prompt has a word, in a spelling that the vocabulary does not know."""
    meant = words.split()
    return any(is_misspelling(token, word) for token in _unknown(reading) for word in meant)


def is_spelt_otherwise(word: str, others: Iterable[str]) -> bool:
    """Whether any of other words is one, spelt rightly."""
    single = _single(word)
    return any(_single(other) == single or is_misspelling(word, other) for other in others)


def is_doubled_otherwise(word: str, others: Iterable[str]) -> bool:
    """Whether any of other words is one with another letter doubled: "desert" and "dessert"."""
    single = _single(word)
    return any(_single(other) == single for other in others)


def _unknown(reading: Reading) -> Sequence[str]:
    known = phrases_by_pair()
    return [
        token
        for token in reading.tokens
        if token.isascii() and token.isalpha() and token not in STOPS and token not in known
    ]


def _single(word: str) -> str:
    """Return a word with every doubled letter once."""
    return "".join(letter for at, letter in enumerate(word) if at == 0 or letter != word[at - 1])


def _distance(left: str, right: str) -> int:
    """Return how many letters are left out, put in, changed or exchanged (Damerau, restricted)."""
    if abs(len(left) - len(right)) > 2:  # more than is ever asked for
        return 3
    before: list[int] = []
    last: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, last, row = last, row, [i]
        for j, b in enumerate(right, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
    return row[-1]
