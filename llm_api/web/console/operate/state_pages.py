"""How the service is: upstreams and circuits, tasks, the doctor; and calls and acts, looked up."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import marshmallow as ma
from flask import Response, g, request

from llm_api.domain.audit import ACTS
from llm_api.domain.tasks import Task
from llm_api.domain.usage import UsageQuery
from llm_api.errors import NotFound, Unavailable
from llm_api.services.audit import to_dict as act_to_dict
from llm_api.services.loop.loop_document import is_loop
from llm_api.services.usage.reports import to_dict
from llm_api.services.videos.video_document import is_film
from llm_api.storage import StoreError
from llm_api.web.console.field_problems import problems_of
from llm_api.web.console.operate.admin_views import admin, blueprint, for_admins, going_to, shown
from llm_api.web.request.context import RequestState, services
from llm_api.web.rest.audit_schemas import AuditArgumentsSchema

_TASKS_SHOWN = 100
_CANCELLED_KINDS = ("image", "loop", "video")  # those that callers can cancel


@blueprint.get("")
@for_admins
def overview() -> Response:
    """Show upstreams with their circuits, and how each part of the service is."""
    readiness = services().readiness.check()
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    query = UsageQuery(until - timedelta(hours=24), until, ("upstream",))
    known = services()
    return shown(
        "overview",
        upstreams=known.upstreams.all(),
        usage={one.group["upstream"]: to_dict(one) for one in known.reports.all(query).value},
        checks=readiness.checks,
        is_ready=readiness.is_ready,
    )


@blueprint.get("/tasks")
@for_admins
def tasks() -> Response:
    """Show the tasks that have not ended, and the last ones that have."""
    engine = services().tasks
    try:
        lists = [engine.newest(_TASKS_SHOWN, has_ended=has_ended) for has_ended in (False, True)]
    except StoreError as error:
        message = "The store of tasks cannot be read at the moment."
        raise Unavailable(message, reason="store_unavailable", retry_after=5) from error
    return shown("tasks", waiting=lists[0], ended=lists[1], may_cancel=_may_cancel)


@blueprint.post("/tasks/<task_id>/cancel")
@for_admins
def cancel_task(task_id: str) -> Response:
    """Cancel a task, as far as its vendor can."""
    known, state = services(), cast("RequestState", g.request_state)
    others = known.videos if is_film(task_id) else known.images
    jobs = known.loops if is_loop(task_id) else others
    _, outcome = jobs.cancel(task_id, state.key, admin())
    return going_to(f"tasks?done={outcome.value}")


def _may_cancel(task: Task) -> bool:
    return task.kind in _CANCELLED_KINDS and not task.wants_cancel


@blueprint.get("/audit")
@for_admins
def audit() -> Response:
    """Show what admins have done, by the filters of the API."""
    arguments = request.args.to_dict()
    try:
        query = AuditArgumentsSchema().load(arguments)
    except ma.ValidationError as error:
        problems = problems_of(error)
        page = {"acts": [], "arguments": arguments, "problems": problems, "cursor": None}
        return shown("audit", status=400, all_acts=ACTS, **page)
    found = services().audit.page(query)
    return shown(
        "audit",
        acts=[act_to_dict(act) for act in found.acts],
        arguments=arguments,
        problems=[],
        cursor=found.cursor,
        all_acts=ACTS,
        written=_written,
    )


def _written(value: Any) -> str:
    """Write a value of an act; names in any writing are to be read, which `tojson` escapes."""
    return json.dumps(value, ensure_ascii=False)


@blueprint.get("/calls")
@for_admins
def calls() -> Response:
    """Show all that is known of a call, by its request id."""
    wanted, found, is_unknown = request.args.get("id", "").strip(), None, False
    if wanted:
        lookup = services().lookup
        try:
            found = lookup.described(lookup.find(wanted, None), is_operator=True)
        except NotFound:
            is_unknown = True
    return shown("calls", wanted=wanted, found=found, is_unknown=is_unknown)


@blueprint.get("/doctor")
@for_admins
def doctor() -> Response:
    """Offer to run the doctor's checks: they connect to everything, which no link does."""
    return shown("doctor", findings=None)


@blueprint.post("/doctor")
@for_admins
def run_doctor() -> Response:
    """Run the checks that cost nothing, and show what they have found."""
    return shown("doctor", findings=services().diagnose())
