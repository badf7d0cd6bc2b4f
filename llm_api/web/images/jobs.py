"""Runs orders: one service call behind every image route, joined by its repeats.

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
from llm_api.domain.loops import LoopPlan
from llm_api.domain.prompts import PromptRequest
from llm_api.errors import NotFound
from llm_api.services.images import ImageInputs, ImageJob, JobPreview
from llm_api.services.jobs.job import Job
from llm_api.services.loop import LoopJob, LoopPreview
from llm_api.upstream.faults import ClientGone
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.web.images.orders import ImageOrder
from llm_api.web.images.picture_sources import with_pictures
from llm_api.web.images.repeats import Repeats
from llm_api.web.request.context import RequestState, caller, services

MAX_WAIT_MS = 600_000
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?=$|[,;])", re.IGNORECASE)
# Of the client's own time-out: the answer has to reach it before it gives up.
_SHARE = 0.95
_LOOK_S = 5.0
OnPreview = Callable[[Preview], None]
OnJob = Callable[[str], None]
Making = Callable[[OnPreview | None, OnJob | None], ImageJob]
_JobT = TypeVar("_JobT", bound=ImageJob | LoopJob)
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


def run_order(order: ImageOrder, wait: float) -> Making:
    """Return what makes the pictures of an order, or joins the job of a request before.

    It waits at most `wait` seconds, raises ApiError, and needs no request context: everything that
    does is done now, such as the reading of the caller's pictures.
    """
    repeats = Repeats.of_request(order.tags)
    images = services().images
    wait = within_patience(wait, repeats.caller)
    if repeats.joined is not None:
        awaited = partial(awaited_job, images, repeats.joined, repeats.caller, wait)
        return lambda _, __: awaited()
    inputs = images.inputs(repeats.caller)
    with repeats.given_up_on_error(), discarded_on_error(inputs):
        request = with_pictures(order, inputs)

    def make(on_preview: OnPreview | None, on_job: OnJob | None) -> ImageJob:
        return repeats.make(
            lambda note: images.generate(
                request,
                repeats.caller,
                wait=wait,
                optimize=order.optimize,
                inputs=inputs,
                callback_url=order.callback_url,
                on_preview=on_preview,
                on_job=_both(note, on_job),
                identity=repeats.identity,
            )
        )

    return make


def run_loop(order: ImageOrder, plan: LoopPlan, wait: float) -> LoopJob:
    """Make the pictures of an order by a plan, or join the loop of a request before.

    It waits at most `wait` seconds; raises ApiError.
    """
    return made_job(services().loops, order, partial(with_pictures, order), wait, plan=plan)


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
    repeats = Repeats.of_request(order.tags)
    wait = within_patience(wait, repeats.caller)
    if repeats.joined is not None:
        return awaited_job(jobs, repeats.joined, repeats.caller, wait)
    inputs = jobs.inputs(repeats.caller)
    with repeats.given_up_on_error(), discarded_on_error(inputs):
        request = read(inputs)
    return repeats.make(
        lambda note: jobs.generate(
            request,
            repeats.caller,
            wait=wait,
            optimize=order.optimize,
            inputs=inputs,
            callback_url=order.callback_url,
            on_job=note,
            identity=repeats.identity,
            **more,
        )
    )


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


def show_order(order: ImageOrder) -> JobPreview | LoopPreview:
    """Return what an order would send, and what it would do then; raises ApiError."""
    images, loops, asking = services().images, services().loops, caller()
    inputs = images.inputs(asking)
    try:
        request = with_pictures(order, inputs)
        if order.plan is None:
            return images.preview(request, asking, optimize=order.optimize)
        return loops.preview(request, asking, plan=order.plan, optimize=order.optimize)
    finally:
        inputs.discard()


@contextmanager
def discarded_on_error(inputs: ImageInputs) -> Iterator[None]:
    """Delete what was kept of a request that fails."""
    try:
        yield
    except BaseException:
        inputs.discard()
        raise


def _both(note: OnJob, on_job: OnJob | None) -> OnJob:
    def tell(job_id: str) -> None:
        note(job_id)
        if on_job is not None:
            on_job(job_id)

    return tell


def pictures_or_error(job: _JobT) -> _JobT:
    """Return a job that goes on or has pictures; raises the ApiError of another one."""
    if job.error is not None:
        raise job.error
    if job.state.has_ended and not job.pictures:  # their files may be deleted before the job is
        raise NotFound("The job has ended, and has no pictures any more.", reason="file_not_found")
    return job


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


def within_patience(wait: float, caller: Caller) -> float:
    """Return the seconds to wait for a client that may have a time-out of its own."""
    return wait if caller.time_limit is None else min(wait, caller.time_limit * _SHARE)
