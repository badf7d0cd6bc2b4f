"""Runs orders: one service call behind every route, joined by its repeats.

How long it waits is in `wait_ms` or `Prefer: wait=N`, and bounded by the client's own time-out.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from flask import g

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller
from llm_api.domain.prompts import PromptRequest
from llm_api.services.images import ImageInputs
from llm_api.services.jobs.job import Job
from llm_api.services.loop import LoopJob
from llm_api.upstream.faults import ClientGone
from llm_api.web.making.repeats import Repeats
from llm_api.web.request.context import RequestState

MAX_WAIT_MS = 600_000
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?=$|[,;])", re.IGNORECASE)
# Of the client's own time-out: the answer has to reach it before it gives up.
_SHARE = 0.95
_LOOK_S = 5.0
OnJob = Callable[[str], None]
_AnyT = TypeVar("_AnyT", bound=Job | LoopJob)
_AnyT_co = TypeVar("_AnyT_co", bound=Job | LoopJob, covariant=True)


class _Jobs(Protocol[_AnyT_co]):
    """What knows jobs: the service of pictures, of films, or of loops."""

    def job(self, task_id: str, key: ApiKey | None, *, wait: float = 0) -> _AnyT_co:
        """Return a job of a key, and wait at most `wait` seconds for its end."""


class _Making(_Jobs[_AnyT_co], Protocol[_AnyT_co]):
    """What makes them, too."""

    @property
    def generate(self) -> Callable[..., _AnyT_co]:
        """Write a job down, and wait for its end; see JobService."""

    def inputs(self, caller: Caller) -> ImageInputs:
        """Return what keeps the pictures that come with a request."""


class _Order(Protocol):
    """What every order has, whatever it is for."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Of the usage row, beside those of the request's header."""

    @property
    def optimize(self) -> PromptRequest | None:
        """How the prompt is to be rewritten first."""

    @property
    def callback_url(self) -> str | None:
        """Where the end of the job is announced."""


def made_job(
    jobs: _Making[_AnyT],
    order: _Order,
    read: Callable[[ImageInputs], object],
    wait: float,
    **more: Any,
) -> _AnyT:
    """Have what an order wants made, or join the job of a request before; raises ApiError.

    Args:
        jobs: who makes it.
        order: what is wanted.
        read: reads its pictures, and returns the request with them; raises InvalidRequest.
        wait: the most seconds to wait for its end.
        more: what else `jobs` are told.
    """
    return prepared_job(jobs, order, read, wait, **more)()


def prepared_job(
    jobs: _Making[_AnyT],
    order: _Order,
    read: Callable[[ImageInputs], object],
    wait: float,
    **more: Any,
) -> Callable[..., _AnyT]:
    """Return what does as `made_job`, and is told more of what `jobs` are told, by name.

    It needs no request context: what does is done now, such as reading the caller's pictures.
    """
    repeats = Repeats.of_request(order.tags)
    wait = _within_patience(wait, repeats.caller)
    if repeats.joined is not None:
        awaited = partial(awaited_job, jobs, repeats.joined, repeats.caller, wait)
        return lambda **_: awaited()
    inputs = jobs.inputs(repeats.caller)
    with repeats.given_up_on_error(), _discarded_on_error(inputs):
        request = read(inputs)

    def make(*, on_job: OnJob | None = None, **told: Any) -> _AnyT:
        return repeats.make(
            lambda note: jobs.generate(
                request,
                repeats.caller,
                wait=wait,
                optimize=order.optimize,
                inputs=inputs,
                callback_url=order.callback_url,
                on_job=_both(note, on_job),
                identity=repeats.identity,
                **more,
                **told,
            )
        )

    return make


def _both(note: OnJob, on_job: OnJob | None) -> OnJob:
    def tell(job_id: str) -> None:
        note(job_id)
        if on_job is not None:
            on_job(job_id)

    return tell


def awaited_job(jobs: _Jobs[_AnyT], job_id: str, caller: Caller, wait: float) -> _AnyT:
    """Return a job at its end, or after `wait` seconds; raises ApiError.

    It looks in between whether the client is still there: nobody else needs the answer.
    """
    job = jobs.job(job_id, caller.key, wait=min(wait, _LOOK_S))
    left = wait - _LOOK_S
    while left > 0 and not job.state.has_ended:
        if caller.is_disconnected():
            raise ClientGone
        job = jobs.job(job_id, caller.key, wait=min(left, _LOOK_S))
        left -= _LOOK_S
    return job


@contextmanager
def _discarded_on_error(inputs: ImageInputs) -> Iterator[None]:
    """Delete what was kept of a request that fails."""
    try:
        yield
    except BaseException:
        inputs.discard()
        raise


def preferred_wait() -> tuple[float | None, str]:
    """Return the seconds of the `Prefer` header (RFC 7240), and the preference as it is honored.

    None where it has none; `respond-async` alone is 0.
    """
    state: RequestState = g.request_state
    text = state.incoming.environ.get("HTTP_PREFER", "")
    if found := _WAIT.search(text):
        wait = min(int(found[1]), MAX_WAIT_MS // 1_000)
        return float(wait), f"wait={wait}"
    return (0.0, "respond-async") if _ASYNC.search(text) else (None, "")


def _within_patience(wait: float, caller: Caller) -> float:
    """Return the seconds to wait for a client that may have a time-out of its own."""
    return wait if caller.time_limit is None else min(wait, caller.time_limit * _SHARE)
