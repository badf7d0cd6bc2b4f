"""Counts tokens as T5 1.1 does, the encoder of FLUX.1, Stable Diffusion 3, LTX and others.

Source of the pieces and their scores: T5, Apache License 2.0, as in the package invokeai 6.14.2.
The best split of a word is the one whose pieces have the highest scores together (Viterbi; Kudo
2018, https://arxiv.org/abs/1804.10959). Signs that no piece has become one token that says nothing.
"""

import gzip
import unicodedata
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

MARKS = 1  # at the end
_BLANK = "▁"
_UNKNOWN_PENALTY = 10.0  # below the least likely piece, as SentencePiece has it
# The pieces whose parts are likelier than they are: all others are their own best split.
_IN_PARTS = frozenset({"Its", "mes"})
_ENDS = ",."  # no piece has one of them behind a letter
_CACHED_WORDS = 4_096


class _Pieces(NamedTuple):
    """What words are split into; `longest` is in characters."""

    scores: dict[str, float]
    longest: int
    unknown: float
    letters: frozenset[str]


def count_t5(text: str) -> int:
    """Return the number of tokens, the one at the end included."""
    return MARKS + sum(map(_count_word, _normal(text).split()))


def unread_by_t5(word: str) -> bool:
    """Whether a word has letters or digits that no piece has."""
    return any(sign.isalnum() and sign not in _pieces().letters for sign in _normal(word))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u200d", " ")  # which joins emoji


@lru_cache(_CACHED_WORDS)
def _count_word(word: str) -> int:
    if word[-1] in _ENDS and word[-2:-1].isalpha():
        return _count_word(word[:-1]) + 1
    is_piece = _BLANK + word in _pieces().scores and word not in _IN_PARTS
    return 1 if is_piece else count_parts(word)


def count_parts(word: str) -> int:
    """Return the number of tokens of a word, by its best split."""
    pieces, text = _pieces(), _BLANK + word
    # For each end: the score of the best split, its tokens, and whether the last is unknown.
    best: list[tuple[float, int, bool]] = [(0.0, 0, False)]
    for end in range(1, len(text) + 1):
        score, count, was_unknown = best[end - 1]
        # Neighbors that are unknown are one token.
        found = (score + pieces.unknown, count + (not was_unknown), True)
        for start in range(max(0, end - pieces.longest), end):
            own = pieces.scores.get(text[start:end])
            if own is not None and best[start][0] + own > found[0]:
                found = (best[start][0] + own, best[start][1] + 1, False)
        best.append(found)
    return best[-1][1]


@cache
def _pieces() -> _Pieces:
    packed = resources.files(__package__).joinpath("t5_pieces.txt.gz").read_bytes()
    rows = (line.rpartition("\t") for line in gzip.decompress(packed).decode().split("\n"))
    scores = {piece: float(score) for piece, _, score in rows}
    letters = frozenset().union(*scores)
    unknown = min(scores.values()) - _UNKNOWN_PENALTY
    return _Pieces(scores, max(map(len, scores)), unknown, letters)
