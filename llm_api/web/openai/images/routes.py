"""The image routes of OpenAI's dialect. They never answer with a task, nor with an error under 200.

Both OpenAI SDKs take either for an answer without pictures, and say nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec, TypeVar

from flask import Response, current_app, g

from llm_api.domain.making import Notice
from llm_api.errors import InvalidRequest, UpstreamTimeout
from llm_api.services.images import ImageJob
from llm_api.web.call_errors import of_rewriting
from llm_api.web.dialects.answering import STRICT_SETTING
from llm_api.web.images.base64_bodies import file_reader, response_with_files
from llm_api.web.images.image_errors import IMAGE_ERRORS, image_examples
from llm_api.web.images.image_orders import ImageOrder, pictures_or_error, run_order
from llm_api.web.images.picture_parts import TASKS_PATH
from llm_api.web.making.answer_parts import warning_headers
from llm_api.web.making.example_errors import FORM_INVALID, NO_JSON_OR_FORM
from llm_api.web.making.example_picture import ONE_PIXEL
from llm_api.web.making.jobs import MAX_WAIT_MS, preferred_wait
from llm_api.web.openai.images.image_answers import closing, images_answer, picture, properties
from llm_api.web.openai.images.image_schemas import OpenAIImagesSchema, image_events
from llm_api.web.openai.images.image_stream import EventWriter, stream_images
from llm_api.web.openai.images.picture_names import PARSER, QUERY_PARAMETER
from llm_api.web.openai.images.schemas import (
    ImageEditRequestSchema,
    ImageGenerationRequestSchema,
)
from llm_api.web.openai.schemas import OpenAIBlueprint
from llm_api.web.request.context import RequestState, services
from llm_api.web.response.answers import header_safe, report_headers
from llm_api.web.schema_fields import UNKNOWN

P = ParamSpec("P")
T = TypeVar("T")


class _PicturesBlueprint(OpenAIBlueprint):
    """A blueprint whose bodies may have pictures in them, also as files of forms."""

    ARGUMENTS_PARSER = PARSER


blueprint = _PicturesBlueprint(
    "OpenAI images",
    __name__,
    url_prefix="/v1/images",
    description="Pictures for the OpenAI SDKs, in their own shapes.",
)

# What the docs page offers to send.
_EXAMPLE = {"model": "layout-sketch", "prompt": "A red cat to the left of a blue dog"}
_EDIT_EXAMPLE = {"prompt": "Make the cat blue", "image": [ONE_PIXEL]}
_WRONG = InvalidRequest.of_field("n", "must be an integer from 1 to 10.", reason="out_of_range")
_WRONG_EDIT = InvalidRequest.of_field("image", "is required.", reason="missing")


def _pending(job_id: str) -> UpstreamTimeout:
    """Return the error of pictures that are not there when the wait for them is over."""
    message = (
        f"The pictures are not ready; they are still being made. GET {TASKS_PATH}{job_id} will have"
        " them."
    )
    return UpstreamTimeout(message, reason="image_pending", retryable=False)


_ERRORS = (FORM_INVALID, NO_JSON_OR_FORM, _pending("img_2b8f0d5f7c3e41a9"))


def _also_streamed(view: Callable[P, T]) -> Callable[P, T]:
    """Document that the route answers with events, too."""
    described: Callable[[Callable[P, T]], Callable[P, T]] = blueprint.alt_response(
        200,
        schema=image_events(),
        content_type="text/event-stream",
        description="The pictures; with `stream: true`, an event for each.",
        success=True,
    )
    return described(view)


@blueprint.post("/generations", parameters=[QUERY_PARAMETER])
@blueprint.doc(operationId="createImage")
@blueprint.arguments(ImageGenerationRequestSchema(), example=_EXAMPLE)
@blueprint.response(200, OpenAIImagesSchema())
@_also_streamed
@blueprint.errors(*IMAGE_ERRORS, examples=[*image_examples(_WRONG, "image"), *_ERRORS])
def create_image(order: ImageOrder) -> Response:
    """Make pictures, as OpenAI defines it."""
    return _answer(order, "image_generation")


@blueprint.post("/edits", parameters=[QUERY_PARAMETER])
@blueprint.doc(
    operationId="createImageEdit",
    requestBody={"content": {"multipart/form-data": {"schema": ImageEditRequestSchema()}}},
)
@blueprint.arguments(ImageEditRequestSchema(), example=_EDIT_EXAMPLE)
@blueprint.response(200, OpenAIImagesSchema())
@_also_streamed
@blueprint.errors(
    *IMAGE_ERRORS,
    examples=[*image_examples(_WRONG_EDIT, "image", of_rewriting("images")), *_ERRORS],
)
def create_image_edit(order: ImageOrder) -> Response:
    """Edit pictures, which come as files of a form or in JSON, as OpenAI defines it."""
    return _answer(order, "image_edit")


def _refuse_unknown(order: ImageOrder) -> None:
    """Raise InvalidRequest for a field that no image model takes, where the settings say so."""
    if current_app.config[STRICT_SETTING]:
        known = services().known_parameters
        unknown = [name for name in order.request.extra if name not in known]
        if unknown:
            name = header_safe(unknown[0])
            raise InvalidRequest.of_field(name, UNKNOWN, reason="unknown_field")


def _answer(order: ImageOrder, name: str) -> Response:
    _refuse_unknown(order)
    preferred, _ = preferred_wait()
    wait = order.wait or preferred or MAX_WAIT_MS / 1_000
    state: RequestState = g.request_state
    state.is_streamed = order.is_streamed
    origin = state.incoming.host_url.rstrip("/")
    make = run_order(order, wait)
    read = file_reader()
    if order.is_streamed:
        documents = partial(_event_documents, order=order, origin=origin)
        path = state.incoming.path
        return stream_images(make, EventWriter(name, documents, read, path, state.request_id))
    job = _with_pictures(make(None, None))
    state.report = job.report
    notices = (*order.notices, *job.notices)
    document = images_answer(job, notices, origin, wants_links=order.wants_links)
    response = response_with_files(document, read)
    response.headers.update(report_headers(job.report) | warning_headers(notices))
    return response


def _event_documents(job: ImageJob, *, order: ImageOrder, origin: str) -> list[dict[str, Any]]:
    """Return the document of each picture; the last says how the whole job went."""
    notices: tuple[Notice, ...] = (*order.notices, *_with_pictures(job).notices)
    documents = [
        {
            "created_at": int(job.created_at.timestamp()),
            # The SDKs' types have these.
            "quality": "auto",
            "background": "auto",
            **properties(job, made),
            **picture(job, made, origin, wants_links=order.wants_links),
        }
        for made in job.pictures
    ]
    return [*documents[:-1], documents[-1] | closing(job, notices)]


def _with_pictures(job: ImageJob) -> ImageJob:
    """Return a job that has pictures; raises the ApiError of another one."""
    if pictures_or_error(job).state.has_ended:
        return job
    raise _pending(job.id).replaced(may_have_charged=True, report=replace(job.report))
