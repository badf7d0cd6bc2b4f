"""For operators and their probes: `/healthz` and `/readyz`. Neither is rate-limited."""

from flask import Blueprint, Response

from llm_api.errors import Unavailable
from llm_api.web.request.context import services
from llm_api.web.response.answers import json_response
from llm_api.web.response.errors import error_response

blueprint = Blueprint("ops", __name__)

DEMO_NOTE = (
    "No upstream is configured: answers come from the bundled SmolLM2-135M, which is of demo"
    " quality."
    " Set FAST_LLM_API_URL, FAST_LLM_API_KEY and FAST_LLM_MODEL for a real one."
)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process is alive; it asks nobody."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether database, limiter store and upstream answer: 200, or 503 in the envelope."""
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
