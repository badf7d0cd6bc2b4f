"""One process's work on one job: makes its parts, some at a time, and falls back."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llm_api.domain.calls import Caller
from llm_api.domain.making import (
    FittedRequest,
    InputPicture,
    MakingFailure,
    VendorFile,
    VendorResult,
    VendorTask,
)
from llm_api.domain.tasks import CancelState, TaskState
from llm_api.domain.tracing import Trace
from llm_api.errors import ApiError, InvalidRequest, Unavailable
from llm_api.observability.logging import log_as
from llm_api.services.jobs.document import (
    ENDED,
    FAILED,
    NEW,
    SUBMITTING,
    JobDocument,
    KeptFile,
    new_parts,
)
from llm_api.services.jobs.doubts import without_doubts
from llm_api.services.jobs.job_needs import Keeping, SecondTry, Upstreams, nothing_instead
from llm_api.services.jobs.parts import PartRun
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.media.vendor_protocol import VendorUpstream

AT_ONCE = 2  # vendor calls of one job


class JobRun:
    """One process's work on one job."""

    def __init__(  # noqa: PLR0913  # each is a part of its own
        self,
        claimed: ClaimedTask,
        document: JobDocument[Any],
        upstream: VendorUpstream[Any],
        *,
        models: Upstreams,
        keeper: Keeping,
        trace: Trace | None = None,
        second_try: SecondTry = nothing_instead,
    ) -> None:
        """Work on a claimed task with its `document`, at its upstream, as a part of a trace."""
        self.claimed = claimed
        self.document = document
        self.upstream = upstream
        self._trace = trace
        self._models = models
        self._keeper = keeper
        self._second_try = second_try
        self._changing = threading.Lock()
        self._was_sent = any(part.state != NEW for part in document.parts)
        self._problems: list[BaseException] = []

    def run(self) -> bool:
        """Bring all parts to their ends; False where the job was released for another process.

        Raises ClaimLost, or StoreError.
        """
        self._settle_doubts()
        task = self.claimed.task
        if task.state is not TaskState.RUNNING:
            started_at = task.started_at or self.claimed.now()
            self.claimed.save(state=TaskState.RUNNING, started_at=started_at)
        while True:
            self._make_parts()
            if any(part.state not in ENDED for part in self.document.parts):
                self.claimed.release()
                return False
            if not (self._try_again() or self._fall_back()):
                return True

    def _settle_doubts(self) -> None:
        """End parts whose answer was lost with the process that waited for it."""
        if any(part.state == SUBMITTING for part in self.document.parts):
            files = self._keeper.whole_files(self.claimed.task.id)
            with self._changing:
                self.document = without_doubts(self.document, files)
                self.claimed.save_patiently(self.document.to_json())

    def _make_parts(self) -> None:
        """Make the parts, some at a time."""
        waiting = deque(i for i, part in enumerate(self.document.parts) if part.state not in ENDED)
        threads = [
            threading.Thread(target=self._make_from, args=[waiting], daemon=True)
            for _ in range(min(AT_ONCE, len(waiting)) - 1)
        ]
        for thread in threads:
            thread.start()
        self._make_from(waiting)
        for thread in threads:
            thread.join()
        if self._problems:
            raise self._problems[0]

    def _make_from(self, waiting: deque[int]) -> None:
        log_as(self.claimed.task.request_id)
        while waiting and not self._problems:
            try:
                PartRun(self, waiting.popleft()).run()
            except Exception as error:  # noqa: BLE001  # raised by who waits for all parts
                self._problems.append(error)

    def _try_again(self) -> bool:
        """Ask the same model for something else, where that may help; returns whether it does."""
        if self.claimed.wants_cancel or not self.claimed.remaining:
            return False
        document = self.document
        found = self._second_try(document)
        if found is None:
            return False
        request, notice = found
        fitted = _fitted(self.upstream, request, document.fitted.model)
        if fitted is None:
            return False
        self._begin_again(fitted, request=request, notices=(*document.notices, notice))
        return True

    def _begin_again(self, fitted: FittedRequest, **changes: Any) -> None:
        """Have other parts to make; saved before anything is sent, so that it is sent once."""
        with self._changing:
            self.document = replace(
                self.document, fitted=fitted, parts=new_parts(fitted), **changes
            )
            self.claimed.save_patiently(self.document.to_json())

    def _fall_back(self) -> bool:
        """Turn to the next model where nothing can have been charged; returns whether there is one.

        A request that was itself refused, such as by a content filter, is sent nowhere else.
        """
        document = self.document
        errors = [part.error for part in document.parts]
        may_go_on = all(
            part.state == FAILED and error is not None and error.allows_failover
            for part, error in zip(document.parts, errors, strict=True)
        )
        if not may_go_on or self.claimed.wants_cancel or not self.claimed.remaining:
            return False
        first = document.failed_before or errors[0]
        for place, (name, model) in enumerate(document.others):
            upstream = self._models.at(name)
            fitted = None if upstream is None else _fitted(upstream, document.request, model)
            if upstream is None or fitted is None:
                continue
            self.upstream = upstream
            others = document.others[place + 1 :]
            self._begin_again(fitted, upstream=name, others=others, failed_before=first)
            return True
        return False

    def change(self, index: int, **changes: Any) -> None:
        """Save a change of a part; raises StoreError or ClaimLost, and nothing has changed then."""
        with self._changing:
            changed = self.document.with_part(index, **changes)
            self.claimed.save(changed.to_json())
            self.document = changed

    def keep(self, index: int, **changes: Any) -> None:
        """Save a change that must not be lost; raises ClaimLost."""
        with self._changing:
            self.document = self.document.with_part(index, **changes)
            self.claimed.save_patiently(self.document.to_json())

    @property
    def is_left(self) -> bool:
        """Whether the client has left before anything was sent: nobody wants the pictures."""
        waiter = self.claimed.waiter
        is_first = not self._was_sent and waiter is not None and waiter.is_waiting
        return is_first and waiter is not None and waiter.is_disconnected()

    def must_stop(self) -> bool:
        """Whether a call must end: asked four times a second."""
        if self.claimed.is_lost:
            return True
        return not self._was_sent and (self.claimed.wants_cancel or self.is_left)

    def sent(self) -> None:
        """Note that something is about to leave: from now on the job goes on without its client."""
        self._was_sent = True

    @property
    def time_limit(self) -> float:
        """Seconds that one vendor call may take."""
        return min(self.claimed.remaining, self.document.fitted.seconds)

    def new_call(self, index: int) -> UpstreamCall:
        """Start the clock of a vendor call for a part: parts have ids of their own."""
        payer, request_id = self.document.payer, self.claimed.task.request_id
        caller = Caller(
            request_id=f"{request_id}.{index}",
            route=payer.route,
            address=payer.name,
            shown_id=payer.shown_id or request_id,
            trace=self._trace,
        )
        return self.upstream.new_call(
            self.must_stop, _nothing, time_limit=self.time_limit, caller=caller
        )

    def note(self, call: UpstreamCall) -> None:
        """Keep the attempts of a call; they are saved with the next change."""
        attempts = call.progress()[0]
        with self._changing:
            self.document = replace(self.document, attempts=(*self.document.attempts, *attempts))

    def create(
        self, index: int, call: UpstreamCall, on_sent: Callable[[], None]
    ) -> VendorResult | VendorTask:
        """Ask the vendor for a part; raises ApiError."""
        waiter = self.claimed.waiter
        return self.upstream.create(
            self.document.fitted,
            index,
            call,
            self._load,
            on_sent=on_sent,
            on_preview=None if waiter is None else waiter.watch,
        )

    def _load(self, picture: InputPicture) -> bytes:
        """Read an input of the job."""
        try:
            files = self._keeper.files
            owner = self.document.inputs_of or self.claimed.task.id
            inputs = {file.id: file for file in files.of_task(owner)}
            return files.read_all(inputs[picture.name])
        except KeyError as error:
            message = "A picture of the request was deleted meanwhile."
            raise Unavailable(message, reason="input_deleted", retryable=False) from error

    def poll(self, vendor_id: str, looked: int) -> VendorResult | VendorTask:
        """Look at a task of the vendor; raises ApiError."""
        return self.upstream.poll(vendor_id, self.document.fitted.model, looked)

    def cancel(self, vendor_id: str) -> bool:
        """Cancel a task of the vendor; returns whether it ends.

        What its vendor has refused is not asked for again; what it did not hear, is.
        """
        if self.document.cancel is not None:
            return False
        try:
            word = self.upstream.cancel(vendor_id, self.document.fitted.model)
        except ApiError:
            return False
        if word is not CancelState.CANCELLED:
            with self._changing:
                self.document = replace(self.document, cancel=word)
                self.claimed.save_patiently(self.document.to_json())
        return word is CancelState.CANCELLED

    def keep_file(self, index: int, place: int, found: VendorFile) -> KeptFile | MakingFailure:
        """Keep what a part has made; its seed is the vendor's, else the one that was sent."""
        seed = self.document.fitted.seed_of(index)
        if found.seed is None and seed is not None:
            found = replace(found, seed=seed + place)
        return self._keeper.keep(self.claimed, found, self.document)


def _fitted(upstream: VendorUpstream[Any], request: Any, model: str) -> FittedRequest | None:
    """Return a request in the terms of a model; None where that does not take it (any more)."""
    try:
        return upstream.fit(request, model)
    except InvalidRequest:
        return None


def _nothing() -> None:
    """Do nothing: what is sent is noted when it is sent."""
