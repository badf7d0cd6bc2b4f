"""What a caller has ordered of a film, before its pictures are read, and how it is run."""

from dataclasses import dataclass, replace
from functools import partial

from llm_api.domain.making import InputPicture, Notice
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.inputs import ImageInputs
from llm_api.services.jobs.job import JobPreview
from llm_api.services.videos import VideoJob
from llm_api.web.making.jobs import made_job
from llm_api.web.making.orders import Source
from llm_api.web.making.picture_sources import MAX_ALL_BYTES, read_picture
from llm_api.web.request.context import caller, services


@dataclass(frozen=True, slots=True)
class VideoOrder:
    """A valid order of a film.

    Attributes:
        request: without its pictures.
        pictures: where its pictures are: the name of the field, its value, and the role.
        optimize: how the prompt is to be rewritten first; None for not at all.
        wait: seconds to wait for the film; None where the caller has not said.
        callback_url: where the end of the job is announced.
        is_preview: whether nothing is to be made.
        notices: what has become of fields that no model gets to see.
        tags: of the usage row, beside those of the request's header.
    """

    request: VideoRequest
    pictures: tuple[tuple[str, Source, str], ...] = ()
    optimize: PromptRequest | None = None
    wait: float | None = None
    callback_url: str | None = None
    is_preview: bool = False
    notices: tuple[Notice, ...] = ()
    tags: tuple[str, ...] = ()


def run_video_order(order: VideoOrder, wait: float) -> VideoJob:
    """Have the film of an order made, or join the job of a request before; raises ApiError.

    It waits at most `wait` seconds for its end.
    """
    return made_job(services().videos, order, partial(_with_pictures, order), wait)


def show_video_order(order: VideoOrder) -> JobPreview:
    """Return what an order would send; raises ApiError."""
    videos, asking = services().videos, caller()
    inputs = videos.inputs(asking)
    try:
        return videos.preview(_with_pictures(order, inputs), asking, optimize=order.optimize)
    finally:
        inputs.discard()


def _with_pictures(order: VideoOrder, inputs: ImageInputs) -> VideoRequest:
    """Return the order's request with its pictures, which are read; raises InvalidRequest."""
    left = MAX_ALL_BYTES
    pictures: list[InputPicture] = []
    for field, source, role in order.pictures:
        picture, size = read_picture(source, field, inputs, left)
        left -= size
        pictures.append(replace(picture, role=role))
    return replace(order.request, pictures=tuple(pictures))
