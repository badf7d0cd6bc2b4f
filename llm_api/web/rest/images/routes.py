"""The routes of pictures, in a small and strict schema."""

from flask import Response, g

from llm_api.errors import InvalidRequest
from llm_api.services.images import ImageJob
from llm_api.services.jobs.job_store import JOB_RUNNING, JOBS_AWAY
from llm_api.services.loop import LoopJob, LoopPreview, is_loop
from llm_api.web.images.base64_bodies import file_reader, response_with_files
from llm_api.web.images.image_errors import IMAGE_ERRORS, LOOP_ERRORS, image_examples
from llm_api.web.images.image_orders import (
    ImageOrder,
    pictures_or_error,
    run_loop,
    run_order,
    show_order,
)
from llm_api.web.images.picture_parts import TASKS_PATH
from llm_api.web.making.answer_parts import warning_headers
from llm_api.web.making.example_errors import CALLBACK_ERRORS, NO_SUCH_TASK
from llm_api.web.making.jobs import awaited_job, preferred_wait
from llm_api.web.making.picture_bodies import JSON_PARSER
from llm_api.web.request.context import RequestState, acting_admin, caller, services
from llm_api.web.response.answers import json_response, report_headers
from llm_api.web.rest.images.job_answers import generation, preview, status_of, task
from llm_api.web.rest.images.job_schemas import (
    EndedTaskSchema,
    ImageGenerationSchema,
    ImagePreviewSchema,
    ImageTaskSchema,
)
from llm_api.web.rest.images.loop_answers import loop_generation, loop_preview, loop_task
from llm_api.web.rest.images.schemas import ImageRequestSchema
from llm_api.web.rest.tasks.task_answers import ended_task
from llm_api.web.rest.tasks.task_arguments import PurgeArgumentsSchema, WaitArgumentsSchema
from llm_api.web.smorest import Blueprint

_DEFAULT_WAIT_S = 300.0


class _PicturesBlueprint(Blueprint):
    """A blueprint whose bodies may have pictures in them."""

    ARGUMENTS_PARSER = JSON_PARSER


blueprint = _PicturesBlueprint(
    "Images",
    __name__,
    url_prefix="/api/v1/images",
    description="Pictures: make them, edit them, wait for them, delete them.",
)

# What the docs page offers to send.
_EXAMPLE = {"model": "layout-sketch", "prompt": "A red cat to the left of a blue dog", "seed": 7}
_WRONG = InvalidRequest.of_field("n", "must be an integer from 1 to 10.", reason="out_of_range")
_WRONG_WAIT = InvalidRequest.of_field(
    "wait_ms", "must be a whole number from 0 to 600000.", reason="out_of_range"
)
_WRONG_PURGE = InvalidRequest.of_field("purge", "must be 0 or 1.", reason="out_of_range")


@blueprint.post("/generate")
@blueprint.doc(operationId="generateImages")
@blueprint.arguments(ImageRequestSchema(), example=_EXAMPLE)
@blueprint.response(
    200,
    {"anyOf": [ImageGenerationSchema(), ImagePreviewSchema()]},
    description="The pictures; with `preview: true`, what would be sent.",
)
@blueprint.alt_response(
    202, schema=ImageTaskSchema(), description="The task: the wait is over before its end."
)
@blueprint.errors(
    *IMAGE_ERRORS,
    examples=[*image_examples(_WRONG, "images[0]"), *CALLBACK_ERRORS, *LOOP_ERRORS],
)
def generate_images(order: ImageOrder) -> Response:
    """Make pictures, or edit some; with `judge` or `until` they are judged, the best first."""
    if order.is_preview:
        shown = show_order(order)
        return json_response(
            loop_preview(shown) if isinstance(shown, LoopPreview) else preview(shown)
        )
    wait, honored = (order.wait, "") if order.wait is not None else preferred_wait()
    wait = _DEFAULT_WAIT_S if wait is None else wait
    job: ImageJob | LoopJob
    if order.plan is None:
        job = run_order(order, wait)(None, None)
    else:
        job = run_loop(order, order.plan, wait)
    response = _job_response(job, wants_links=order.wants_links)
    if honored:
        response.headers["Preference-Applied"] = honored
    return response


@blueprint.get("/tasks/<task_id>")
@blueprint.doc(operationId="getImageTask")
@blueprint.arguments(WaitArgumentsSchema(), location="query")
@blueprint.response(200, ImageTaskSchema())
@blueprint.errors(400, 404, 503, examples=[_WRONG_WAIT, NO_SUCH_TASK, JOBS_AWAY])
def get_image_task(wait: float, task_id: str) -> Response:
    """Return a task, with links to its pictures once they are there."""
    if is_loop(task_id):
        return json_response(loop_task(awaited_job(services().loops, task_id, caller(), wait)))
    return json_response(task(awaited_job(services().images, task_id, caller(), wait)))


@blueprint.delete("/tasks/<task_id>")
@blueprint.doc(operationId="deleteImageTask")
@blueprint.arguments(PurgeArgumentsSchema(), location="query")
@blueprint.response(200, EndedTaskSchema())
@blueprint.errors(400, 404, 503, examples=[_WRONG_PURGE, JOB_RUNNING, NO_SUCH_TASK, JOBS_AWAY])
def delete_image_task(purge: bool, task_id: str) -> Response:  # noqa: FBT001  # flask-smorest's order
    """Cancel a task, as far as its vendor can; or delete one that has ended, with its files."""
    state: RequestState = g.request_state
    known = services()
    jobs = known.loops if is_loop(task_id) else known.images
    if purge:
        jobs.purge(task_id, state.key, acting_admin())
        return json_response(ended_task(task_id, None, None))
    job, outcome = jobs.cancel(task_id, state.key, acting_admin())
    return json_response(ended_task(task_id, status_of(job.state), outcome))


def _job_response(job: ImageJob | LoopJob, *, wants_links: bool) -> Response:
    """Return the pictures of a job, or the task where it goes on; raises its ApiError."""
    state: RequestState = g.request_state
    state.report = job.report
    pictures_or_error(job)
    is_made = job.state.has_ended
    if isinstance(job, LoopJob):
        shown = loop_generation(job, wants_links=wants_links) if is_made else loop_task(job)
    else:
        shown = generation(job, wants_links=wants_links) if is_made else task(job)
    response = response_with_files(shown, file_reader()) if is_made else json_response(shown, 202)
    if not is_made:
        response.headers["Location"] = f"{TASKS_PATH}{job.id}"
    response.headers.update(report_headers(job.report) | warning_headers(job.notices))
    return response
