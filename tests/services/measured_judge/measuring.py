"""Pictures that were measured already: what the tests of the measured judge share."""

from collections.abc import Collection
from dataclasses import dataclass, field

from llm_api.domain.judging import (
    CheckpointVerdict,
    JudgedPicture,
    Measurements,
    Outcome,
    ReadText,
    SeenObject,
)
from llm_api.services.measured_judge import MeasuredJudge
from llm_api.services.prompts import requirements_of

PICTURE = JudgedPicture(b"", "image/png", 1024, 1024, b"")


def line(text: str, confidence: float = 0.98, *, top: float = 0.4, height: float = 0.1) -> ReadText:
    """Return a line of text in the middle of a picture."""
    return ReadText(text, confidence, (0.2, top, 0.8, top + height))


def seen(label: str, *lefts: float, confidence: float = 0.8, top: float = 0.4) -> list[SeenObject]:
    """Return objects of a kind, one at each left edge."""
    return [SeenObject(label, confidence, (left, top, left + 0.1, top + 0.2)) for left in lefts]


def measured(
    *texts: str | ReadText, objects: Collection[SeenObject] | None = (), **fields: object
) -> Measurements:
    """Return measurements with some lines of text and objects."""
    lines = tuple(line(one) if isinstance(one, str) else one for one in texts)
    things = None if objects is None else tuple(objects)
    return Measurements(1024, 1024, texts=lines, objects=things, **fields)  # type: ignore[arg-type]  # fields of the tests


@dataclass
class FixedMeter:
    """Measures every picture the same, and remembers what it was asked for."""

    result: Measurements
    asked: list[tuple[bool, bool, list[str]]] = field(default_factory=list)

    def measure(
        self,
        picture: JudgedPicture,  # noqa: ARG002  # all are the same
        *,
        reads_text: bool,
        sees_objects: bool,
        expected_texts: Collection[str] = (),
    ) -> Measurements:
        """Return what was given."""
        self.asked.append((reads_text, sees_objects, list(expected_texts)))
        return self.result


def judged(prompt: str, result: Measurements, *checkpoints: str) -> list[CheckpointVerdict]:
    """Return the answers to a prompt's requirements, and to checkpoints."""
    judge = MeasuredJudge(FixedMeter(result))
    return list(judge.judge(PICTURE, requirements_of(prompt), checkpoints)[1])


def outcome(prompt: str, result: Measurements, kind: str) -> Outcome:
    """Return the answer to the only requirement of a kind."""
    [verdict] = [one for one in judged(prompt, result) if one.kind == kind]
    return verdict.outcome


def checked(sentence: str, result: Measurements) -> CheckpointVerdict:
    """Return the answer to a caller's sentence."""
    [verdict] = judged("", result, sentence)
    return verdict
