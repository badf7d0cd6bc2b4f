"""The route of usage reports."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask import Response, request

from llm_api.domain.safe_text import PRINTABLE
from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery
from llm_api.errors import Forbidden
from llm_api.services.usage.report_query import (
    FORMATS,
    GROUPS,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    ReportArguments,
)
from llm_api.services.usage.reports import as_rows, described
from llm_api.web.request.context import request_state, services
from llm_api.web.response.answers import json_response
from llm_api.web.schema_fields import UNKNOWN, FieldProblem, invalid_request
from llm_api.web.smorest import Blueprint

blueprint = Blueprint("Usage", __name__, url_prefix="/api/v1", description="What calls came to.")


class UsageReportSchema(ma.Schema):
    """A usage report."""

    since = ma.fields.String()
    until = ma.fields.String()
    group_by = ma.fields.List(ma.fields.String())
    page = ma.fields.Integer()
    page_size = ma.fields.Integer()
    total = ma.fields.Integer(metadata={"description": "How many groups there are."})
    groups = ma.fields.List(ma.fields.Dict())


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "in": "query",
        "name": name,
        "description": description,
        "allowEmptyValue": True,  # which counts as left out
        "schema": {"type": "string", **schema},
    }


_PARAMETERS = [
    _parameter("since", "The first day or hour, UTC; 30 days ago where left out."),
    _parameter("until", "The day or hour to end before, UTC; the end of today where left out."),
    _parameter("group_by", f"Of {', '.join(GROUPS)}; several are separated by commas."),
    *(
        _parameter(name, f"Only calls of this {name}.", pattern=PRINTABLE)
        for name in USAGE_DIMENSIONS
    ),
    _parameter("page", "From 1.", type="integer", minimum=1, maximum=MAX_PAGE),
    _parameter("page_size", "Groups a page.", type="integer", minimum=1, maximum=MAX_PAGE_SIZE),
    _parameter("format", "json, or csv for all groups as a table.", enum=list(FORMATS)),
]


@blueprint.get("/usage")
@blueprint.doc(parameters=_PARAMETERS)
@blueprint.response(200, UsageReportSchema())
@blueprint.alt_response(200, schema={"type": "string"}, content_type="text/csv", success=True)
@blueprint.errors(400, 503)
def usage() -> Response:
    """Report calls, tokens and cost of a span of time, in groups.

    Where keys are required, a key sees its own calls, and an admin's key those of all.
    """
    read = ReportArguments(request.args)
    query, page, page_size, kind = read.query(), read.page, read.page_size, read.format
    if problems := _of_names() | read.problems:
        raise invalid_request({name: [_problem(right)] for name, right in problems.items()})
    query = _of_caller(query)
    if kind == "csv":
        return _table(as_rows(services().reports.all(query), query.group_by))
    found = services().reports.page(query, page=page, page_size=page_size)
    return json_response(
        {
            "since": _shown(query.since),
            "until": _shown(query.until),
            "group_by": list(query.group_by),
            "page": page,
            "page_size": page_size,
            "total": found.total,
            "groups": [described(sums) for sums in found.groups],
        }
    )


def _of_caller(query: UsageQuery) -> UsageQuery:
    """Leave out what is none of the caller's business; raises Forbidden."""
    key = request_state().key
    if key is None or key.is_admin:
        return query
    if query.filters.get("key", key.id) != key.id:
        message = "Usage of other keys is reported to an admin's key only."
        raise Forbidden(message, reason="admin_required")
    return replace(query, filters={**query.filters, "key": key.id})


def _problem(right: str) -> FieldProblem:
    return FieldProblem(right, "unknown_field" if right == UNKNOWN else "out_of_range")


def _of_names() -> dict[str, str]:
    """Find names that are not known, or given twice."""
    known = {one["name"] for one in _PARAMETERS}
    wrong = dict.fromkeys(sorted(set(request.args) - known)[:1], UNKNOWN)
    twice = {name for name in request.args if len(request.args.getlist(name)) > 1}
    return wrong | dict.fromkeys(twice & known, "must be given once.")


def _table(rows: Sequence[Sequence[str]]) -> Response:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
