"""One process's work on one loop: takes step after step, each written down before it is begun."""

from dataclasses import replace
from functools import partial

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller
from llm_api.domain.loops import Amount
from llm_api.domain.tasks import TaskState
from llm_api.domain.tracing import Trace
from llm_api.errors import ApiError, RateLimited, Unavailable
from llm_api.services.jobs.document import KnownError
from llm_api.services.loop.brake import UNKNOWN, most_of
from llm_api.services.loop.choosing import best_first, is_accepted
from llm_api.services.loop.feedback import emphasized, lacked, together
from llm_api.services.loop.loop_document import (
    ACCEPTED,
    CANCELLED,
    DEADLINE,
    DONE,
    ERROR,
    MAKING,
    MAX_COST,
    MAX_TRIES,
    NOTHING,
    REWRITING,
    LoopDocument,
    LoopTry,
)
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.services.loop.running.try_run import LaterError, TryRun
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost
from llm_api.services.usage.call_log import log_call
from llm_api.upstream.faults import ClientGone, ShuttingDown

_UNKNOWN_OUTCOME = "outcome_unknown"
_MAX_WAITS = 30


class LoopRun:
    """One process's work on one loop."""

    def __init__(
        self,
        claimed: ClaimedTask,
        document: LoopDocument,
        steps: LoopSteps,
        trace: Trace | None = None,
    ) -> None:
        """Work on a claimed task with its `document`, as a part of a trace."""
        self.claimed = claimed
        self.document = document
        self.steps = steps
        self._trace = trace

    def run(self) -> bool:
        """Bring the loop to its end; False where it was released for another process.

        Raises ClaimLost, or StoreError.
        """
        self._charge_lost_call()
        task = self.claimed.task
        if task.state is not TaskState.RUNNING:
            started_at = task.started_at or self.claimed.now()
            self.claimed.save(state=TaskState.RUNNING, started_at=started_at)
        while self.document.stopped_by is None:
            if self.claimed.should_release:
                self.claimed.release()
                return False
            try:
                self._take_step()
            except LaterError as later:
                self.claimed.release(later.seconds)
                return False
            except (ClientGone, ShuttingDown) as error:
                if self.claimed.is_lost:
                    raise ClaimLost from error
                self._charge_lost_call()
        return True

    def _charge_lost_call(self) -> None:
        """Charge the most for a call whose answer was lost; a job is found again by its id."""
        current = self.document.current
        if current is not None and current.state != MAKING and self.document.pending is not None:
            self.save(self.document.paid(UNKNOWN))

    def _take_step(self) -> None:
        current = self.document.current
        try:
            key = self.steps.key_of(self.claimed.task)
            if current is None:
                self._begin_try(key)
            elif current.state == MAKING:
                TryRun(self, current, key).make()
            elif (reason := self.interrupted()) is not None:
                self.stop(reason)
            elif current.state == REWRITING:
                TryRun(self, current, key).rewrite()
            else:
                TryRun(self, current, key).judge()
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            self.wait_out(error)
            self._fail(error)

    def wait_out(self, error: ApiError) -> None:
        """Put the loop off after an error that passes, and that came before anything was sent."""
        is_ours = isinstance(error, RateLimited | Unavailable) and error.retryable
        was_sent = error.report is not None and error.report.attempts
        has_time = 0 < (error.retry_after or 0) < self.claimed.remaining
        if is_ours and not was_sent and has_time and self.document.waits < _MAX_WAITS:
            document = self._without_unsent()
            self.save(replace(document, waits=document.waits + 1))
            raise LaterError(error.retry_after or 0)

    def _without_unsent(self) -> LoopDocument:
        """Return the document after a step that was not taken; a job that is begun stays."""
        current = self.document.current
        if current is not None and current.state == MAKING and current.is_begun:
            return self.document
        return replace(self.document, pending=None)

    def _fail(self, error: ApiError) -> None:
        """End the loop with an error; a try that has begun keeps it."""
        document = self._without_unsent()
        known = KnownError.of(error)
        if document.pending is not None:
            document = document.paid(UNKNOWN)
        if document.current is not None:
            document = document.with_try(state=DONE, error=known)
        self.save(replace(document, stopped_by=ERROR, error=known))

    def stop(self, reason: str) -> None:
        """End the loop for a reason other than an error."""
        document = self.document
        if document.current is not None:
            document = document.with_try(state=DONE)
        self.save(replace(document, pending=None, stopped_by=reason))

    def interrupted(self) -> str | None:
        """Return why nothing more may be begun."""
        waiter = self.claimed.waiter
        if self.claimed.wants_cancel:
            return CANCELLED
        if not self.document.tries and waiter is not None and self.claimed.is_awaited:
            # Nothing was sent, and nobody wants the pictures.
            return CANCELLED if waiter.is_disconnected() else None
        return None if self.claimed.remaining else DEADLINE

    def _begin_try(self, key: ApiKey | None) -> None:
        """Decide whether there is another try, and write down what it is to do."""
        document = self.document
        reason = self._reason_to_end()
        if reason is not None:
            self.stop(reason)
            return
        one = self._next_try()
        if not self.affords(self._most_of(one, key)):
            self.stop(MAX_COST)
            return
        self.save(replace(document, tries=(*document.tries, one)))

    def _reason_to_end(self) -> str | None:
        """Return why the last try is the last one; None where another one follows."""
        last = self.document.tries[-1] if self.document.tries else None
        if last is None:
            return self.interrupted()
        if any(is_accepted(one.verdict, self.document.plan.accept) for one in last.pictures):
            return ACCEPTED
        if (reason := self.interrupted()) is not None:
            return reason
        if not _may_go_on(last):
            return ERROR
        return MAX_TRIES if len(self.document.tries) == self.document.plan.max_tries else None

    def _next_try(self) -> LoopTry:
        """Return the next try: with all that pictures have lacked so far."""
        document = self.document
        fed_back: tuple[str, ...] = ()
        if document.tries:
            last = document.tries[-1]
            fed_back = last.fed_back
            if last.pictures:
                best = best_first(last.pictures, document.plan.accept)[0]
                fed_back = together(fed_back, lacked(document.request.prompt, best.verdict))
        can_rewrite = bool(fed_back) and self.steps.optimizer.is_enabled
        return LoopTry(
            number=len(document.tries) + 1,
            prompt=emphasized(document.request.prompt, fed_back),
            fed_back=fed_back,
            state=REWRITING if document.optimize is not None or can_rewrite else MAKING,
        )

    def _most_of(self, one: LoopTry, key: ApiKey | None) -> Amount:
        """Return the most that a whole try can cost; free where nothing limits it."""
        if self.document.plan.max_cost is None:
            return NOTHING
        caller, now = self.caller("t", key), self.claimed.now()
        rewrite, pictures, *verdicts = self.steps.price_of_try(self.document, one, caller, now)
        texts = most_of([rewrite, *verdicts]).times(self.document.overrun)
        return texts.plus(most_of([pictures]))

    def affords(self, most: Amount) -> bool:
        """Whether a step fits into what is left of the plan's money."""
        limit = self.document.plan.max_cost
        return limit is None or self.document.charged.plus(most).fits(limit)

    def caller(self, suffix: str, key: ApiKey | None) -> Caller:
        """Return who pays for a step; its usage row has the loop's lineage and an own id."""
        task, payer = self.claimed.task, self.document.payer
        return Caller(
            request_id=f"{task.request_id}_{suffix}",
            route=payer.route,
            is_disconnected=lambda: self.claimed.is_lost or self.claimed.wants_cancel,
            time_limit=max(1.0, self.claimed.remaining),
            tags=payer.tags,
            lineage_id=payer.lineage_id,
            key=key,
            address=payer.name if key is None else "",
            shown_id=payer.shown_id or task.request_id,
            on_settled=partial(log_call, traceparent=payer.traceparent),
            trace=self._trace,
        )

    def save(self, document: LoopDocument) -> None:
        """Save the document; raises ClaimLost."""
        self.claimed.save_patiently(document.to_json())
        self.document = document


def _may_go_on(last: LoopTry) -> bool:
    """Whether another try can do better after one without an accepted picture."""
    if last.pictures:
        return any(one.verdict is not None for one in last.pictures)
    error = last.error
    return error is not None and (error.retryable or error.reason == _UNKNOWN_OUTCOME)
