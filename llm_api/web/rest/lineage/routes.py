"""The routes of lineages and of feedback."""

from dataclasses import replace

from flask import Response, g

from llm_api.domain.lineage import Feedback
from llm_api.domain.timestamps import utc_text
from llm_api.errors import InvalidRequest
from llm_api.services.lineage.lineage_reports import REPORTS_AWAY, LearningQuery
from llm_api.services.lineage.lineage_service import LINEAGE_AWAY, NO_SUCH_LINEAGE
from llm_api.web.documented_errors import BODY_ERRORS
from llm_api.web.request.context import RequestState, acting_admin, services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.lineage.feedback_schemas import FeedbackSchema
from llm_api.web.rest.lineage.learning_schemas import LearningArgumentsSchema, LearningSchema
from llm_api.web.rest.lineage.lineage_answers import feedback_answer, lineage_answer
from llm_api.web.rest.lineage.lineage_schemas import FeedbackEventSchema, LineageSchema
from llm_api.web.smorest import Blueprint

blueprint = Blueprint(
    "Lineage",
    __name__,
    url_prefix="/api/v1",
    description="What came of a prompt: its rewrite, pictures, verdicts, feedback.",
)

_EXAMPLE = {"lineage_id": "order-4711", "outcome": "accepted", "score": 80}
_WRONG = InvalidRequest.of_field(
    "outcome", "must be one of accepted, rejected, edited.", reason="out_of_range"
)
_WRONG_ARGUMENT = InvalidRequest.of_field(
    "judged_by", "must be one of any, people, judge.", reason="out_of_range"
)


@blueprint.get("/lineage/<lineage_id>")
@blueprint.doc(operationId="getLineage")
@blueprint.response(200, LineageSchema())
@blueprint.errors(404, 503, examples=[NO_SUCH_LINEAGE, LINEAGE_AWAY])
def get_lineage(lineage_id: str) -> Response:
    """Return what came of a prompt, by its lineage.

    Where keys are required, a key sees its own lineages, and an admin's key those of all.
    """
    state: RequestState = g.request_state
    answer = lineage_answer(services().lineage.get(lineage_id, state.key))
    return json_response({**answer, "request_id": state.request_id})


@blueprint.post("/feedback")
@blueprint.doc(operationId="giveFeedback")
@blueprint.arguments(FeedbackSchema(), example=_EXAMPLE)
@blueprint.response(200, FeedbackEventSchema())
@blueprint.errors(*BODY_ERRORS, 404, 503, examples=[_WRONG, NO_SUCH_LINEAGE, LINEAGE_AWAY])
def give_feedback(said: Feedback) -> Response:
    """Store whether a picture was accepted; what was said of the same before is replaced."""
    state: RequestState = g.request_state
    event = services().lineage.feedback(said, state.key, acting_admin())
    return json_response(feedback_answer(event))


@blueprint.get("/reports")
@blueprint.doc(operationId="getReports")
@blueprint.arguments(LearningArgumentsSchema(), location="query")
@blueprint.response(200, LearningSchema())
@blueprint.errors(400, 503, examples=[_WRONG_ARGUMENT, REPORTS_AWAY])
def get_reports(query: LearningQuery) -> Response:
    """Report which rewrites win, whether rewriting helps, and what an accepted picture costs.

    Where keys are required, a key sees its own lineages, and an admin's key those of all. The
    intervals hold however often the report is looked at.
    """
    state: RequestState = g.request_state
    key = state.key
    if key is not None and not key.is_admin:
        query = replace(query, key_id=key.id)
    about = {
        "since": utc_text(query.since),
        "until": utc_text(query.until),
        "judged_by": query.judged_by,
    }
    return json_response({**about, **services().lineage.reports.report(query)})
