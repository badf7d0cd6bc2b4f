"""The routes of films, in a small and strict schema."""

from typing import Any

from flask import Response, g

from llm_api.domain.videos import FIRST_FRAME
from llm_api.errors import InvalidRequest
from llm_api.services.jobs.job_store import JOB_RUNNING, JOBS_AWAY
from llm_api.services.videos import VideoJob
from llm_api.web.call_errors import OF_REWRITING
from llm_api.web.making.answer_parts import warning_headers
from llm_api.web.making.example_errors import CALLBACK_ERRORS, NO_SUCH_TASK
from llm_api.web.making.jobs import awaited_job, preferred_wait
from llm_api.web.making.picture_bodies import FRAMES_PARSER
from llm_api.web.request.context import RequestState, acting_admin, caller, services
from llm_api.web.response.answers import json_response, report_headers
from llm_api.web.rest.tasks.task_answers import ended_task
from llm_api.web.rest.tasks.task_arguments import PurgeArgumentsSchema
from llm_api.web.rest.videos.schemas import (
    VideoListArgumentsSchema,
    VideoRequestSchema,
    VideoWaitArgumentsSchema,
)
from llm_api.web.rest.videos.video_answers import (
    VIDEOS_PATH,
    video_list,
    video_preview,
    video_task,
)
from llm_api.web.rest.videos.video_schemas import (
    EndedVideoSchema,
    VideoListSchema,
    VideoPreviewSchema,
    VideoTaskSchema,
)
from llm_api.web.smorest import Blueprint
from llm_api.web.videos.film_ends import FILM, GOES_ON, cancelled_film
from llm_api.web.videos.film_errors import AWAITED_ERRORS, OF_THE_END, film_examples
from llm_api.web.videos.film_orders import VideoOrder, run_video_order, show_video_order


class _FilmsBlueprint(Blueprint):
    """A blueprint whose bodies may have pictures in them."""

    ARGUMENTS_PARSER = FRAMES_PARSER


blueprint = _FilmsBlueprint(
    "Videos",
    __name__,
    url_prefix="/api/v1/videos",
    description="Films: have them made, wait for them, list, cancel and delete them.",
)

# What the docs page offers to send.
_EXAMPLE = {"prompt": "A red kite above a green hill", "duration": 5, "aspect_ratio": "16:9"}
_WRONG = InvalidRequest.of_field(
    "duration", "must be a number of seconds from 1 to 60, or auto.", reason="out_of_range"
)
_WRONG_WAIT = InvalidRequest.of_field(
    "wait_ms", "must be a whole number from 0 to 60000.", reason="out_of_range"
)
_WRONG_LIMIT = InvalidRequest.of_field(
    "limit", "must be a whole number from 1 to 100.", reason="out_of_range"
)
_WRONG_PURGE = InvalidRequest.of_field("purge", "must be 0 or 1.", reason="out_of_range")


@blueprint.post("/generate")
@blueprint.doc(operationId="generateVideo")
@blueprint.arguments(VideoRequestSchema(), example=_EXAMPLE)
@blueprint.response(202, VideoTaskSchema(), description="The task; `Location` is where it is.")
@blueprint.alt_response(
    200,
    schema={"anyOf": [VideoTaskSchema(), VideoPreviewSchema()]},
    description="The task with its film, where it has ended within `wait_ms`; with"
    " `preview: true`, what would be sent.",
    success=True,
)
@blueprint.errors(
    *AWAITED_ERRORS,
    examples=[*film_examples(_WRONG, FIRST_FRAME), *CALLBACK_ERRORS, *OF_THE_END, *OF_REWRITING],
)
def generate_video(order: VideoOrder) -> Response:
    """Have a film made; with a first frame, from that."""
    if order.is_preview:
        return json_response(video_preview(show_video_order(order)))
    wait, honored = (order.wait, "") if order.wait is not None else preferred_wait()
    job = run_video_order(order, wait or 0.0)
    response = _task_response(job)
    if honored:
        response.headers["Preference-Applied"] = honored
    return response


@blueprint.get("")
@blueprint.doc(operationId="listVideos")
@blueprint.arguments(VideoListArgumentsSchema(), location="query")
@blueprint.response(200, VideoListSchema())
@blueprint.errors(400, 404, 503, examples=[_WRONG_LIMIT, NO_SUCH_TASK, JOBS_AWAY])
def list_videos(query: dict[str, Any]) -> Response:
    """Return the caller's films, the newest first."""
    state: RequestState = g.request_state
    jobs, has_more = services().videos.listed(state.key, **query)
    return json_response(video_list(jobs, has_more=has_more))


@blueprint.get(FILM)
@blueprint.doc(operationId="getVideo")
@blueprint.arguments(VideoWaitArgumentsSchema(), location="query")
@blueprint.response(200, VideoTaskSchema())
@blueprint.errors(400, 404, 503, examples=[_WRONG_WAIT, NO_SUCH_TASK, JOBS_AWAY])
def get_video(wait: float, video_id: str) -> Response:
    """Return a film's task, with links to its files once they are there."""
    return json_response(video_task(awaited_job(services().videos, video_id, caller(), wait)))


@blueprint.delete(FILM)
@blueprint.doc(operationId="deleteVideo")
@blueprint.arguments(PurgeArgumentsSchema(), location="query")
@blueprint.response(200, EndedVideoSchema())
@blueprint.errors(
    *(400, 404, 409, 503),
    examples=[_WRONG_PURGE, JOB_RUNNING, NO_SUCH_TASK, GOES_ON, JOBS_AWAY],
)
def delete_video(purge: bool, video_id: str) -> Response:  # noqa: FBT001  # flask-smorest's order
    """Cancel a film, where its vendor can; or delete one that has ended, with its files."""
    state: RequestState = g.request_state
    status, outcome = None, None
    if purge:
        services().videos.purge(video_id, state.key, acting_admin())
    else:
        status, outcome = cancelled_film(video_id).status, "cancelled"
    return json_response(ended_task(video_id, status, outcome, kind="video.task"))


def _task_response(job: VideoJob) -> Response:
    """Return a task, 200 where it has ended; raises its ApiError where it has no film."""
    state: RequestState = g.request_state
    state.report = job.report
    if job.error is not None:
        raise job.error
    response = json_response(video_task(job), 200 if job.state.has_ended else 202)
    if not job.state.has_ended:
        response.headers["Location"] = f"{VIDEOS_PATH}{job.id}"
    response.headers.update(report_headers(job.report) | warning_headers(job.notices))
    return response
