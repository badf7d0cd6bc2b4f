"""The judge that measures: it reads text and sees objects, and knows nothing of beauty."""

from collections.abc import Collection, Sequence
from typing import Protocol

from llm_api.domain.judging import (
    MEASURED,
    CheckpointVerdict,
    JudgedPicture,
    Measurements,
    Outcome,
    PromptRequirement,
)
from llm_api.services.measured_judge.detectable import labels_of
from llm_api.services.measured_judge.object_findings import (
    Asked,
    count_finding,
    place_finding,
    thing_finding,
)
from llm_api.services.measured_judge.text_findings import (
    Finding,
    no_text_finding,
    text_finding,
    text_place_finding,
)
from llm_api.services.prompts import read_checkpoint

_TEXT = "text"
_OF_THINGS = frozenset({"count", "object", "position"})
_NOT_MEASURED = {
    "color": "Colors are not measured: in the box around a thing they are wrong too often.",
    "other": "It cannot be measured.",
}


class Meter(Protocol):
    """Measures pictures."""

    def measure(
        self,
        picture: JudgedPicture,
        *,
        reads_text: bool,
        sees_objects: bool,
        expected_texts: Collection[str] = (),
    ) -> Measurements:
        """Measure a picture; what is missing stands in `unavailable`.

        Args:
            picture: the picture.
            reads_text: whether its text is read.
            sees_objects: whether objects are looked for.
            expected_texts: texts that are reported even where the reader is not sure.

        Raises PictureError or PicturesUnavailable.
        """


class MeasuredJudge:
    """Judges pictures by measurements. It is as safe for threads as its meter is."""

    def __init__(self, meter: Meter) -> None:
        """Judge by what a meter measures."""
        self._meter = meter

    def judge(
        self,
        picture: JudgedPicture,
        requirements: Sequence[PromptRequirement],
        checkpoints: Sequence[str],
    ) -> tuple[Measurements, tuple[CheckpointVerdict, ...]]:
        """Measure a picture and answer requirements, and after them checkpoints.

        Text is read and objects are looked for only where something asks for them. A checkpoint of
        which a part cannot be read or measured may fail, and never passes.

        Args:
            picture: the picture.
            requirements: those of its prompt.
            checkpoints: sentences of the caller that can be answered with yes or no.

        Raises PictureError or PicturesUnavailable, as the meter does.
        """
        read = [(sentence, *read_checkpoint(sentence)) for sentence in checkpoints]
        every = [*requirements, *(one for _, found, _ in read for one in found)]
        texts = [one.text for one in every if one.text is not None]
        measured = self._meter.measure(
            picture,
            reads_text=bool(texts) or any(one.thing == _TEXT for one in every),
            sees_objects=any(_needs_objects(one) for one in every),
            expected_texts=texts,
        )
        verdicts = [_verdict(one, requirements, measured) for one in requirements]
        answers = [
            _answer(sentence, found, measured, is_complete=is_complete)
            for sentence, found, is_complete in read
        ]
        return measured, (*verdicts, *answers)


def _needs_objects(requirement: PromptRequirement) -> bool:
    return requirement.kind in _OF_THINGS and bool(labels_of(requirement.thing))


def _verdict(
    requirement: PromptRequirement, every: Sequence[PromptRequirement], measured: Measurements
) -> CheckpointVerdict:
    outcome, evidence = _finding(requirement, every, measured)
    return CheckpointVerdict(requirement.words, outcome, evidence, MEASURED, requirement.kind)


def _finding(
    requirement: PromptRequirement, every: Sequence[PromptRequirement], measured: Measurements
) -> Finding:
    if requirement.text is not None:
        if requirement.kind == "position":
            return text_place_finding(requirement.text, requirement.relation or "", measured)
        others = [one.text for one in every if one.text is not None]
        return text_finding(requirement.text, others, measured)
    if requirement.kind in _NOT_MEASURED:
        return Outcome.UNKNOWN, _NOT_MEASURED[requirement.kind]
    if requirement.kind == "position":
        return place_finding(requirement, measured)
    if requirement.kind == "count":
        if requirement.thing == _TEXT:
            return no_text_finding(measured)
        return count_finding(requirement, Asked(every), measured)
    return thing_finding(requirement, measured)


def _answer(
    sentence: str,
    found: Sequence[PromptRequirement],
    measured: Measurements,
    *,
    is_complete: bool,
) -> CheckpointVerdict:
    """Answer a caller's sentence by all that it asks for: one that fails decides."""
    verdicts = [_verdict(one, found, measured) for one in found]
    failed = [one for one in verdicts if one.outcome is Outcome.FAILED]
    unknown = [one for one in verdicts if one.outcome is Outcome.UNKNOWN]
    decisive = failed or (verdicts if len(verdicts) == 1 else [])
    kind = decisive[0].kind if decisive else "other"
    if not found:
        outcome, evidence = Outcome.UNKNOWN, "It cannot be measured."
    elif failed:
        outcome, evidence = Outcome.FAILED, failed[0].evidence or ""
    elif unknown or not is_complete:
        outcome = Outcome.UNKNOWN
        evidence = (unknown or verdicts)[0].evidence or ""
        if not unknown:
            evidence = f"{evidence} The rest of the sentence cannot be measured."
    else:
        outcome, evidence = Outcome.PASSED, " ".join(one.evidence or "" for one in verdicts)
    return CheckpointVerdict(sentence, outcome, evidence, MEASURED, kind)
