"""Asks what a verdict needs, as often as the caller wants it asked."""

from collections.abc import Sequence

from llm_api.domain.judging import JudgeRequest
from llm_api.services.judge.asking import Hearing, Reply, unreadable
from llm_api.services.judge.questions import (
    Question,
    alignment_question,
    quality_question,
    wants_alignment,
    wants_quality,
)
from llm_api.services.judge.readings import Judgment
from llm_api.services.judge.rubric import Rubric
from llm_api.services.judge.verdicts import Samples


def questions_of(
    rubric: Rubric, request: JudgeRequest
) -> tuple[list[Question[Judgment]], list[Question[Judgment]]]:
    """Return what is asked of alignment and of quality, once a sample."""
    texts = [text for text, _ in _checkpoints(request)]
    samples = range(request.samples)
    alignment = [alignment_question(rubric, request, texts, n) for n in samples]
    quality = [quality_question(rubric, request, n) for n in samples]
    return (
        alignment if wants_alignment(request) or texts else [],
        quality if wants_quality(request) else [],
    )


def sampled(hearing: Hearing, rubric: Rubric, request: JudgeRequest) -> Samples:
    """Ask all questions; raises UpstreamFault where no answer to one of them could be read."""
    asked = [_said(hearing, questions) for questions in questions_of(rubric, request)]
    replies = [reply for some in asked for reply in some]
    warnings = [reply.warning for reply in replies if reply.warning is not None]
    lost = sum(reply.said is None for reply in replies)
    counts = [len(_read(some)) for some in asked if some]
    return Samples(
        alignment=_read(asked[0]),
        quality=_read(asked[1]),
        checkpoints=_checkpoints(request),
        warnings=[*warnings, *_about_lost(lost)],
        is_seen=not warnings,
        count=min(counts, default=0),
    )


def _said(hearing: Hearing, questions: Sequence[Question[Judgment]]) -> list[Reply[Judgment]]:
    replies = [hearing.ask(question) for question in questions]
    if replies and not _read(replies):
        raise unreadable(hearing.report)
    return replies


def _read(replies: list[Reply[Judgment]]) -> list[Judgment]:
    return [reply.said for reply in replies if reply.said is not None]


def _about_lost(count: int) -> list[str]:
    return [f"{count} answers of the model could not be read and do not count."] if count else []


def _checkpoints(request: JudgeRequest) -> list[tuple[str, str]]:
    """Return what is to be answered with yes or no, each with its kind: nothing twice."""
    asked = [(text, "other") for text in request.checkpoints]
    asked += [(one.words, one.kind) for one in request.requirements]
    return list({text: (text, kind) for text, kind in reversed(asked)}.values())[::-1]
