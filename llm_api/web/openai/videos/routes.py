"""The routes of films of OpenAI's dialect. OpenAI has ended its own, but clients and servers stay.

Its SDKs repeat a 409 and a 5xx by themselves, so that neither says that a film is not ready.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, current_app, g

from llm_api.domain.files import StoredFile
from llm_api.errors import (
    ApiError,
    Conflict,
    ContentFiltered,
    FieldError,
    InvalidRequest,
    NotFound,
    RangeNotSatisfiable,
)
from llm_api.services.files import NO_SUCH_FILE
from llm_api.services.jobs.job_store import JOBS_AWAY
from llm_api.services.videos import VideoJob
from llm_api.web.call_errors import OF_REWRITING
from llm_api.web.dialects.answering import STRICT_SETTING
from llm_api.web.documented_errors import MODEL_ERRORS
from llm_api.web.making.answer_parts import warning_headers
from llm_api.web.making.example_errors import (
    FORM_INVALID,
    NO_JSON_OR_FORM,
    NO_SUCH_TASK,
)
from llm_api.web.openai.schemas import OpenAIBlueprint
from llm_api.web.openai.videos.frame_names import PARSER, REFERENCE
from llm_api.web.openai.videos.schemas import (
    OpenAIListArgumentsSchema,
    VariantArgumentsSchema,
    VideoCreationSchema,
)
from llm_api.web.openai.videos.video_objects import (
    NAMES,
    OpenAIDeletedVideoSchema,
    OpenAIVideoListSchema,
    OpenAIVideoSchema,
    notices_of,
    video_list,
    video_object,
)
from llm_api.web.request.context import RequestState, acting_admin, services
from llm_api.web.response.answers import json_response, report_headers
from llm_api.web.response.stored_files import file_response
from llm_api.web.schema_fields import UNKNOWN
from llm_api.web.videos.film_ends import FILM, GOES_ON, cancelled_film
from llm_api.web.videos.film_errors import OF_THE_END, film_examples
from llm_api.web.videos.film_orders import VideoOrder, run_video_order


class _FilmsBlueprint(OpenAIBlueprint):
    """A blueprint whose bodies may have pictures in them, also as files of forms."""

    ARGUMENTS_PARSER = PARSER


blueprint = _FilmsBlueprint(
    "OpenAI videos",
    __name__,
    url_prefix="/v1/videos",
    description="Films for the OpenAI SDKs, in their own shapes.",
)

_POLL = "openai-poll-after-ms"
_EXAMPLE = {"prompt": "A red kite above a green hill", "seconds": "5", "size": "1280x720"}
_WRONG = InvalidRequest.of_field(
    "seconds", "must be a number of seconds from 1 to 60, or auto.", reason="out_of_range"
)
_WRONG_ORDER = InvalidRequest.of_field("order", "must be one of asc, desc.", reason="out_of_range")
_WRONG_VARIANT = InvalidRequest.of_field(
    "variant", "must be one of video, thumbnail, spritesheet.", reason="out_of_range"
)
_NOT_READY = NotFound("The film is not ready; it is still being made.", reason="task_not_ready")
_NO_VARIANT = NotFound.of_field(
    "variant", "is not there: this film has no such picture.", reason="not_supported"
)
_BINARY = {"type": "string", "format": "binary"}


def _as_refusal(error: ApiError) -> ApiError:
    """Return why there is no film as a 400, which no client repeats."""
    if isinstance(error, ContentFiltered):
        return error
    return InvalidRequest(error.message, reason=error.reason)


@blueprint.post("")
@blueprint.doc(
    operationId="createVideo",
    requestBody={"content": {"multipart/form-data": {"schema": VideoCreationSchema()}}},
)
@blueprint.arguments(VideoCreationSchema(), example=_EXAMPLE)
@blueprint.response(200, OpenAIVideoSchema())
@blueprint.errors(
    *MODEL_ERRORS,
    examples=[
        *film_examples(_WRONG, REFERENCE),
        *OF_REWRITING,
        FORM_INVALID,
        NO_JSON_OR_FORM,
    ],
)
def create_video(order: VideoOrder) -> Response:
    """Have a film made, as OpenAI defines it: the answer is its beginning."""
    _refuse_unknown(order)
    with _named_as_sent():
        job = run_video_order(order, 0.0)
    state: RequestState = g.request_state
    state.report = job.report
    response = _video_response(job, video_object(job, order.notices))
    notices = (*order.notices, *notices_of(job))
    response.headers.update(report_headers(job.report) | warning_headers(notices))
    return response


@blueprint.get("")
@blueprint.doc(operationId="listOpenAIVideos")
@blueprint.arguments(OpenAIListArgumentsSchema(), location="query")
@blueprint.response(200, OpenAIVideoListSchema())
@blueprint.errors(400, 404, 503, examples=[_WRONG_ORDER, NO_SUCH_TASK, JOBS_AWAY])
def list_openai_videos(query: dict[str, Any]) -> Response:
    """Return the caller's films, as OpenAI defines it."""
    state: RequestState = g.request_state
    jobs, has_more = services().videos.listed(state.key, **query)
    return json_response(video_list(jobs, has_more=has_more))


@blueprint.get(FILM)
@blueprint.doc(operationId="retrieveVideo")
@blueprint.response(200, OpenAIVideoSchema())
@blueprint.errors(404, 503, examples=[NO_SUCH_TASK, JOBS_AWAY])
def retrieve_video(video_id: str) -> Response:
    """Return what has become of a film, as OpenAI defines it."""
    job = _film(video_id)
    return _video_response(job, video_object(job))


@blueprint.delete(FILM)
@blueprint.doc(operationId="deleteOpenAIVideo")
@blueprint.response(200, OpenAIDeletedVideoSchema())
@blueprint.errors(404, 409, 503, examples=[NO_SUCH_TASK, GOES_ON, JOBS_AWAY])
def delete_openai_video(video_id: str) -> Response:
    """Delete a film with its files; one that is being made is cancelled, where that is possible."""
    if not _film(video_id).state.has_ended and not cancelled_film(video_id).state.has_ended:
        message = "The film is being cancelled; delete it again when it has ended."
        raise Conflict(message, reason="task_not_cancellable")
    state: RequestState = g.request_state
    services().videos.purge(video_id, state.key, acting_admin())
    return json_response({"id": video_id, "object": "video.deleted", "deleted": True})


@blueprint.get(f"{FILM}/content")
@blueprint.doc(operationId="downloadVideoContent")
@blueprint.arguments(VariantArgumentsSchema(), location="query")
@blueprint.response(200, _BINARY, content_type="video/mp4")
@blueprint.alt_response(200, schema=_BINARY, content_type="video/quicktime", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="video/webm", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="image/jpeg", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="image/png", success=True)
@blueprint.alt_response(
    206,
    schema=_BINARY,
    content_type="video/mp4",
    description="A part, of a request with `Range`.",
)
@blueprint.alt_response(304, description="It is the one that `If-None-Match` names.")
@blueprint.errors(
    400,
    404,
    416,
    503,
    examples=[
        _WRONG_VARIANT,
        *map(_as_refusal, OF_THE_END),
        NO_SUCH_TASK,
        NO_SUCH_FILE,
        _NOT_READY,
        _NO_VARIANT,
        RangeNotSatisfiable(1_024),
        JOBS_AWAY,
    ],
)
def download_video_content(variant: str, video_id: str) -> Response:
    """Return a film that was made, or a part of it, as OpenAI defines it."""
    return file_response(_file(_film(video_id), variant))


def _film(video_id: str) -> VideoJob:
    state: RequestState = g.request_state
    return services().videos.job(video_id, state.key)


def _file(job: VideoJob, variant: str) -> StoredFile:
    """Return the file of a film that is wanted; raises ApiError where there is none."""
    if not job.state.has_ended:
        raise NotFound(_NOT_READY.message, reason="task_not_ready")
    if job.error is not None:
        raise _as_refusal(job.error)
    if job.film is None:  # it is deleted before its task is
        raise NotFound(NO_SUCH_FILE.message, reason="file_not_found")
    if variant == "video":
        return job.film.file
    pictures = job.film.beside
    found = pictures.get("cover") or pictures.get("last_frame")
    if variant != "thumbnail" or found is None:
        raise NotFound.of_field("variant", _NO_VARIANT.fields[0].message, reason="not_supported")
    return found


def _video_response(job: VideoJob, document: dict[str, Any]) -> Response:
    response = json_response(document)
    if not job.state.has_ended:
        response.headers[_POLL] = str(job.poll_after_ms)
    return response


def _refuse_unknown(order: VideoOrder) -> None:
    """Raise InvalidRequest for a field that no video model takes, where the settings say so."""
    unknown = [one.field for one in order.notices if one.code == "dropped"]
    if unknown and current_app.config[STRICT_SETTING]:
        raise InvalidRequest.of_field(unknown[0], UNKNOWN, reason="unknown_field")


@contextmanager
def _named_as_sent() -> Iterator[None]:
    """Name fields in errors as they are called here."""
    try:
        yield
    except InvalidRequest as error:
        if not error.fields or error.fields[0].field not in NAMES:
            raise
        (first, *others) = error.fields
        name = NAMES[first.field]
        sentence = error.message.replace(f"{first.field}:", f"{name}:", 1)
        fields = (FieldError(name, first.message), *others)
        raise error.replaced(message=sentence, fields=fields) from error
