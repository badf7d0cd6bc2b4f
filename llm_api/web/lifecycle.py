"""What happens around every request: its id, its headers and its one log line."""

import logging
import time
from functools import partial

from flask import Flask, Response, g, request

from llm_api.domain.calls import ResponseMetadata, Timing
from llm_api.observability.logging import new_request_id
from llm_api.web.middleware.load_shedding import QUEUED
from llm_api.web.request.rate_limits import limit_headers

logger = logging.getLogger(__name__)


def register_hooks(app: Flask) -> None:
    """Register them; before the limiter, whose refusals need an id too."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    # A client's own id would not do: it is the usage row's key, and retries repeat it.
    g.request_id = new_request_id()
    # What was waited before this belongs to the request, too.
    g.queued = request.environ.get(QUEUED, 0.0)
    g.started_at = time.perf_counter() - g.queued
    g.timing = Timing()
    g.notes = ResponseMetadata()
    g.log = {}


def _end(response: Response) -> Response:
    headers = response.headers
    # Modern OpenAI SDKs read the first, 0.28 the second.
    headers["x-request-id"] = headers["request-id"] = g.request_id
    for kind, state in g.notes.limits.items():
        headers.update(limit_headers(kind, state))
    spent = time.perf_counter() - g.started_at
    headers["Server-Timing"] = _server_timing(g.timing, g.queued, spent)
    # A bare number: openai 0.28 fails on a unit.
    headers["openai-processing-ms"] = str(round(spent * 1000))
    g.log |= {
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
    }
    write_line = partial(_log, g.log, g.started_at)
    if response.is_streamed:
        response.call_on_close(write_line)
    else:
        write_line()
    return response


def _server_timing(timing: Timing, queued: float, spent: float) -> str:
    """Say where the time went so far, in milliseconds; `own` is what this service spent itself."""
    queue = queued + timing.queue
    own = max(0.0, spent - queue - timing.upstream)
    parts = [f"queue;dur={queue * 1000:.1f}", f"upstream;dur={timing.upstream * 1000:.1f}"]
    if timing.first_token is not None:
        parts.append(f"first_token;dur={timing.first_token * 1000:.1f}")
    return ", ".join([*parts, f"own;dur={own * 1000:.1f}"])


def _log(fields: dict[str, object], started_at: float) -> None:
    ms = round((time.perf_counter() - started_at) * 1000, 1)
    logger.info("request", extra={**fields, "ms": ms})
