"""Makes one part of a job: asks the vendor once, looks at its task, keeps what it has made."""

import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_api.domain.making import MakingFailure, VendorResult, VendorTask
from llm_api.errors import ApiError, InvalidRequest, UpstreamTimeout
from llm_api.services.jobs.document import (
    DONE,
    FAILED,
    NEW,
    SUBMITTED,
    SUBMITTING,
    UNKNOWN,
    KeptFile,
    KnownError,
    Part,
)
from llm_api.services.jobs.doubts import unknown_outcome
from llm_api.services.tasks.claimed import ClaimLost
from llm_api.storage import StoreError
from llm_api.upstream.faults import ClientGone, ShuttingDown

if TYPE_CHECKING:
    from llm_api.services.jobs.job_run import JobRun

_JITTER = 0.2
_AT_WORK = "running"


class PartRun:
    """Makes one part; what is known of it is saved at each step."""

    def __init__(self, job: "JobRun", index: int) -> None:
        """Make the part at `index` of a job."""
        self._job = job
        self._index = index
        self._began_at = time.monotonic()

    @property
    def _part(self) -> Part:
        return self._job.document.parts[self._index]

    def run(self) -> None:
        """Bring the part to its end, unless another process has to go on with it."""
        after = 0.0
        if self._part.state == NEW:
            after = self._submit()
        if self._part.state == SUBMITTED and not self._part.found:
            self._await(after)
        if self._part.state == SUBMITTED and self._part.found:
            known = self._part
            self._keep(VendorResult(known.found, known.failed, known.usage))

    def _submit(self) -> float:
        """Ask the vendor; returns in how many seconds to look at its task."""
        job, claimed = self._job, self._job.claimed
        if claimed.should_release:
            return 0.0
        if claimed.wants_cancel or job.is_left:
            self._end(_cancelled())
            return 0.0
        if not claimed.remaining:
            self._end(_too_late())
            return 0.0
        call = job.new_call(self._index)
        try:
            answer = job.create(self._index, call, self._sent)
        except ApiError as error:
            job.note(call)
            self._refused(error)
            return 0.0
        job.note(call)
        return self._answered(answer)

    def _sent(self) -> None:
        """Make durable that the part is about to leave."""
        self._job.sent()
        if self._part.state == NEW:
            self._change(state=SUBMITTING)

    def _answered(self, answer: VendorResult | VendorTask) -> float:
        if isinstance(answer, VendorTask):
            self._job.keep(self._index, state=SUBMITTED, vendor_id=answer.id)
            return answer.after
        self._keep(answer)
        return 0.0

    def _refused(self, error: ApiError) -> None:
        """End the part after an error, unless nothing was sent and another process may go on."""
        was_sent = self._part.state != NEW
        if isinstance(error, ShuttingDown | ClientGone):
            if self._job.claimed.is_lost:
                raise ClaimLost from error
            if not was_sent and isinstance(error, ClientGone):
                self._end(_cancelled())
            elif was_sent:
                self._end(unknown_outcome())
            return
        self._end(error if was_sent else error.replaced(may_have_charged=False))

    def _end(self, error: ApiError) -> None:
        """Save that there are no pictures, or that nobody knows."""
        state = UNKNOWN if error.may_have_charged else FAILED
        self._job.keep(
            self._index, state=state, found=(), error=KnownError.of(error), ms=self._ms()
        )

    def _await(self, after: float) -> None:
        """Look at the vendor's task until it has ended."""
        looked = 0
        while self._wait(after):
            try:
                with self._job.claimed.resting():
                    answer = self._job.poll(self._part.vendor_id or "", looked)
            except ApiError as error:  # the task has failed; what says nothing of it is none
                self._end(error)
                return
            looked += 1
            if isinstance(answer, VendorResult):
                self._keep(answer)
                return
            self._note(answer)
            after = self._job.claimed.pause_before(answer.after)

    def _note(self, task: VendorTask) -> None:
        """Save how far the vendor is, where that has changed; it is no harm if that fails."""
        if not task.state:  # it was not to be asked
            return
        news = (task.state == _AT_WORK, task.progress)
        if news != (self._part.at_work, self._part.progress):
            with suppress(StoreError):
                self._change(at_work=news[0], progress=news[1])

    def _wait(self, seconds: float) -> bool:
        """Wait before the next look; False where there will be none."""
        claimed = self._job.claimed
        ends_at = time.monotonic() + seconds * random.uniform(1, 1 + _JITTER)  # noqa: S311  # no secret
        while True:
            if claimed.is_lost:
                raise ClaimLost
            if claimed.should_release:
                return False
            if claimed.wants_cancel and self._job.cancel(self._part.vendor_id or ""):
                self._end(_cancelled())
                return False
            if not claimed.remaining:
                # One that its vendor has not begun with costs nothing.
                is_cancelled = self._job.cancel(self._part.vendor_id or "")
                self._end(_too_late().replaced(may_have_charged=not is_cancelled))
                return False
            left = ends_at - time.monotonic()
            if left <= 0:
                return True
            claimed.rest(left)

    def _keep(self, result: VendorResult) -> None:
        """Keep the pictures of an answer."""
        found, known = list(result.files), self._described(result)
        if found and all(one.url is not None for one in found):
            # Another process can fetch them, too.
            self._job.keep(self._index, state=SUBMITTED, found=tuple(found), **known)
        del result
        kept: list[KeptFile] = []
        failed: list[MakingFailure] = list(known["failed"])
        place = 0
        while found:  # one by one: each has megabytes, twice
            outcome = self._job.keep_file(self._index, place, found.pop(0))
            place += 1
            if isinstance(outcome, KeptFile):
                kept.append(outcome)
            else:
                failed.append(outcome)
        missing = self._part.count - len(kept) - len(failed)
        message = "The model has returned fewer results than it was asked for."
        failed += [MakingFailure("no_image_returned", message)] * missing
        self._job.keep(
            self._index,
            state=DONE if kept or known["delivered"] else FAILED,
            found=(),
            kept=tuple(kept),
            **known | {"failed": tuple(failed)},
        )

    def _described(self, result: VendorResult) -> dict[str, Any]:
        """Return what is known of an answer beside its pictures."""
        fitted = self._job.document.fitted
        inputs = len(fitted.references) + (fitted.mask is not None)
        usage = replace(result.usage, input_images=result.usage.input_images or inputs)
        return {
            "delivered": len(result.files),
            "failed": result.failed,
            "usage": usage,
            "vendor_request_id": result.vendor_request_id or self._part.vendor_request_id,
            "ms": self._part.ms or self._ms(),
        }

    def _change(self, **changes: Any) -> None:
        self._job.change(self._index, **changes)

    def _ms(self) -> int:
        return round((time.monotonic() - self._began_at) * 1000)


def _too_late() -> ApiError:
    return UpstreamTimeout(
        "The model did not finish in time.",
        reason="upstream_timeout",
        retryable=False,
    )


def _cancelled() -> ApiError:
    return InvalidRequest("The job was cancelled.", reason="cancelled")
