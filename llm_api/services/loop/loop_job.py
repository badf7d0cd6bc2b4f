"""What callers see of a loop: its best pictures with their verdicts, and all its tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from llm_api.domain.calls import CallReport
from llm_api.domain.fidelity import FidelityItem
from llm_api.domain.judging import Verdict
from llm_api.domain.loops import Amount
from llm_api.domain.making import Notice
from llm_api.domain.money import decimal_text
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError, InvalidRequest, ServiceError, UpstreamTimeout
from llm_api.services.images import ImageJob, JobPreview, MadePicture
from llm_api.services.loop.choosing import best_first, best_try
from llm_api.services.loop.loop_document import (
    CANCELLED,
    DEADLINE,
    MAX_COST,
    LoopDocument,
    LoopTry,
)
from llm_api.services.loop.loop_notices import notices_of
from llm_api.services.measured_judge import fidelity_of
from llm_api.services.prompts import requirements_of

# Of our request: a vendor that rewrites prompts is told not to where this service has done it.
_VENDOR_SWITCH = "optimize_prompt: true"


@dataclass(frozen=True, slots=True)
class LoopJob:
    """A loop, and what has become of it; see `ImageJob`.

    Attributes:
        best: the job of the best try, its pictures in the order of their worth; None while there
            is none.
        verdicts: by the ids of the files.
        tries: all that were begun.
        fidelity: what became of each thing that the prompt asks for, up to the best picture.
        stopped_by: `accepted`, `max_tries`, `max_cost`, `deadline`, `error`, or `cancelled`; None
            while it goes on.
        cost: of all tries together.
        notices: what the caller must know.
    """

    id: str
    state: TaskState
    created_at: datetime
    expires_at: datetime
    model: str
    prompt: str
    best: ImageJob | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    tries: Sequence[LoopTry] = ()
    fidelity: tuple[FidelityItem, ...] = ()
    stopped_by: str | None = None
    cost: Amount = field(default_factory=Amount)
    poll_after_ms: int = 1_000
    error: ApiError | None = None
    report: CallReport = field(default_factory=CallReport)
    notices: Sequence[Notice] = ()

    @property
    def pictures(self) -> Sequence[MadePicture]:
        """The best pictures, the best of them first."""
        return () if self.best is None else self.best.pictures


@dataclass(frozen=True, slots=True)
class LoopPreview:
    """What a loop would do, and cost at most.

    Attributes:
        shown: the first request, with the cost of all tries.
        judged_by: the model that would judge; None: the pictures are measured.
        checkpoints: what they would be held against.
        of_a_try: the most that the first try can cost.
    """

    shown: JobPreview
    judged_by: str | None
    checkpoints: Sequence[str]
    max_tries: int
    of_a_try: Amount


def error_of(document: LoopDocument) -> ApiError | None:
    """Return the error of a loop that has ended without pictures."""
    if any(one.pictures for one in document.tries) or document.stopped_by is None:
        return None
    if document.error is not None:
        return document.error.error()
    if document.stopped_by == CANCELLED:
        return InvalidRequest("The job was cancelled.", reason="cancelled")
    known = [one.error for one in document.tries if one.error is not None]
    if known:
        return known[-1].error()
    if document.stopped_by == DEADLINE:
        message = "No picture was made in time."
        return UpstreamTimeout(message, reason="upstream_timeout", retryable=False)
    if document.stopped_by == MAX_COST:
        return too_low()
    return ServiceError("Something went wrong in this service.", reason="internal_error")


def too_low(least: Amount | None = None) -> InvalidRequest:
    """Return the error of a limit that no try fits into; `least` is what one can cost at most."""
    message = "must be more: a single try can cost more than this."
    if least is not None and least.micro is not None:
        amount = f"{decimal_text(least.micro)} {least.currency}"
        message = f'must be at least "{amount}", which a single try can cost.'
    return InvalidRequest.of_field("until.max_cost", message, reason="max_cost_too_low")


def state_of(document: LoopDocument) -> TaskState:
    """Return the state of a loop that has ended."""
    if document.stopped_by == CANCELLED:
        return TaskState.CANCELLED
    if error_of(document) is None:
        return TaskState.SUCCEEDED
    return TaskState.EXPIRED if document.stopped_by == DEADLINE else TaskState.FAILED


def loop_job(
    task: Task,
    document: LoopDocument,
    best: ImageJob | None,
) -> LoopJob:
    """Return what callers see of a loop; `best` is the job of its best try."""
    known = {
        one.file_id: one.verdict
        for each in document.tries
        for one in each.pictures
        if one.verdict is not None
    }
    chosen = best_try(document.tries, document.plan.accept)
    if best is not None and chosen is not None:
        best = _best_first(best, chosen, document)
    return LoopJob(
        id=task.id,
        state=task.state,
        created_at=task.created_at,
        expires_at=task.expires_at,
        model=document.model if best is None else best.model,
        prompt=document.request.prompt,
        best=best,
        verdicts=known,
        tries=document.tries,
        fidelity=() if best is None else _fidelity(best, known, document),
        stopped_by=document.stopped_by,
        cost=document.cost,
        error=error_of(document) if task.state.has_ended else None,
        report=CallReport() if best is None else best.report,
        notices=notices_of(document, None, None) if best is None else best.notices,
    )


def _fidelity(
    best: ImageJob, verdicts: Mapping[str, Verdict], document: LoopDocument
) -> tuple[FidelityItem, ...]:
    """Return what the best picture shows of the caller's prompt, and who has lost the rest."""
    picture = next(iter(best.pictures), None)
    return fidelity_of(
        requirements_of(best.prompt_original),
        prompt=best.prompt_original,
        rewrite=best.prompt_used if best.is_optimized else None,
        vendor_rewrite=best.vendor_prompt if picture is None else picture.revised_prompt,
        verdict=None if picture is None else verdicts.get(picture.file.id),
        vendor_switch=_VENDOR_SWITCH if document.vendor_stops and not best.is_optimized else None,
    )


def _best_first(best: ImageJob, chosen: LoopTry, document: LoopDocument) -> ImageJob:
    """Order the pictures of a job by their worth."""
    order = [one.file_id for one in best_first(chosen.pictures, document.plan.accept)]
    pictures = sorted(best.pictures, key=lambda one: order.index(one.file.id))
    return replace(
        best,
        pictures=tuple(pictures),
        prompt_original=document.request.prompt,
        is_optimized=best.prompt_used != document.request.prompt,
        notices=notices_of(document, chosen, best),
    )
