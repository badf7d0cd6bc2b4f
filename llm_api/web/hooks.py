"""What happens around every request: its id, its headers and its one log line."""

import logging
import time

from flask import Flask, Response, g, request

from llm_api.telemetry import new_request_id

logger = logging.getLogger(__name__)


def register_hooks(app: Flask) -> None:
    """Register them; before the limiter, whose refusals need an id too."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    # A client's own id would not do: it is the usage row's key, and retries repeat it.
    g.request_id = new_request_id()
    g.started_at = time.perf_counter()


def _end(response: Response) -> Response:
    headers = response.headers
    # Modern OpenAI SDKs read the first, 0.28 the second.
    headers["x-request-id"] = headers["request-id"] = g.request_id
    headers["X-Content-Type-Options"] = "nosniff"
    fields = {
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "ms": round((time.perf_counter() - g.started_at) * 1000, 1),
    }
    if (reason := g.get("error_reason")) is not None:
        fields["reason"] = reason
    logger.info("request", extra=fields)
    return response
