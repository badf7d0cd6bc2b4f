"""`/metrics` for Prometheus, with an admin's key."""

from flask import Response, request

from llm_api.errors import Unavailable
from llm_api.observability import metric_exposition
from llm_api.runtime.native_threads import NativeThreads
from llm_api.web.blueprints import AdminBlueprint
from llm_api.web.request.context import services

blueprint = AdminBlueprint("metrics", __name__)
# In a thread of the system: to add up the numbers of many workers takes long enough to be felt.
_threads = NativeThreads(1)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return the metrics of all workers, as text or in the format that `Accept` names."""
    found = services().metrics
    if not found.is_available:
        message = "The workers have no folder to share metrics in; see the service's log."
        raise Unavailable(message, reason="metrics_unavailable", retryable=False)
    services().gauges.read()
    source, accept = found.folder or found.registry, request.headers.get("Accept", "")
    body, content_type = _threads.run(lambda: metric_exposition.exposed(source, accept))
    return Response(body, content_type=content_type)
