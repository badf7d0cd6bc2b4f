"""What a caller has ordered of pictures, before its own are read, and how it is run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from llm_api.domain.images import ImageRequest
from llm_api.domain.loops import LoopPlan
from llm_api.domain.making import InputPicture, Notice, Size
from llm_api.domain.prompts import PromptRequest
from llm_api.errors import NotFound
from llm_api.services.images import ImageInputs, ImageJob, JobPreview
from llm_api.services.loop import LoopJob, LoopPreview
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.web.making.jobs import OnJob, made_job, prepared_job
from llm_api.web.making.orders import Source
from llm_api.web.making.picture_sources import MAX_ALL_BYTES, bytes_of, read_picture
from llm_api.web.request.context import caller, services

RATIOS = ("auto", "1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21")
RESOLUTIONS = ("1K", "1.5K", "2K", "3K", "4K")
OnPreview = Callable[[Preview], None]
Making = Callable[[OnPreview | None, OnJob | None], ImageJob]
_JobT = TypeVar("_JobT", bound=ImageJob | LoopJob)


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """A valid order.

    Attributes:
        request: without its pictures.
        images, mask: where its pictures are: the name of the field, and its value.
        optimize: how the prompt is to be rewritten first; None for not at all.
        wait: seconds to wait for the pictures; None where the caller has not said.
        callback_url: where the end of the job is announced.
        is_preview: whether nothing is to be made.
        wants_links: whether the answer has links to the pictures, and not their bytes.
        is_streamed: whether the answer is a stream of events.
        notices: what has become of fields that no model gets to see.
        plan: how the pictures are judged, and until when they are made again; None for neither.
        tags: of the usage row, beside those of the request's header.
    """

    request: ImageRequest
    images: tuple[tuple[str, Source], ...] = ()
    mask: tuple[str, Source] | None = None
    optimize: PromptRequest | None = None
    wait: float | None = None
    callback_url: str | None = None
    is_preview: bool = False
    wants_links: bool = True
    is_streamed: bool = False
    notices: tuple[Notice, ...] = ()
    plan: LoopPlan | None = None
    tags: tuple[str, ...] = ()


def run_order(order: ImageOrder, wait: float) -> Making:
    """Return what makes the pictures of an order, or joins the job of a request before.

    It waits at most `wait` seconds, raises ApiError, and needs no request context.
    """
    make = prepared_job(services().images, order, partial(_with_pictures, order), wait)
    return lambda on_preview, on_job: make(on_preview=on_preview, on_job=on_job)


def run_loop(order: ImageOrder, plan: LoopPlan, wait: float) -> LoopJob:
    """Make the pictures of an order by a plan, or join the loop of a request before.

    It waits at most `wait` seconds; raises ApiError.
    """
    return made_job(services().loops, order, partial(_with_pictures, order), wait, plan=plan)


def show_order(order: ImageOrder) -> JobPreview | LoopPreview:
    """Return what an order would send, and what it would do then; raises ApiError."""
    images, loops, asking = services().images, services().loops, caller()
    inputs = images.inputs(asking)
    try:
        request = _with_pictures(order, inputs)
        if order.plan is None:
            return images.preview(request, asking, optimize=order.optimize)
        return loops.preview(request, asking, plan=order.plan, optimize=order.optimize)
    finally:
        inputs.discard()


def pictures_or_error(job: _JobT) -> _JobT:
    """Return a job that goes on or has pictures; raises the ApiError of another one."""
    if job.error is not None:
        raise job.error
    if job.state.has_ended and not job.pictures:  # their files may be deleted before the job is
        raise NotFound("The job has ended, and has no pictures any more.", reason="file_not_found")
    return job


def _with_pictures(order: ImageOrder, inputs: ImageInputs) -> ImageRequest:
    """Return the order's request with its pictures, which are read; raises InvalidRequest."""
    if not order.images:
        return order.request
    left = MAX_ALL_BYTES
    pictures: list[InputPicture] = []
    for field, source in order.images:
        picture, size = read_picture(source, field, inputs, left)
        left -= size
        pictures.append(picture)
    mask = None
    if order.mask is not None:
        field, source = order.mask
        data = bytes_of(source, field, left)
        first = Size(pictures[0].width, pictures[0].height)
        mask = inputs.read_mask(data, field, first)
    return replace(order.request, references=tuple(pictures), mask=mask)
