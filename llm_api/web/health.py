"""Probes: `/healthz` (liveness) and `/readyz` (readiness), without key and rate limit."""

from flask import Response

from llm_api.errors import Unavailable
from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.request.context import services
from llm_api.web.response.answers import json_response
from llm_api.web.response.errors import error_response

blueprint = PublicBlueprint("ops", __name__, is_rate_limited=False)

DEMO_NOTE = (
    "No upstream is configured: answers come from the bundled SmolLM2-135M, which is of demo"
    " quality."
    " Set FAST_LLM_API_URL, FAST_LLM_API_KEY and FAST_LLM_MODEL for a real one."
)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer that the process is alive; nothing else is checked."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Check database, limiter store and upstream: 200 if all answer, else 503 as an error."""
    readiness = services().readiness.check()
    facts: dict[str, object] = {"checks": readiness.checks}
    if services().is_demo:
        facts["note"] = DEMO_NOTE
    if readiness.is_ready:
        return json_response({"status": "ready"} | facts)
    wrong = ", ".join(
        f"{name}: {state}" for name, state in readiness.checks.items() if state != "ok"
    )
    error = Unavailable(f"Not ready ({wrong}).", reason="not_ready", retry_after=1)
    return error_response(error, more_details=facts)
