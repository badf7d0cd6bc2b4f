"""Rewrites many prompts of one request, each with an outcome of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm_api.domain.calls import Caller, CallReport, CallResult
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.errors import ApiError, ServiceError, UpstreamTimeout
from llm_api.observability.logging import log_as
from llm_api.services.prompts import PromptOptimizer
from llm_api.services.quotas.batch_quotas import BatchQuotas
from llm_api.services.quotas.budgets import Needs
from llm_api.upstream.faults import ClientGone

# The bundled model has four places, which wait 20 s for each other at most.
AT_ONCE = 4
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one prompt: exactly one of `result` and `error` is set.

    `request_id` is that of its usage row, and of its lineage unless the batch names one.
    """

    request_id: str
    result: OptimizedPrompt | None = None
    error: ApiError | None = None


class PromptBatches:
    """Rewrites batches of prompts."""

    def __init__(self, optimizer: PromptOptimizer, quotas: BatchQuotas) -> None:
        """Create it.

        Args:
            optimizer: rewrites one prompt.
            quotas: counts the prompts of a batch, and reserves for them.
        """
        self._optimizer = optimizer
        self._quotas = quotas

    def optimize(
        self, prompts: Sequence[PromptRequest | ApiError], caller: Caller
    ) -> CallResult[Sequence[BatchOutcome]]:
        """Return what became of each prompt, in their order.

        A batch counts as so many requests as it has prompts. What all of its calls may take of a
        budget is reserved at once, for all or for none; each call settles its own share.

        Args:
            prompts: the requests; an error is the outcome of one that is invalid.
            caller: who pays for the calls, and how long there is for all of them.

        Raises:
            Unavailable: prompt optimization is switched off.
            RateLimited: the batch exceeds a limit or a budget.
            ClientGone: the client has left.
        """
        self._optimizer.require_enabled()
        limits = self._quotas.count(caller, len(prompts))
        batch = _Batch(self._optimizer, self._quotas, prompts, caller)
        batch.reserve()
        batch.run(min(AT_ONCE, self._quotas.places(caller) or AT_ONCE))
        if batch.is_left:
            raise ClientGone
        return CallResult(batch.outcomes, CallReport(limits=limits))


class _Batch:
    """A batch in progress."""

    def __init__(
        self,
        optimizer: PromptOptimizer,
        quotas: BatchQuotas,
        prompts: Sequence[PromptRequest | ApiError],
        caller: Caller,
    ) -> None:
        self.is_left = False
        self._optimizer = optimizer
        self._quotas = quotas
        self._caller = caller
        self._began_at = time.monotonic()
        self._reserved: set[str] = set()
        self._outcomes: dict[int, BatchOutcome] = {}
        self._requests: dict[int, PromptRequest] = {}
        for index, prompt in enumerate(prompts):
            if isinstance(prompt, PromptRequest):
                self._requests[index] = prompt
            else:
                self._end(index, error=prompt)
        self._waiting = deque(self._requests)

    @property
    def outcomes(self) -> list[BatchOutcome]:
        """What became of the prompts, in their order."""
        return [outcome for _, outcome in sorted(self._outcomes.items())]

    def reserve(self) -> None:
        """Reserve for all prompts that need a call; raises ApiError."""
        if self._caller.key is None or not self._caller.key.has_budgets:
            return
        needs: dict[str, Needs] = {}
        for index in list(self._waiting):
            try:
                needs |= self._needs(index)
            except ApiError as error:
                self._end(index, error=error)
                self._waiting.remove(index)
        self._quotas.reserve(self._caller, needs)
        self._reserved.update(needs)

    def _needs(self, index: int) -> Mapping[str, Needs]:
        """Return what a prompt needs by the id of its call; nothing where its rewrite is kept."""
        request = self._requests[index]
        if self._optimizer.is_kept(request, self._caller):
            return {}
        return {self._id(index): self._optimizer.needs(request, self._caller.key)}

    def run(self, at_once: int) -> None:
        """Rewrite all prompts, some at a time."""
        count = min(at_once, len(self._waiting))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count - 1)]
        try:
            for thread in threads:
                thread.start()
            self._work()
            for thread in threads:
                thread.join()
        finally:  # also of a request that is cut: what has not begun costs nothing
            for index in list(self._waiting):
                self._release(index)

    def _work(self) -> None:
        while not self.is_left:
            try:
                index = self._waiting.popleft()
            except IndexError:
                return
            self._rewrite(index)

    def _rewrite(self, index: int) -> None:
        request_id = self._id(index)
        log_as(request_id)
        try:
            result = self._optimizer.optimize(self._requests[index], self._payer(request_id))
        except ApiError as error:
            if error.report is None or not error.report.attempts:
                self._release(index)
            self.is_left = self.is_left or isinstance(error, ClientGone)
            self._end(index, error=error)
        except Exception:  # a fault of ours costs the others nothing
            logger.exception("prompt of a batch not rewritten")
            message = "Something went wrong in this service; quote the request id to its operator."
            self._end(index, error=ServiceError(message, reason="internal_error"))
        else:
            if not result.report.attempts:
                self._release(index)
            self._end(index, result=result.answer)
        finally:
            log_as(self._caller.shown_id or self._caller.request_id)

    def _payer(self, request_id: str) -> Caller:
        """Return the caller of one prompt, with the time that is left; raises UpstreamTimeout."""
        limit = self._caller.time_limit
        if limit is not None:
            limit -= time.monotonic() - self._began_at
            if limit <= 0:
                message = "The time for the whole batch was over before this prompt's turn."
                raise UpstreamTimeout(message, reason="upstream_timeout")
        has_reserved = request_id in self._reserved
        return replace(
            self._caller,
            request_id=request_id,
            time_limit=limit,
            has_reserved=has_reserved,
            shown_id=self._caller.shown_id or self._caller.request_id,
        )

    def _release(self, index: int) -> None:
        """Give back what was reserved for a call that was not made."""
        if (request_id := self._id(index)) in self._reserved:
            self._quotas.release(request_id)

    def _end(
        self,
        index: int,
        *,
        result: OptimizedPrompt | None = None,
        error: ApiError | None = None,
    ) -> None:
        self._outcomes[index] = BatchOutcome(self._id(index), result, error)

    def _id(self, index: int) -> str:
        return f"{self._caller.request_id}_{index}"
