"""Works on the tasks of jobs: makes their parts, falls back, accounts for them, ends them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.images import (
    InputPicture,
    PictureFailure,
    VendorPicture,
    VendorResult,
    VendorTask,
)
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError, InvalidRequest, Unavailable
from llm_api.services.images.accounts import JobAccounts
from llm_api.services.images.document import (
    DONE,
    FAILED,
    SUBMITTING,
    UNKNOWN,
    JobDocument,
    KeptPicture,
    KnownError,
    new_parts,
)
from llm_api.services.images.image_models import ImageModels
from llm_api.services.images.keeping import Keeper
from llm_api.services.images.outcome import error_of, state_of
from llm_api.services.images.parts import PartRun, has_ended
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost
from llm_api.storage import StoreError
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.images.protocol import ImageUpstream

logger = logging.getLogger(__name__)

AT_ONCE = 2  # vendor calls of one job


@dataclass(frozen=True, slots=True)
class ImageWork:
    """Works on tasks of the kind `image`; `on_end` is called once more after a crash."""

    models: ImageModels
    keeper: Keeper
    accounts: JobAccounts
    on_end: Callable[[Task, JobDocument], None]
    pause: Callable[[float], None] = time.sleep

    def __call__(self, claimed: ClaimedTask) -> None:
        """Work on a task until it has ended, or another process has to go on with it."""
        document = JobDocument.read(claimed.task.document)
        upstream = self.models.at(document.upstream)
        if upstream is None:  # it was removed from the settings meanwhile
            error = Unavailable(
                "The image model's upstream is not configured any more.",
                reason="image_model_not_configured",
                retryable=False,
            )
            self._end_without(claimed, document, error)
            return
        JobRun(self, claimed, document, upstream).run()

    def _end_without(
        self, claimed: ClaimedTask, document: JobDocument, error: ApiError
    ) -> None:
        for index, part in enumerate(document.parts):
            if not has_ended(part):
                was_sent = part.state != "new"
                document = document.with_part(
                    index, state=UNKNOWN if was_sent else FAILED, error=KnownError.of(error)
                )
        self.end(claimed, document)

    def end(self, claimed: ClaimedTask, document: JobDocument) -> None:
        """Account for a job whose parts have ended, and end its task."""
        error = error_of(document)
        # First what may come twice, and is dropped then: so nothing is lost by a crash in between.
        document = self.accounts.settle(claimed.task, document, error)
        self.on_end(claimed.task, document)
        claimed.end(state_of(document, has_time=claimed.remaining > 0), document.to_json())


class JobRun:
    """One process's work on one job."""

    def __init__(
        self,
        work: ImageWork,
        claimed: ClaimedTask,
        document: JobDocument,
        upstream: ImageUpstream,
    ) -> None:
        """Work on a claimed task with its `document`, at its upstream."""
        self.claimed = claimed
        self.document = document
        self.upstream = upstream
        self._work = work
        self._changing = threading.Lock()
        self._was_sent = any(part.state != "new" for part in document.parts)
        self._problems: list[BaseException] = []

    def run(self) -> None:
        """Bring the job to its end, or release it for another process; raises ClaimLost."""
        self._settle_doubts()
        started = {} if self.claimed.task.started_at else {"started_at": self.claimed.now()}
        if self.claimed.task.state is not TaskState.RUNNING:
            self.claimed.save(state=TaskState.RUNNING, **started)
        while True:
            self._make_parts()
            if not all(map(has_ended, self.document.parts)):
                self.claimed.release()
                return
            if not self._fall_back():
                break
        self._work.end(self.claimed, self.document)

    def _settle_doubts(self) -> None:
        """End parts whose answer was lost with the process that waited for it.

        It may have kept pictures before it died: those that belong to no part are theirs.
        """
        doubts = [i for i, part in enumerate(self.document.parts) if part.state == SUBMITTING]
        if not doubts:
            return
        listed = {kept.file_id for part in self.document.parts for kept in part.kept}
        files = self._work.keeper.files.of_task(self.claimed.task.id)
        strays = deque(
            KeptPicture(file.id, file.width or 0, file.height or 0)
            for file in files
            if not file.is_input and file.id not in listed
        )
        for index in doubts:
            part = self.document.parts[index]
            kept = tuple(strays.popleft() for _ in range(min(part.count, len(strays))))
            if len(kept) == part.count:
                self.keep(index, state=DONE, kept=kept, delivered=len(kept))
                continue
            error = Unavailable(
                "The service was stopped while the image model was at work; whether it has made"
                " the pictures is not known.",
                reason="outcome_unknown",
                retryable=False,
            ).replaced(may_have_charged=True)
            self.keep(
                index,
                state=UNKNOWN,
                kept=kept,
                delivered=len(kept),
                error=KnownError.of(error),
            )

    def _make_parts(self) -> None:
        """Make the parts, some at a time."""
        waiting = deque(i for i, part in enumerate(self.document.parts) if not has_ended(part))
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
        while waiting and not self._problems:
            try:
                PartRun(self, waiting.popleft(), self._work.pause).run()
            except (ClaimLost, StoreError, Exception) as error:  # noqa: BLE001  # raised by who waits for all parts
                self._problems.append(error)

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
            upstream = self._work.models.at(name)
            try:
                fitted = upstream.fit(document.request, model) if upstream else None
            except InvalidRequest:
                continue
            if upstream is None or fitted is None:
                continue
            with self._changing:
                self.upstream = upstream
                self.document = replace(
                    document,
                    upstream=name,
                    fitted=fitted,
                    parts=new_parts(fitted),
                    others=document.others[place + 1 :],
                    failed_before=first,
                )
                self.claimed.save_patiently(self.document.to_json())
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
            files = self._work.keeper.files
            inputs = {file.id: file for file in files.of_task(self.claimed.task.id)}
            return files.read_all(inputs[picture.name])
        except (StoreError, KeyError) as error:
            message = "A picture of the request cannot be read at the moment."
            raise Unavailable(message, reason="file_unavailable", retry_after=5) from error

    def poll(self, vendor_id: str, looked: int) -> VendorResult | VendorTask:
        """Look at a task of the vendor; raises ApiError."""
        return self.upstream.poll(vendor_id, self.document.fitted.model, looked)

    def cancel(self, vendor_id: str) -> bool:
        """Cancel a task of the vendor once; returns whether it ends."""
        if self.document.cancel is not None:
            return False
        try:
            ends = self.upstream.cancel(vendor_id, self.document.fitted.model)
        except ApiError:
            ends = False
        if not ends:
            with self._changing:
                self.document = replace(self.document, cancel="not_supported")
                self.claimed.save_patiently(self.document.to_json())
        return ends

    def keep_picture(
        self, index: int, place: int, found: VendorPicture
    ) -> KeptPicture | PictureFailure:
        """Keep a picture of a part; its seed is the vendor's, else the one that was sent."""
        fitted = self.document.fitted
        seed = fitted.seed_of(index)
        if found.seed is None and seed is not None:
            found = replace(found, seed=seed + place)
        return self._work.keeper.keep(
            self.claimed,
            found,
            fitted,
            upstream=self.document.upstream,
            compression=self.document.request.output_compression,
        )
