"""Has the anchors judged by a vision model, and collects what it says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from llm_api.domain.calls import Caller
from llm_api.domain.judging import JudgeRequest, Verdict
from llm_api.errors import ApiError
from llm_api.pictures.pictures import Pictures
from llm_api.services.anchors.anchor_set import Anchor, AnchorSet
from llm_api.services.judge import DIMENSIONS, JudgeService

ALIGNMENT = "alignment"
# What a model says of a picture, too; all other errors say that it was not asked.
_SAID_NOTHING = frozenset({"judge_unparsable", "content_filtered"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said of one anchor.

    Attributes:
        answers: `passed`, `failed` or `unknown`, by the words of the question.
        levels: words such as `good`, by dimension.
        error: the reason where it said nothing that counts.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AnchorRun:
    """What a model said of all anchors, by their ids.

    `model` is the name by which it was asked for, `answered_by` what its answers call it, `rubric`
    and `anchors` are the versions of both.
    """

    at: datetime
    model: str
    answered_by: str
    rubric: str
    anchors: str
    said: Mapping[str, Said]


def judge_anchors(
    judge: JudgeService,
    pictures: Pictures,
    anchors: AnchorSet,
    callers: Iterator[Caller],
    *,
    model: str | None = None,
    on_judged: Callable[[Anchor], None] = lambda _: None,
) -> AnchorRun:
    """Return what a vision model says of the anchors now.

    Args:
        judge: asks it.
        pictures: draw the anchors.
        anchors: the pictures, and what is asked about them.
        callers: who pays, a caller for each anchor.
        model: its name; None for the configured judge.
        on_judged: called with each anchor when it is judged.

    Raises:
        ApiError: no vision model could be asked about one of them.
        PicturesUnavailable: one could not be drawn.
    """
    named = judge.route(model, None).model
    said, seen = {}, Verdict("vision")
    for anchor in anchors.anchors:
        request = _request(judge, pictures, anchor, model)
        said[anchor.id], verdict = _asked(judge, request, next(callers))
        seen = verdict or seen
        on_judged(anchor)
    called = (named, seen.model or named, judge.rubric_version)
    return AnchorRun(datetime.now(UTC), *called, anchors.version, said)


def _asked(
    judge: JudgeService, request: JudgeRequest, caller: Caller
) -> tuple[Said, Verdict | None]:
    """Return what is said of a picture, and the verdict if it is one; raises ApiError."""
    try:
        verdict = judge.look(request, caller).answer
    except ApiError as error:
        if error.reason not in _SAID_NOTHING:
            raise
        return Said(error=error.reason), None
    return _said(verdict), verdict


def _request(
    judge: JudgeService, pictures: Pictures, anchor: Anchor, model: str | None
) -> JudgeRequest:
    picture = judge.read_picture(pictures.draw(anchor.drawing), "anchor")
    return JudgeRequest(
        pictures=(picture,),
        prompt=anchor.prompt,
        dimensions=() if anchor.has_quality else (ALIGNMENT,),
        checkpoints=tuple(words for words, _ in anchor.questions),
        includes_reasoning=False,
        model=model,
    )


def _said(verdict: Verdict) -> Said:
    answers = {one.text: one.outcome.value for one in verdict.checkpoints}
    levels = {
        name: verdict.scores[name].level.value for name in DIMENSIONS if name in verdict.scores
    }
    return Said(answers, levels)
