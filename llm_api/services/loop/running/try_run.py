"""Takes the steps of one try of a loop: its rewrite, the job of its pictures, their verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallResult
from llm_api.domain.loops import Amount
from llm_api.domain.making import Notice
from llm_api.domain.prompts import OptimizedPrompt
from llm_api.errors import ApiError, NotFound
from llm_api.services.images import ImageJob
from llm_api.services.jobs.document import KnownError
from llm_api.services.loop.brake import Priced, dearest, spent_on_pictures
from llm_api.services.loop.loop_document import (
    DONE,
    JUDGING,
    MAKING,
    MAX_COST,
    JudgedFile,
    LoopDocument,
    LoopTry,
    amount_text,
)
from llm_api.upstream.faults import ClientGone, ShuttingDown

if TYPE_CHECKING:
    from llm_api.services.loop.running.loop_run import LoopRun

_T = TypeVar("_T")
_LOOK_S = 1.0  # for the end of a job, and for the wish to cancel it
_CROWDED_S = 2.0


class LaterError(Exception):
    """A step cannot be taken now, and has cost nothing; the loop is put off for `seconds`."""

    def __init__(self, seconds: float) -> None:
        """Put it off."""
        super().__init__(seconds)
        self.seconds = seconds


class TryRun:
    """Takes the next step of one try; each method raises ApiError where the loop has to end."""

    def __init__(self, loop: "LoopRun", current: LoopTry, key: ApiKey | None) -> None:
        """Work on the `current` try of a loop, paid by a key."""
        self._loop = loop
        self._current = current
        self._key = key
        self._steps = loop.steps
        self._brake = loop.steps.brake

    def rewrite(self) -> None:
        """Rewrite the prompt; where that fails, what was missing is in the prompt all the same."""
        steps, current, now = self._steps, self._current, self._loop.claimed.now()
        try:
            priced = steps.price_of_rewrite(self._loop.document, current, self._key, now)
            result = self._call(
                priced, lambda caller: steps.rewrite(self._loop.document, current, caller)
            )
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            self._loop.wait_out(error)
            self._not_rewritten(error)
            return
        if result is not None:
            document = self._loop.document.paid(self._brake.spent_on(result.report, now))
            notices = document.tries[-1].notices
            self._loop.save(document.with_try(**_rewritten(result.answer, notices)))

    def _not_rewritten(self, error: ApiError) -> None:
        spent = self._brake.spent_on_failure(error.report, self._loop.claimed.now())
        document = self._loop.document.paid(spent)
        if document.optimize is not None and self._current.number == 1:
            self._loop.save(document)
            raise error
        message = (
            f"The prompt was not rewritten ({error.reason}); what was missing is added to it."
            f"{_told_cost(spent)}"
        )
        notice = Notice("optimize_prompt", "dropped", message)
        notices = (*document.tries[-1].notices, notice)
        self._loop.save(document.with_try(state=MAKING, notices=notices))

    def make(self) -> None:
        """Have the pictures made, or go on with the job that makes them."""
        loop, number = self._loop, self._current.number
        task_id, asked = loop.claimed.task.id, False
        job = self._steps.job(task_id, number, self._key) or self._begun_job()
        while job is not None and not job.state.has_ended:
            if loop.claimed.should_release:
                return
            if loop.claimed.wants_cancel and not asked:
                self._steps.cancel(task_id, number, loop.claimed.now())
                asked = True
            if self._steps.is_crowded_out(task_id, number):
                raise LaterError(_CROWDED_S)
            job = self._steps.job(task_id, number, self._key, _LOOK_S)
        if job is not None:
            self._made(job)

    def _begun_job(self) -> ImageJob | None:
        """Have the job begun; None where that is not to be."""
        if self._current.is_begun:
            raise NotFound("The job of a try was deleted meanwhile.", reason="job_not_found")
        loop, number = self._loop, self._current.number
        if (reason := loop.interrupted()) is not None:
            loop.stop(reason)
            return None
        caller, now = loop.caller(f"t{number}", self._key), loop.claimed.now()
        order = self._steps.order(loop.document, self._current, caller)
        most = dearest(self._steps.price_of_pictures(order, now))
        if not loop.affords(most):
            loop.stop(MAX_COST)
            return None
        loop.save(replace(loop.document, pending=most))
        self._steps.begin(order, loop.claimed.task, number, caller, now)
        loop.save(loop.document.with_try(is_begun=True))
        return self._steps.job(loop.claimed.task.id, number, self._key)

    def _made(self, job: ImageJob) -> None:
        pictures = tuple(JudgedFile(one.file.id, one.index) for one in job.pictures)
        error = None if job.error is None else KnownError.of(job.error)
        document = self._loop.document.paid(spent_on_pictures(job))
        state = JUDGING if pictures else DONE
        self._loop.save(document.with_try(state=state, pictures=pictures, error=error))

    def judge(self) -> None:
        """Judge the next picture; after the last one the try is done."""
        loop, now = self._loop, self._loop.claimed.now()
        pictures = self._current.pictures
        index = next((i for i, one in enumerate(pictures) if one.is_open), None)
        if index is None:
            loop.save(loop.document.with_try(state=DONE))
            return
        try:
            result = self._verdict_on(pictures[index], index)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            loop.wait_out(error)
            paid = loop.document.paid(self._brake.spent_on_failure(error.report, now))
            self._keep(paid, index, error=KnownError.of(error))
            return
        if result is not None:
            spent = self._brake.spent_on_verdict(result.answer, result.report, now)
            self._keep(loop.document.paid(spent), index, verdict=result.answer)

    def _verdict_on(self, one: JudgedFile, index: int) -> CallResult[Any] | None:
        steps, document = self._steps, self._loop.document
        picture = steps.judge.own_picture(one.file_id, self._key, f"data[{index}]")
        priced = steps.price_of_verdict(document, self._key, self._loop.claimed.now())
        return self._call(priced, lambda caller: steps.judged(document, picture, caller))

    def _keep(self, document: LoopDocument, index: int, **known: Any) -> None:
        pictures = list(self._current.pictures)
        pictures[index] = replace(pictures[index], **known)
        self._loop.save(document.with_try(pictures=tuple(pictures)))

    def _call(
        self, priced: Sequence[Priced], act: Callable[[Caller], CallResult[_T]]
    ) -> CallResult[_T] | None:
        """Call a model for texts, with a usage row of its own; None where the money is spent."""
        loop = self._loop
        most = dearest(priced).times(loop.document.overrun)
        if not loop.affords(most):
            loop.stop(MAX_COST)
            return None
        number = loop.document.calls + 1
        loop.save(replace(loop.document, pending=most, calls=number))
        return act(loop.caller(f"l{number}", self._key))


def _told_cost(spent: Amount) -> str:
    """Return a sentence on what a step that has failed has cost."""
    if spent.micro is None:
        return " It is not known what that has cost."
    return f" That has cost {amount_text(spent)}." if spent.micro else ""


def _rewritten(prompt: OptimizedPrompt, notices: Sequence[Notice]) -> dict[str, Any]:
    """Return what changes in a try by the rewrite of its prompt."""
    said = [Notice("optimize_prompt", "dropped", one) for one in prompt.warnings]
    return {
        "state": MAKING,
        "prompt": prompt.optimized_prompt,
        "is_optimized": prompt.optimized_prompt != prompt.original_prompt,
        "notices": (*notices, *said),
    }
