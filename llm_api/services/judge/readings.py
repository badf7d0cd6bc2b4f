"""Reads what a model has judged: typed, complete, and in the words that it was given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llm_api.domain.judging import Level, Outcome, PictureIssue
from llm_api.services.judge.reply_objects import is_verdict, objects_in
from llm_api.services.judge.rubric import NONE

MAX_TEXT_CHARS = 400
_MAX_ISSUES = 12
_ANSWERS = {
    "yes": Outcome.PASSED,
    "true": Outcome.PASSED,
    "no": Outcome.FAILED,
    "false": Outcome.FAILED,
    "unclear": Outcome.UNKNOWN,
}
_LEVELS = {level.value: level for level in Level}
_CHOICES = {"first": 0, "second": 1, "tie": None}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Graded:
    """A level, and what speaks for it."""

    level: Level
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a checkpoint, and what speaks for it."""

    outcome: Outcome
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a model has said of one picture.

    `levels` lack a dimension that the picture does not have. `answers` are in the order of the
    checkpoints.
    """

    levels: Mapping[str, Graded] = field(default_factory=dict)
    answers: tuple[Answered, ...] = ()
    issues: tuple[PictureIssue, ...] = ()
    safety_note: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """Which of two pictures a model has called the better one, 0 or 1; None for a tie."""

    choice: int | None
    evidence: str | None = None


class _UnreadableError(Exception):
    """A reply lacks something, or has another word than those that were given."""


def read_judgment(
    reply: str,
    dimensions: Sequence[str],
    *,
    may_be_absent: frozenset[str] = frozenset(),
    checkpoints: int = 0,
    has_safety_note: bool = False,
) -> Judgment | None:
    """Return what a reply says of a picture; None unless it says everything, and only once.

    Args:
        reply: the model's text.
        dimensions: those that it must have a level of.
        may_be_absent: those of them that a picture may not have.
        checkpoints: how many must be answered, with ids from 1 on.
        has_safety_note: whether there must be one.
    """

    def read(document: Mapping[str, Any]) -> Judgment:
        note = document.get("safety_note")
        if has_safety_note and (not isinstance(note, str) or not note.strip()):
            raise _UnreadableError
        return Judgment(
            levels=_levels(document, dimensions, may_be_absent),
            answers=_answers(document.get("checkpoints"), checkpoints) if checkpoints else (),
            issues=_issues(document.get("issues")),
            safety_note=_text(note),
            summary=_text(document.get("summary")),
        )

    return _only(reply, read)


def read_preference(reply: str) -> Preference | None:
    """Return which picture a reply prefers; None unless it says so, and only once."""

    def read(document: Mapping[str, Any]) -> Preference:
        word = _word(document.get("better"))
        if word not in _CHOICES:
            raise _UnreadableError
        return Preference(_CHOICES[word], _text(document.get("evidence")))

    return _only(reply, read)


def _only(reply: str, read: Callable[[Mapping[str, Any]], _T]) -> _T | None:
    """Return the one reading of a reply: of two that differ, nobody knows which counts.

    Nor does anybody where one of two verdicts cannot be read.
    """
    readings: list[_T] = []
    for document in objects_in(reply):
        try:
            reading = read(document)
        except _UnreadableError:
            if is_verdict(document):
                return None
            continue
        if reading not in readings:
            readings.append(reading)
    return readings[0] if len(readings) == 1 else None


def _levels(
    document: Mapping[str, Any], dimensions: Sequence[str], may_be_absent: frozenset[str]
) -> dict[str, Graded]:
    given = document.get("dimensions")
    if not isinstance(given, Mapping) and dimensions:
        raise _UnreadableError
    levels: dict[str, Graded] = {}
    for name in dimensions:
        graded = given.get(name) if isinstance(given, Mapping) else None
        said = graded if isinstance(graded, Mapping) else {"level": graded}
        word = _word(said.get("level"))
        if word == NONE and name in may_be_absent:
            continue
        if word not in _LEVELS:
            raise _UnreadableError
        levels[name] = Graded(_LEVELS[word], _text(said.get("evidence")))
    return levels


def _answers(given: Any, count: int) -> tuple[Answered, ...]:
    if not isinstance(given, list):
        raise _UnreadableError
    answers: dict[int, Answered] = {}
    for item in given:
        number = item.get("id") if isinstance(item, Mapping) else None
        number = int(number) if isinstance(number, str) and number.isdecimal() else number
        if type(number) is not int or number in answers or not 1 <= number <= count:
            raise _UnreadableError
        outcome = _ANSWERS.get(_word(item.get("answer")))
        if outcome is None:
            raise _UnreadableError
        answers[number] = Answered(outcome, _text(item.get("evidence")))
    if len(answers) < count:
        raise _UnreadableError
    return tuple(answers[number] for number in range(1, count + 1))


def _issues(given: Any) -> tuple[PictureIssue, ...]:
    listed = given if isinstance(given, list) else []
    found = []
    for item in listed[:_MAX_ISSUES]:
        kind = _text(item.get("type")) if isinstance(item, Mapping) else None
        if kind is not None and kind.lower() != NONE:
            found.append(PictureIssue(kind, _text(item.get("severity")), _text(item.get("where"))))
    return tuple(found)


def _word(value: Any) -> str:
    """Return a word as it is compared; a bool is one, in JSON's spelling."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip().lower() if isinstance(value, str) else ""


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    # A model's JSON can hold half of a pair of UTF-16, which no answer can.
    clean = value.encode("utf-8", "replace").decode()
    return " ".join(clean.split())[:MAX_TEXT_CHARS]
