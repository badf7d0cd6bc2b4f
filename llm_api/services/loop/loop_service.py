"""Makes and judges pictures for callers: writes a loop down, works on it, and waits for it."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import Actor
from llm_api.domain.calls import Caller
from llm_api.domain.images import ImageRequest
from llm_api.domain.loops import LoopPlan
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.repeats import IdempotencyKey
from llm_api.domain.tasks import CancelState, Task
from llm_api.errors import InvalidRequest, NotFound, Unavailable
from llm_api.services.images import ImageInputs
from llm_api.services.jobs.document import Payer
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_repeats import JobRepeats
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.order import Order
from llm_api.services.loop.brake import Priced, TextNeeds, check_prices, most_of
from llm_api.services.loop.choosing import best_try
from llm_api.services.loop.loop_document import (
    KIND,
    MAKING,
    PREFIX,
    REWRITING,
    LoopDocument,
    LoopTry,
    step_id,
)
from llm_api.services.loop.loop_job import LoopJob, LoopPreview, loop_job, too_low
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.services.tasks.claimed import ClaimedTask, Waiter
from llm_api.services.tasks.webhooks import Webhooks, webhook_id
from llm_api.storage import StoreError

Calls = Sequence[Sequence[Priced]]
_CANCEL_S = 10.0
# Of a try beside its vendor calls: the rewrite, and the verdict on each picture.
_TRY_S, _VERDICT_S = 120.0, 60.0


class LoopService:
    """Makes pictures, judges them, and tries again."""

    def __init__(
        self,
        steps: LoopSteps,
        tools: InputTools,
        webhooks: Webhooks,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the service.

        Args:
            steps: what loops do, and where their jobs are kept.
            tools: read callers' pictures.
            webhooks: report the ends of loops.
            now: the time in UTC.
        """
        self._steps = steps
        self._jobs: JobStore = steps.jobs.of_kind(KIND)
        self._tools = tools
        self._webhooks = webhooks
        self._now = now
        self._repeats = JobRepeats(steps.jobs.tasks, steps.jobs.threads, now)

    def inputs(self, caller: Caller) -> ImageInputs:
        """Return what keeps the pictures that come with a request."""
        return ImageInputs(self._tools, f"{PREFIX}{secrets.token_urlsafe(24)}", caller)

    def generate(  # noqa: PLR0913  # what a caller may want beside the pictures
        self,
        request: ImageRequest,
        caller: Caller,
        *,
        plan: LoopPlan,
        wait: float,
        optimize: PromptRequest | None = None,
        inputs: ImageInputs | None = None,
        callback_url: str | None = None,
        on_job: Callable[[str], None] | None = None,
        identity: IdempotencyKey | None = None,
    ) -> LoopJob:
        """Make pictures for `caller` by a plan, and wait at most `wait` seconds; raises ApiError.

        See `ImageService.generate`. A client that leaves before the first try cancels its loop;
        later the loop goes on without it.
        """
        inputs = inputs or self.inputs(caller)
        try:
            task = self._prepared(request, caller, plan, optimize, inputs.job_id, callback_url)
            other = self._claim(identity, task)
        except BaseException:
            inputs.discard()
            raise
        if other is not None:
            inputs.discard()
            return self._without_error(self.job(other, caller.key, wait=wait))
        waiter = Waiter(caller.is_disconnected)
        claimed = self._begin(task, waiter if wait > 0 else None, inputs)
        if on_job is not None:
            on_job(task.id)
        try:
            self._jobs.wait(task.id, claimed, wait, caller.is_disconnected)
        finally:
            waiter.leave()
        return self._without_error(self._job(self._jobs.found(task.id), caller.key))

    def _begin(self, task: Task, waiter: Waiter | None, inputs: ImageInputs) -> ClaimedTask | None:
        """Write a loop down, and work on it; raises Unavailable."""
        try:
            return self._jobs.engine.run(task, waiter)
        except StoreError as error:
            inputs.discard()
            message = "The job cannot be written down at the moment, and is not begun."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error

    @staticmethod
    def _without_error(job: LoopJob) -> LoopJob:
        if job.error is not None:
            raise job.error
        return job

    def _claim(self, identity: IdempotencyKey | None, task: Task) -> str | None:
        """Mark a loop as what a request has begun; or return the id of what it joins."""
        if identity is None:
            return None
        return self._jobs.do(partial(self._repeats.claim, identity, task))

    def _prepared(
        self,
        request: ImageRequest,
        caller: Caller,
        plan: LoopPlan,
        optimize: PromptRequest | None,
        loop_id: str,
        callback_url: str | None,
    ) -> Task:
        """Check a request and what it may cost, and return the task that is to make it."""
        if not self._jobs.health.is_good:
            message = "Pictures cannot be kept at the moment, and are not made; try again."
            raise Unavailable(message, reason="store_unavailable", retry_after=5)
        if callback_url is not None:
            self._webhooks.check(callback_url)
        document, order = self._checked(request, caller, plan, optimize)
        now, each = self._now(), max(one.seconds for one in order.all_fitted)
        limit = plan.max_tries * (each + _TRY_S + _VERDICT_S * request.n)
        return Task(
            id=loop_id,
            kind=KIND,
            created_at=now,
            due_at=now,
            deadline_at=now + timedelta(seconds=limit),
            expires_at=now + self._jobs.keep,
            document=replace(document, callback_url=callback_url).to_json(),
            key_id=None if caller.key is None else caller.key.id,
            request_id=caller.request_id,
            lineage_id=document.payer.lineage_id,
        )

    def _needs(self, request: ImageRequest, plan: LoopPlan, caller: Caller) -> TextNeeds:
        try:
            return self._steps.judge.needs(self._steps.judge_request(request, plan, ()), caller.key)
        except InvalidRequest as error:  # here, `model` is the one that makes the pictures
            message = "must be a model that takes pictures."
            raise InvalidRequest.of_field("judge.model", message, reason=error.reason) from error

    def _checked(
        self,
        request: ImageRequest,
        caller: Caller,
        plan: LoopPlan,
        optimize: PromptRequest | None,
    ) -> tuple[LoopDocument, Order[ImageRequest]]:
        """Return a new loop and its first order; raises ApiError where it cannot be done."""
        # Also where the judge is not there, or not for this key: before pictures are paid for.
        needs = self._needs(request, plan, caller)
        if plan.accept.min_overall is not None and needs is None:
            message = "is not supported without a vision model (JUDGE_LLM_MODEL, or judge.model)."
            raise InvalidRequest.of_field(
                "until.accept.min_overall", message, reason="not_supported"
            )
        model = self._steps.orders.destination(request, caller.key).model
        document = LoopDocument(request, plan, Payer.of(caller), model, optimize)
        order = self._steps.order(document, LoopTry(1, request.prompt), caller)
        self._check_cost(document, caller)
        ours = self._steps.order(document, LoopTry(1, request.prompt, is_optimized=True), caller)
        vendor_stops = ours.fitted.constants != order.fitted.constants
        return replace(document, vendor_stops=vendor_stops), order

    def _check_cost(self, document: LoopDocument, caller: Caller) -> None:
        """Raise InvalidRequest where `max_cost` cannot be kept, or no try fits into it."""
        limit = document.plan.max_cost
        if limit is None:
            return
        first, last = self._calls(document, caller)
        for priced in (*first, *last):
            check_prices(priced, limit)
        least = most_of(first)
        if not least.fits(limit):
            raise too_low(least)

    def _calls(self, document: LoopDocument, caller: Caller) -> tuple[Calls, Calls]:
        """Return the priced calls of the first try, and of a further one."""
        now, prompt = self._now(), document.request.prompt
        first = LoopTry(1, prompt, state=MAKING if document.optimize is None else REWRITING)
        first_calls = self._steps.price_of_try(document, first, caller, now)
        can_rewrite = document.plan.max_tries > 1 and self._steps.optimizer.is_enabled
        if not can_rewrite or document.optimize is not None:
            return first_calls, first_calls
        further = replace(first, state=REWRITING)
        return first_calls, self._steps.price_of_try(document, further, caller, now)

    def preview(
        self,
        request: ImageRequest,
        caller: Caller,
        *,
        plan: LoopPlan,
        optimize: PromptRequest | None = None,
    ) -> LoopPreview:
        """Show what a loop would do first, and what all of it costs at most; raises ApiError."""
        document, _ = self._checked(request, caller, plan, optimize)
        shown = self._steps.images.preview(request, caller, optimize=optimize)
        first, further = self._calls(document, caller)
        of_a_try = most_of(first)
        total = of_a_try.plus(most_of(further).times(plan.max_tries - 1))
        if plan.max_cost is not None and not total.fits(plan.max_cost):
            total = plan.max_cost
        asked = self._steps.judge_request(request, plan, ())
        needs = self._steps.judge.needs(asked, caller.key)
        return LoopPreview(
            shown=replace(shown, cost_micro=total.micro, currency=total.currency),
            judged_by=None if needs is None else needs[1].model,
            checkpoints=(*asked.checkpoints, *(one.words for one in asked.requirements)),
            max_tries=plan.max_tries,
            of_a_try=of_a_try,
        )

    def job(self, task_id: str, key: ApiKey | None, *, wait: float = 0) -> LoopJob:
        """Return a loop of a key, and wait at most `wait` seconds for its end; raises NotFound."""
        return self._job(self._jobs.awaited(task_id, key, wait), key)

    def _job(self, task: Task, key: ApiKey | None) -> LoopJob:
        document, best = LoopDocument.read(task.document), None
        chosen = best_try(document.tries, document.plan.accept)
        if chosen is not None and task.state.has_ended:
            try:
                best = self._steps.images.job(step_id(task.id, chosen.number), key)
            except NotFound:  # it was deleted by its own id
                best = None
        return loop_job(task, document, best)

    def cancel(
        self, task_id: str, key: ApiKey | None, by: Actor | None = None
    ) -> tuple[LoopJob, CancelState]:
        """Cancel a loop: no further step is begun, and the job under way as far as is possible."""
        task = self._jobs.of_key(task_id, key)
        if not task.state.has_ended:
            self._jobs.ask_to_cancel(task, by)
            running = self._jobs.engine.running(task_id)
            if running is None:
                self._jobs.engine.wake()
            else:
                running.ask_to_cancel()
            self._jobs.wait(task_id, running, _CANCEL_S)
            task = self._jobs.found(task_id)
        if task.state.has_ended:
            is_cancelled = task.state.value == CancelState.CANCELLED
            outcome = CancelState.CANCELLED if is_cancelled else CancelState.TOO_LATE
        else:  # the vendor makes pictures that cannot be stopped; nothing follows them
            outcome = CancelState.NOT_SUPPORTED
        return self._job(task, key), outcome

    def purge(self, task_id: str, key: ApiKey | None, by: Actor | None = None) -> None:
        """Delete a loop that has ended, with its jobs and files; raises InvalidRequest."""
        task = self._jobs.of_key(task_id, key)
        self._jobs.begin_purge(task, by)
        document = LoopDocument.read(task.document)
        steps = [step_id(task_id, one.number) for one in document.tries]
        for one in (*steps, task_id):
            self._tools.files.delete_of_task(one)
        for one in (*steps, webhook_id(task_id), task_id):
            self._jobs.run(partial(self._jobs.tasks.delete, one))
