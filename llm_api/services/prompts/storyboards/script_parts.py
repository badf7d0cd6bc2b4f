"""Divides a script into the parts that its shots show, in their order and without a gap."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from llm_api.services.prompts.constraints.constraints import find_constraints
from llm_api.services.prompts.repair.sentences import sentences
from llm_api.services.prompts.text import (
    clean,
    find_quotes,
    is_ended,
    stem,
    without_quotes,
    words_of,
)

# What numbers the lines of a script, such as "Shot 2:", "Scene 3 -", "3." and "-".
_LABEL = re.compile(
    r"\A\s*(?:[-*•–]\s+|\(?\d{1,2}[.)、．]\s*"
    r"|(?:shot|scene|镜头|分镜|场景|第)\s*[\d一二三四五六七八九十]{1,3}\s*(?:个?镜头?|场|幕)?"
    r"\s*(?:\([^)]{0,20}\)|\[[^\]]{0,20}\])?\s*[:：.、—–-]\s*)",
    re.IGNORECASE,
)
# The heading of a scene in a screenplay says where the next line takes place.
_HEADING = re.compile(r"\A(?:INT|EXT|I/E|INT/EXT)[./ ]|\A(?:内景|外景|内|外)[.．、 ]")
# The speaker of the line behind it, and a cut, which is no picture.
_SPEAKER = re.compile(r"\A[A-Z][A-Z .'’-]{1,40}(?:\([^()]{1,30}\))?\Z")
_CUT = re.compile(
    r"\A(?:(?:SMASH|MATCH|JUMP|HARD) )?(?:CUT|FADE|DISSOLVE|WIPE)\b[A-Z ]{0,20}[:.]?\Z"
    r"|\A(?:切至|淡入|淡出)[:：。]?\Z"
)
_THEN = re.compile(
    r"(?:[,;，；]\s*(?:and\s+then\s+|then\s+|and\s+|while\s+|before\s+)?|\s+and\s+then\s+|\s+then\s+)"
    r"|(?:，?(?:然后|接着|随后|最后))"
)
# What comes next in time may be another shot.
_NEXT = re.compile(r"[,;]?\s+(?:and\s+)?then\s+|;\s+|[，；]?(?:然后|接着|随后)|；")
_MIN_WORDS, _MIN_SIGNS = 3, 5  # of a clause that can be a shot
_QUOTE_WEIGHT = 3.0
_OFF_PLACE = (
    0.2  # what a shot loses that stands elsewhere in the film than its sentence in the script
)


def script_units(script: str) -> Sequence[str]:
    """Return the sentences of a script; a line is one that has no stop.

    Numbers of shots and scenes are left out, and what only denies something goes with its neighbor:
    "No people." is no shot.
    """
    units: list[str] = []
    heading = ""
    for line in filter(None, map(clean, script.splitlines())):
        if _CUT.match(line):
            continue
        if _HEADING.match(line) or (_SPEAKER.match(line) and not heading):
            heading = f"{line.rstrip(' .:')}: "
            continue
        bare = _LABEL.sub("", line)
        if not any(map(str.isalnum, bare)):
            continue
        first, *rest = sentences(bare)
        units += [heading + first, *rest]
        heading = ""
    units += [heading.rstrip(" :")] if heading and not units else []
    return _joined_denials(units)


def _joined_denials(units: Sequence[str]) -> Sequence[str]:
    whole: list[str] = []
    waiting = ""
    for unit in units:
        found = find_constraints(unit)
        if found.negations and not found.objects and not found.quotes:
            if whole:
                whole[-1] = together([whole[-1], unit])
            else:
                waiting = together([waiting, unit]) if waiting else unit
            continue
        whole.append(together([waiting, unit]) if waiting else unit)
        waiting = ""
    return whole or ([waiting] if waiting else [])


def together(units: Sequence[str]) -> str:
    """Return sentences as one paragraph."""
    text = ""
    for unit in filter(None, units):
        is_han = bool(re.search("[\u4e00-\u9fff]", unit))
        stop = "" if not text or is_ended(text) else ("。" if is_han else ".")
        text = f"{text}{stop}{'' if is_han or not text else ' '}{unit}"
    return text


def split_units(units: Sequence[str], count: int) -> Sequence[str]:
    """Return at least `count` units where that can be: the longest are divided at their clauses."""
    found = list(units)
    while len(found) < count:
        by_length = sorted(range(len(found)), key=lambda at: -len(found[at]))
        divided = next(((at, two) for at in by_length if (two := _halves(found[at]))), None)
        if divided is None:
            break
        at, two = divided
        found[at : at + 1] = two
    return found


def _halves(unit: str) -> Sequence[str]:
    """Return a unit in two, at the end of a clause as near to its middle as can be, or nothing."""
    middle = len(unit) / 2
    for gap in sorted(_THEN.finditer(unit), key=lambda one: abs(one.start() - middle)):
        left, right = unit[: gap.start()].strip(), unit[gap.end() :].strip()
        if _is_clause(left) and _is_clause(right) and _is_closed(left):
            return [left, right[:1].upper() + right[1:]]
    return []


def _is_clause(text: str) -> bool:
    if not text.isascii() and re.search("[\u4e00-\u9fff]", text):
        return len(text) >= _MIN_SIGNS
    return len(text.split()) >= _MIN_WORDS


def _is_closed(text: str) -> bool:
    bare = without_quotes(text)
    return not any(mark in bare for mark in '"“”「」『』()（）')


def spread(units: Sequence[str], count: int) -> Sequence[Sequence[str]]:
    """Return units in `count` groups of about the same length, in their order.

    With fewer units than groups, a unit is in several groups that follow each other.
    """
    if len(units) < count:
        return [[units[at * len(units) // count]] for at in range(count)]
    lengths = [len(unit) for unit in units]
    total, ends = sum(lengths), [0]
    for at in range(1, count):
        wanted, best = total * at / count, ends[-1] + 1
        for end in range(ends[-1] + 1, len(units) - (count - at) + 1):
            if abs(sum(lengths[:end]) - wanted) < abs(sum(lengths[:best]) - wanted):
                best = end
        ends.append(best)
    return [units[a:b] for a, b in pairwise([*ends, len(units)])]


def aligned(sentences_of_script: Sequence[str], texts: Sequence[str]) -> Sequence[str]:
    """Return for each shot the part of the script that its text shows; some may show none.

    All of the script belongs to some shot, in its order: of all such ways, the one in which the
    parts and the shots have most words in common. A sentence is divided where it says "then".

    Args:
        sentences_of_script: at least one.
        texts: of the shots, at least one.
    """
    pieces = list(_pieces(sentences_of_script))
    units = [piece.text for piece in pieces]
    at, shots = _best_places(units, texts), [""] * len(texts)
    for place, piece in zip(at, pieces, strict=True):
        before = shots[place]
        is_whole = not piece.gap or not before
        shots[place] = (
            together([before, piece.text]) if is_whole else before + piece.gap + piece.text
        )
    return shots


class _Piece(NamedTuple):
    """A part of a sentence: `gap` is what stands in front of it, empty for the first."""

    text: str
    gap: str


def _pieces(units: Sequence[str]) -> Iterator[_Piece]:
    for unit in units:
        gap, rest = "", unit
        while found := next(
            (one for one in _NEXT.finditer(rest) if _is_closed(rest[: one.start()])), None
        ):
            yield _Piece(rest[: found.start()], gap)
            gap, rest = found[0], rest[found.end() :]
        yield _Piece(rest, gap)


def _best_places(units: Sequence[str], texts: Sequence[str]) -> Sequence[int]:
    """Return for each unit the number of its shot: ascending, and the likest of all such ways."""
    scores = [[_likeness(units, j, texts, k) for k in range(len(texts))] for j in range(len(units))]
    reached = [0.0] * len(texts)
    came: list[list[int]] = []
    for row in scores:
        best, froms, best_at = float("-inf"), [], 0
        longer = []
        for k, score in enumerate(row):
            if reached[k] > best:
                best, best_at = reached[k], k
            froms.append(best_at)
            longer.append(best + score)
        reached = longer
        came.append(froms)
    at = max(range(len(texts)), key=reached.__getitem__)
    places = []
    for froms in reversed(came):
        places.append(at)
        at = froms[at]
    return places[::-1]


def _likeness(units: Sequence[str], j: int, texts: Sequence[str], k: int) -> float:
    own, said = _stems(units[j]), _stems(texts[k])
    share = len(own & said) / len(own) if own else 0.0
    quotes = sum(quote in texts[k] for quote in find_quotes(units[j]))
    distance = abs((j + 0.5) / len(units) - (k + 0.5) / len(texts))
    return share + _QUOTE_WEIGHT * quotes - _OFF_PLACE * distance


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words_of(text) if len(word) > 2 or not word.isascii())
