"""The route of the audit, for admins."""

from flask import Response

from llm_api.domain.audit import AuditQuery
from llm_api.errors import InvalidRequest
from llm_api.services.audit import AUDIT_AWAY, to_dict
from llm_api.services.freshness import freshness_to_dict
from llm_api.web.documented_errors import NO_ADMIN
from llm_api.web.request.context import services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.audit_schemas import AuditArgumentsSchema, AuditSchema
from llm_api.web.smorest import SECURITY, Blueprint

blueprint = Blueprint(
    "Audit",
    __name__,
    is_admin=True,
    url_prefix="/api/v1",
    description="What administrators have done, for an admin's key.",
)

_WRONG = InvalidRequest.of_field(
    "cursor", "must be the cursor of an answer.", reason="out_of_range"
)


@blueprint.get("/audit")
@blueprint.doc(operationId="getAudit", security=SECURITY)
@blueprint.arguments(AuditArgumentsSchema(), location="query")
@blueprint.response(200, AuditSchema())
@blueprint.errors(400, 503, examples=[_WRONG, NO_ADMIN, AUDIT_AWAY])
def get_audit(query: AuditQuery) -> Response:
    """Return what was done by an admin's right: who, when, what, on what; the latest first."""
    page = services().audit.page(query)
    cursor = None if page.cursor is None else str(page.cursor)
    return json_response(
        {
            "acts": [to_dict(act) for act in page.acts],
            "next_cursor": cursor,
            **freshness_to_dict(page.freshness),
        }
    )
