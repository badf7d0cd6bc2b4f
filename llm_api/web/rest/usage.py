"""The route of usage reports."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from flask import Response, g

from llm_api.domain.timestamps import utc_text
from llm_api.errors import InvalidRequest
from llm_api.services.freshness import freshness_to_dict
from llm_api.services.usage.call_lookup import NO_SUCH_CALL
from llm_api.services.usage.report_query import ReportRequest
from llm_api.services.usage.reports import table_rows, to_dict
from llm_api.web.access.visible_usage import ADMINS_ONLY, visible_to_caller
from llm_api.web.documented_errors import HEADERS, USAGE_AWAY
from llm_api.web.request.context import RequestState, services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.call_schemas import FoundCallsSchema
from llm_api.web.rest.usage_report_schemas import UsageReportSchema
from llm_api.web.rest.usage_schemas import UsageReportArgumentsSchema
from llm_api.web.smorest import Blueprint

blueprint = Blueprint("Usage", __name__, url_prefix="/api/v1", description="Calls, tokens, cost.")

# Of tables, which have no field for it; see docs/scaling.md. None where the primary was read.
LAG_HEADER = "X-Replica-Lag-Seconds"
_LAG = {
    "description": "How far the replica was behind that the table was read from, if one was.",
    "schema": {"type": "string", "pattern": "^([0-9.e+-]+|unknown)$"},
}
_WRONG = InvalidRequest.of_field(
    "page_size", "must be a whole number from 1 to 10000.", reason="out_of_range"
)


@blueprint.get("/usage")
@blueprint.doc(operationId="getUsage")
@blueprint.arguments(UsageReportArgumentsSchema(), location="query")
@blueprint.response(200, UsageReportSchema())
@blueprint.alt_response(
    200,
    schema={"type": "string"},
    content_type="text/csv",
    headers={**HEADERS, LAG_HEADER: _LAG},
    success=True,
)
@blueprint.errors(400, 503, examples=[_WRONG, ADMINS_ONLY, USAGE_AWAY])
def usage(wanted: ReportRequest) -> Response:
    """Report calls, tokens and cost of a span of time, in groups.

    Where keys are required, a key sees its own calls, and an admin's key those of all.
    """
    wanted = replace(wanted, query=visible_to_caller(wanted.query))
    return _table(wanted) if wanted.format == "csv" else _page(wanted)


@blueprint.get("/usage/<request_id>")
@blueprint.doc(operationId="getCall")
@blueprint.response(200, FoundCallsSchema())
@blueprint.errors(404, 503, examples=[NO_SUCH_CALL, USAGE_AWAY])
def show_call(request_id: str) -> Response:
    """Return all that is known of a call, by its `x-request-id` or the id of its usage row.

    It has several calls where an id was sent with several requests, or a request makes several
    calls, as a batch of prompts does. Also found are calls in progress, and those whose rows wait
    for the database. Where keys are required, a key sees its own calls, and an admin's key those
    of all. What upstreams said when they refused one is for an admin's key alone.
    """
    state: RequestState = g.request_state
    sees_all = state.key is None or state.key.is_admin
    lookup = services().lookup
    found = lookup.find(request_id, None if sees_all else state.key)
    # Without keys everybody sees all calls, and an upstream's words about its account nobody.
    is_operator = state.key is not None and state.key.is_admin
    described = lookup.described(found, is_operator=is_operator)
    return json_response({**described, "request_id": state.request_id})


def _page(wanted: ReportRequest) -> Response:
    query = wanted.query
    found = services().reports.page(query, page=wanted.page, page_size=wanted.page_size)
    return json_response(
        {
            "since": utc_text(query.since),
            "until": utc_text(query.until),
            "group_by": list(query.group_by),
            "page": wanted.page,
            "page_size": wanted.page_size,
            "total": found.total,
            "groups": [to_dict(sums) for sums in found.groups],
            **freshness_to_dict(found.freshness),
        }
    )


def _table(wanted: ReportRequest) -> Response:
    query = wanted.query
    found = services().reports.all(query)
    response = _csv(table_rows(found.value, query.group_by))
    if found.freshness is not None and found.freshness.is_replica:
        lag_s = found.freshness.lag_s
        response.headers[LAG_HEADER] = "unknown" if lag_s is None else f"{lag_s:g}"
    return response


def _csv(rows: Sequence[Sequence[str]]) -> Response:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # RFC 4180
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response
