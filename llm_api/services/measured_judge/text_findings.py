"""Judges the texts that a picture shall show by those that were read in it.

A text that was not read may be there all the same: that is unknown. One that was read with a few
letters wrong is failed, if the reader was sure and the letters were large enough.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm_api.domain.judging import Measurements, Outcome, ReadText
from llm_api.services.measured_judge.text_distance import (
    differences,
    distance,
    letters_of,
    plain,
)

_SURE = 0.8
_MIN_PIXELS = 12  # of a line's height: below it, letters were misread in drawn texts
_MAX_LINES = 40
_MAX_WORDS = 60
_LONGEST_RUN = 40
_MAX_DIFFERENCES = 8
_MIDDLE = (0.45, 0.55)
_READABLE = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "DIGIT", "FULLWIDTH", "IDEOGRAPHIC")
_NOT_READ = "The text was not found, which does not mean that it is not there"

Finding = tuple[Outcome, str]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighboring words that were read, as they are written and for comparisons."""

    written: str
    read: str
    lines: tuple[ReadText, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Words that were read, and how they differ from what is wanted."""

    text: str
    lines: tuple[ReadText, ...]
    distance: int
    is_part: bool = False


def text_finding(wanted: str, others: Sequence[str], measured: Measurements) -> Finding:
    """Judge whether a text is in a picture.

    Args:
        wanted: the text.
        others: further texts that the picture shall show; they are no misspellings of this one.
        measured: with the texts that were read.
    """
    if measured.texts is None:
        return Outcome.UNKNOWN, unavailable(measured, "texts")
    if not _is_readable(wanted):
        return Outcome.UNKNOWN, "Letters of this script cannot be read."
    best = _best(wanted, others, measured.texts)
    if best is None:
        return Outcome.UNKNOWN, f"{_NOT_READ}{_all_read(measured.texts)}."
    if best.distance and not _is_similar(wanted, best):
        return Outcome.UNKNOWN, f"{_NOT_READ}{_all_read(measured.texts)}."
    doubt = _doubt(best, measured)
    if doubt:
        return Outcome.UNKNOWN, f'Reads "{best.text}", {doubt}.'
    return _judged(wanted, best)


def _judged(wanted: str, best: _Candidate) -> Finding:
    if not best.distance:
        return Outcome.PASSED, f'Reads "{best.text}".'
    if letters_of(plain(wanted)) == letters_of(plain(best.text)):
        return Outcome.UNKNOWN, f'Reads "{best.text}": its marks differ, which may be misread.'
    if best.is_part:
        return Outcome.UNKNOWN, f'Reads "{best.text}", which contains it without gaps around.'
    letters = "letter differs" if best.distance == 1 else "letters differ"
    which = ", ".join(differences(plain(wanted), plain(best.text))[:_MAX_DIFFERENCES])
    return Outcome.FAILED, f'Reads "{best.text}": {best.distance} {letters} ({which}).'


def no_text_finding(measured: Measurements) -> Finding:
    """Judge whether a picture is without any text; nothing that was read proves that."""
    if measured.texts is None:
        return Outcome.UNKNOWN, unavailable(measured, "texts")
    sure = [one for one in measured.texts if one.confidence >= _SURE and len(plain(one.text)) > 1]
    if sure:
        return Outcome.FAILED, f'Reads "{sure[0].text}".'
    return Outcome.UNKNOWN, "No text was read, which does not mean that there is none."


def text_place_finding(wanted: str, relation: str, measured: Measurements) -> Finding:
    """Judge whether a text is at a side of the picture (`above` is its top), if it was read."""
    if measured.texts is None:
        return Outcome.UNKNOWN, unavailable(measured, "texts")
    best = _best(wanted, (), measured.texts)
    if best is None or best.is_part or (best.distance and not _is_similar(wanted, best)):
        return Outcome.UNKNOWN, f"{_NOT_READ}."
    boxes = [one.box for one in best.lines]
    axis = int(relation in {"above", "below"})
    middles = [(box[axis] + box[axis + 2]) / 2 for box in boxes]
    return side_finding(relation, sum(middles) / len(middles), f'"{best.text}"')


def side_finding(relation: str, middle: float, what: str) -> Finding:
    """Judge a side of the picture by where the middle of something is, from 0 to 1."""
    axis = "height" if relation in {"above", "below"} else "width"
    place = f"{what} is at {middle:.0%} of the picture's {axis}."
    low, high = _MIDDLE
    if low <= middle <= high:
        return Outcome.UNKNOWN, place
    is_first = middle < low
    is_met = is_first is (relation in {"above", "left_of"})
    return (Outcome.PASSED if is_met else Outcome.FAILED), place


def unavailable(measured: Measurements, part: str) -> str:
    """Return why a part did not look, and how to get it."""
    if part in measured.unavailable:
        return f"Unavailable: {measured.unavailable[part]}."
    return "It was not looked for."


def _is_readable(text: str) -> bool:
    letters = [sign for sign in text if sign.isalnum()]
    names = [unicodedata.name(sign, "") for sign in letters]
    return bool(names) and all(name.startswith(_READABLE) for name in names)


def _best(wanted: str, others: Sequence[str], texts: Sequence[ReadText]) -> _Candidate | None:
    """Return what is nearest to a text, of equals the one of which the reader is surest."""
    goal = plain(wanted)
    taken = {plain(other) for other in others} - {goal}
    runs = (run for run in _runs(goal, texts) if run.read not in taken)
    return min((_compared(goal, run) for run in runs), key=_rank, default=None)


def _rank(one: _Candidate) -> tuple[int, bool, float]:
    return one.distance, one.is_part, -min(line.confidence for line in one.lines)


def _runs(goal: str, texts: Sequence[ReadText]) -> Iterator[_Run]:
    """Yield runs of neighboring words: a text may be a part of a line, or go over several."""
    lines = texts[:_MAX_LINES]
    words = [(word, line) for line in lines for word in line.text.split() if plain(word)]
    del words[_MAX_WORDS:]
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST_RUN, len(words)) + 1):
            run = words[start:end]
            written = " ".join(word for word, _ in run)
            read = plain(written)
            if end > start + 1 and 2 * len(read) > 3 * len(goal) + 2:
                break
            if 2 * len(read) < len(goal):
                continue  # no misspelling of it, either
            yield _Run(written, read, tuple(dict.fromkeys(line for _, line in run)))


def _compared(goal: str, run: _Run) -> _Candidate:
    if goal in run.read and goal != run.read:
        at = run.read.index(goal)
        before, behind = run.read[:at], run.read[at + len(goal) :]
        if all(_stands_apart(rest) for rest in (before[::-1], behind) if rest):
            return _Candidate(run.written, run.lines, 0)
        if len(before) + len(behind) > max(1, len(goal) // 2):
            return _Candidate(run.written, run.lines, 1, is_part=True)
    return _Candidate(run.written, run.lines, distance(goal, run.read))


def _stands_apart(rest: str) -> bool:
    """Whether what is beside a text is no part of it: a mark, or two Chinese signs and more.

    Chinese has no gaps between its words; a single sign may be one that is written too much.
    """
    if not rest[0].isalnum():
        return len(letters_of(rest)) != 1 or len(rest) > 1
    signs = [sign for sign in rest if sign.isalnum()]
    return not rest[0].isascii() and len(signs) > 1


def _is_similar(wanted: str, best: _Candidate) -> bool:
    """Whether what was read is this text with mistakes, and not another one."""
    letters = len(plain(wanted))
    return best.is_part or best.distance <= max(letters // 2, int(letters > 1))


def _doubt(best: _Candidate, measured: Measurements) -> str:
    least = min(line.confidence for line in best.lines)
    if least < _SURE:
        return f"but the reader is not sure of it ({least:.2f})"
    pixels = min(_height(line, measured) for line in best.lines)
    if pixels < _MIN_PIXELS:
        return f"but its letters are too small for a judgment ({pixels:.0f} pixels)"
    return ""


def _height(line: ReadText, measured: Measurements) -> float:
    """Return the height of a line in pixels; of a vertical one, its width."""
    left, top, right, bottom = line.box
    return min((right - left) * measured.width, (bottom - top) * measured.height)


def _all_read(texts: Sequence[ReadText]) -> str:
    if not texts:
        return "; nothing was read"
    return "; reads " + ", ".join(f'"{one.text}"' for one in texts[:4])
