"""Joins a repeated request for pictures to the job of the first: nothing is made or paid twice.

What is kept for repeats is the job's id and not its answer: eight pictures are 60 MB of base64. A
repeat waits for the job, or writes its answer anew.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from flask import Response, after_this_request, g

from llm_api.domain.calls import Caller
from llm_api.domain.repeats import IdempotencyKey
from llm_api.errors import ApiError, ServiceError
from llm_api.services.idempotency import IdempotencyService, Recording
from llm_api.services.jobs.job import Job
from llm_api.services.loop import LoopJob
from llm_api.upstream.faults import ClientGone
from llm_api.web.idempotency import repeat_key
from llm_api.web.request.context import RequestState, caller, services, with_tags

_TYPE = "application/x-image-job"
_ID = "job"
_JobT = TypeVar("_JobT", bound=Job | LoopJob)
# Makes a job; it calls what it is given with the job's id as soon as there is one.
Make = Callable[[Callable[[str], None]], _JobT]


def _ignore(_: str) -> None:
    """Keep nothing: the request is no repeat, and cannot be repeated."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """The current request among its repeats.

    Attributes:
        caller: who has sent it.
        joined: the id of the job that another request has begun.
        identity: by which its own repeats find its job.
        make: makes a job, and keeps its id for repeats. It needs no request context.
    """

    caller: Caller
    joined: str | None = None
    identity: IdempotencyKey | None = None
    _service: IdempotencyService | None = None
    _recording: Recording | None = None

    @classmethod
    def of_request(cls, tags: Sequence[str] = ()) -> "Repeats":
        """Look whether the current request repeats another one; raises InvalidRequest.

        `tags` are those of its body.
        """
        state: RequestState = g.request_state
        asking = with_tags(caller(), tags)
        identity = None if state.fingerprint is None else repeat_key(state)
        if identity is None:
            return cls(asking)
        service = services().idempotency
        recording, is_first = service.join(identity, asking.is_disconnected)
        if is_first and (joined := _begun_before(recording, service)) is not None:
            return cls(asking, joined)
        if is_first:
            # Until there is a job, the request goes on for those who have joined it.
            gone = partial(_is_left, asking.is_disconnected, recording)
            first = replace(asking, is_disconnected=gone)
            return cls(first, None, identity, service, recording)
        try:
            _, kept = recording.wait_for_head(asking.is_disconnected)
        finally:
            recording.unfollow()
        _mark_as_repeat()
        return cls(asking, kept[_ID])

    def make(self, make: Make[_JobT]) -> _JobT:
        """Make the job; raises ApiError."""
        recording = self._recording
        if recording is None:
            return make(_ignore)
        with self.given_up_on_error():
            job = make(partial(_note, recording))
        _note(recording, job.id)
        self._end(job.error)
        return job

    @contextmanager
    def given_up_on_error(self) -> Iterator[None]:
        """Release those who have joined this request, where it fails."""
        try:
            yield
        except ApiError as error:
            self._end(error)
            raise
        except BaseException:
            self._end(
                ServiceError("Something went wrong in this service.", reason="internal_error")
            )
            raise

    def _end(self, error: ApiError | None) -> None:
        """Keep the job for repeats, unless one of them may do better, and costs nothing more."""
        service, recording = self._service, self._recording
        if service is None or recording is None:
            return
        # A job goes on when its client leaves.
        goes_on = isinstance(error, ClientGone) and recording.answer() is not None
        if error is None or error.may_have_charged or goes_on:
            service.finish(recording)
        else:
            service.fail(recording, error.replaced(report=None))


def _begun_before(recording: Recording, service: IdempotencyService) -> str | None:
    """Return the id of the job that the same request has begun in any process; raises ApiError."""
    try:
        joined = services().images.joined(recording.identity)
    except ApiError as error:
        service.fail(recording, error.replaced(report=None))
        raise
    if joined is None:
        return None
    _note(recording, joined)
    service.finish(recording)
    _mark_as_repeat()
    return joined


def _mark_as_repeat() -> None:
    state: RequestState = g.request_state
    state.log.update(replayed=True)
    after_this_request(_named_a_repeat)


def _named_a_repeat(response: Response) -> Response:
    response.headers.update({"idempotent-replayed": "true"})
    return response


def _note(recording: Recording, job_id: str) -> None:
    if recording.answer() is None:
        recording.begin(_TYPE, {_ID: job_id})


def _is_left(is_disconnected: Callable[[], bool], recording: Recording) -> bool:
    return is_disconnected() and not recording.has_followers
