"""`/metrics` for Prometheus, with an admin's key."""

from flask import Response, request

from llm_api.web.blueprints import AdminBlueprint
from llm_api.web.request.context import services

blueprint = AdminBlueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return the metrics of all workers, as text or in the format that `Accept` names."""
    body, content_type = services().gauges.exposed(request.headers.get("Accept", ""))
    return Response(body, content_type=content_type)
