"""Makes things for callers: writes a job down, works on it at once, and waits for it a while."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import Actor
from llm_api.domain.calls import Caller, CallReport
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.repeats import IdempotencyKey
from llm_api.domain.tasks import CancelState, Task, TaskState
from llm_api.errors import Unavailable
from llm_api.services.jobs.accounts import JobAccounts
from llm_api.services.jobs.document import NEW, SUBMITTING, JobDocument, Wanted
from llm_api.services.jobs.inputs import ImageInputs, InputTools
from llm_api.services.jobs.job import Job, JobPreview
from llm_api.services.jobs.job_repeats import JobRepeats
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.order import Order
from llm_api.services.quotas.budgets import MakingNeeds
from llm_api.services.quotas.enforcer import QuotaLease
from llm_api.services.tasks.claimed import ClaimedTask, Waiter
from llm_api.services.tasks.webhooks import Webhooks, webhook_id
from llm_api.storage import StoreError
from llm_api.upstream.media.vendor_protocol import Preview

R = TypeVar("R", bound=Wanted)
J = TypeVar("J", bound=Job)
_LOOK_S = 0.25
_CANCEL_S, _DEAF_S = 10.0, 2.0


class JobService(ABC, Generic[R, J]):
    """Makes what jobs of a kind are for.

    `answers_with_tasks` says that every vendor answers soon, with a task that may be cancelled.
    """

    answers_with_tasks: ClassVar[bool] = False

    def __init__(  # each is a part of its own
        self,
        jobs: JobStore,
        accounts: JobAccounts,
        tools: InputTools,
        webhooks: Webhooks,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the service.

        Args:
            jobs: keeps jobs.
            accounts: reserves and accounts for them.
            tools: read callers' pictures.
            webhooks: report the ends of jobs.
            now: the time in UTC.
        """
        self._jobs = jobs
        self._accounts = accounts
        self._tools = tools
        self._webhooks = webhooks
        self._now = now
        self._repeats = JobRepeats(jobs.tasks, jobs.threads, now)

    @abstractmethod
    def inputs(self, caller: Caller) -> ImageInputs:
        """Return what keeps the pictures that come with a request."""

    @abstractmethod
    def _order(self, request: R, caller: Caller, optimize: PromptRequest | None) -> Order[R]:
        """Make a request ready; raises ApiError."""

    @abstractmethod
    def _needs(self, order: Order[R], now: datetime) -> MakingNeeds:
        """Return what an order needs at most."""

    @abstractmethod
    def _job(self, task: Task) -> J:
        """Return what callers see of a task."""

    def generate(  # noqa: PLR0913  # what a caller may want beside the pictures
        self,
        request: R,
        caller: Caller,
        *,
        wait: float,
        optimize: PromptRequest | None = None,
        inputs: ImageInputs | None = None,
        callback_url: str | None = None,
        on_preview: Callable[[Preview], None] | None = None,
        on_job: Callable[[str], None] | None = None,
        identity: IdempotencyKey | None = None,
    ) -> J:
        """Make what `caller` wants, and wait for it at most `wait` seconds; raises ApiError.

        A client that leaves before anything was sent to a vendor cancels its job; later the job
        goes on without it. `optimize` says how to rewrite the prompt first, `inputs` has the
        pictures of the request, and `callback_url` gets a report of the job's end. `on_preview`
        gets pictures that are not finished, and `on_job` the job's id when it is written down,
        before anything is sent. A repeat of a request of the same `identity` gets its job.
        """
        inputs = inputs or self.inputs(caller)
        try:
            order, task, lease = self._prepared(request, caller, optimize, inputs, callback_url)
        except BaseException:
            inputs.discard()
            raise
        waiter = Waiter(caller.is_disconnected, on_preview) if wait > 0 else None
        with lease:
            if (other := self._claim(identity, task, inputs)) is not None:
                return _told(self.job(other, caller.key, wait=wait), wait)
            claimed = self._begin(task, waiter, inputs)
            if on_job is not None:
                on_job(task.id)
            if waiter is not None:
                self._wait_first(task.id, claimed, waiter, wait)
        return _told(self._answer(task.id, claimed, order.report), wait)

    def _prepared(
        self,
        request: R,
        caller: Caller,
        optimize: PromptRequest | None,
        inputs: ImageInputs,
        callback_url: str | None,
    ) -> tuple[Order[R], Task, AbstractContextManager[QuotaLease | None]]:
        """Make a request ready and reserve what it needs, of limits and of budgets."""
        if not self._jobs.health.is_good:
            message = "What is made cannot be kept at the moment; try again."
            raise Unavailable(message, reason="store_unavailable", retry_after=5)
        self._accounts.require_rows()
        if callback_url is not None:
            self._webhooks.check(callback_url)
        order, now = self._order(request, caller, optimize), self._now()
        needs = self._needs(order, now)
        task = order.task(
            inputs.job_id, caller, now, keep=self._jobs.keep, callback_url=callback_url
        )
        return order, task, self._accounts.reserve(needs, caller)

    def joined(self, identity: IdempotencyKey) -> str | None:
        """Return the id of the job that a request before has begun; raises ApiError."""
        return self._jobs.do(partial(self._repeats.find, identity))

    def _claim(
        self, identity: IdempotencyKey | None, task: Task, inputs: ImageInputs
    ) -> str | None:
        """Mark a task as what a request has begun; or return the id of the one that it joins."""
        if identity is None:
            return None
        other: str | None = None
        has_claimed = False
        try:
            other = self._jobs.do(partial(self._repeats.claim, identity, task))
            has_claimed = other is None
        finally:
            if not has_claimed:
                self._accounts.release(task.request_id)
                inputs.discard()
        return other

    def _wait_first(
        self, task_id: str, claimed: ClaimedTask | None, waiter: Waiter, seconds: float
    ) -> None:
        try:
            self._jobs.wait(task_id, claimed, seconds, waiter.is_disconnected)
        finally:
            waiter.leave()

    def _answer(self, task_id: str, claimed: ClaimedTask | None, before: CallReport) -> J:
        """Return a job as it is now; `before` is of the prompt's rewrite."""
        has_ended = claimed is not None and claimed.task.state.has_ended
        job = self._job(claimed.task if claimed and has_ended else self._jobs.found(task_id))
        return replace(job, report=replace(job.report, limits=before.limits))

    def _previewed(self, order: Order[R]) -> JobPreview:
        """Return what an order would send, and what it would cost at most."""
        needs = self._needs(replace(order, others=()), self._now())
        return JobPreview(
            model=order.at.model,
            upstream=order.at.upstream.name,
            prompt_original=order.prompt_original,
            prompt_used=order.fitted.prompt,
            requests=tuple(order.at.upstream.preview(order.fitted)),
            is_optimized=order.request.is_optimized,
            notices=(*order.notices, *order.fitted.notices),
            cost_micro=None if needs.cost is None else needs.cost.micro,
            currency=None if needs.cost is None else needs.cost.currency,
            report=order.report,
        )

    def job(self, task_id: str, key: ApiKey | None, *, wait: float = 0) -> J:
        """Return a job of a key, and wait at most `wait` seconds for its end; raises NotFound."""
        return self._job(self._jobs.awaited(task_id, key, wait))

    def cancel(
        self, task_id: str, key: ApiKey | None, by: Actor | None = None
    ) -> tuple[J, CancelState]:
        """Cancel a job as far as that is possible; `by` is an admin who may do so with any.

        Returns:
            The job, and `cancelled`, `too_late` or `not_supported`.
        """
        task = self._jobs.of_key(task_id, key)
        if task.state.has_ended:
            return self._job(task), _cancelled(task)
        self._jobs.ask_to_cancel(task, by)
        running = self._jobs.engine.running(task_id)
        if running is None:
            self._jobs.engine.wake()
        else:
            running.ask_to_cancel()
        began_at = time.monotonic()
        while (waited := time.monotonic() - began_at) < _CANCEL_S:
            task = self._jobs.found(task_id)
            document = JobDocument[Any].read(task.document)
            # A vendor that takes tasks has answered soon; any other hears nothing meanwhile.
            is_silent = waited > _DEAF_S and any(p.state == SUBMITTING for p in document.parts)
            is_deaf = is_silent and not self.answers_with_tasks
            if task.state.has_ended or document.cancel is not None or is_deaf:
                break
            time.sleep(_LOOK_S)
        return self._job(task), _cancelled(task)

    def purge(self, task_id: str, key: ApiKey | None, by: Actor | None = None) -> None:
        """Delete a job that has ended, with its files; raises InvalidRequest for another."""
        task = self._jobs.of_key(task_id, key)
        self._jobs.begin_purge(task, by)
        self._tools.files.delete_of_task(task_id)
        for one in (webhook_id(task_id), task_id):
            self._jobs.run(partial(self._jobs.tasks.delete, one))

    def _begin(self, task: Task, waiter: Waiter | None, inputs: ImageInputs) -> ClaimedTask | None:
        """Write a task down, and work on it; raises Unavailable."""
        try:
            return self._jobs.engine.run(task, waiter)
        except StoreError as error:
            self._accounts.release(task.request_id)
            inputs.discard()
            message = "The job cannot be written down at the moment, and is not begun."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def _told(job: J, wait: float) -> J:
    """Return a job, or raise its error to who has waited for it.

    Whether one that nobody waits for has failed already is a matter of milliseconds.
    """
    if job.error is not None and wait > 0:
        raise job.error.replaced(report=job.report)
    return job


def _cancelled(task: Task) -> CancelState:
    """Return what became of the wish to cancel a task."""
    if task.state is TaskState.CANCELLED:
        return CancelState.CANCELLED
    document = JobDocument[Any].read(task.document)
    states = set() if task.state.has_ended else {part.state for part in document.parts}
    if NEW in states:
        return CancelState.CANCELLED  # what was not sent will not be
    if SUBMITTING in states:
        return CancelState.NOT_SUPPORTED  # a vendor that answers with the pictures hears nothing
    return CancelState(document.cancel or CancelState.TOO_LATE)
