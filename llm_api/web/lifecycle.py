"""What happens around every request: its state, its headers and its one log line."""

import logging
import math
import time
from functools import partial

from flask import Flask, Response, g, request

from llm_api.domain.access import LimitState
from llm_api.domain.calls import Timing
from llm_api.observability.logging import new_request_id
from llm_api.web.middleware.load_shedding import QUEUED
from llm_api.web.middleware.write_timeout import PIECE_BYTES, with_write_timeout
from llm_api.web.request.context import RequestState, current_request

logger = logging.getLogger(__name__)


def register_hooks(app: Flask) -> None:
    """Register them; before the limiter, whose refusals need a request id too."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_close_after_crash)


def _begin() -> None:
    # The time spent in the queue belongs to the request, too.
    queued = request.environ.get(QUEUED, 0.0)
    g.request_state = RequestState(new_request_id(), time.perf_counter() - queued, queued)


def _end(response: Response) -> Response:
    if response.is_streamed or (response.content_length or 0) > PIECE_BYTES:
        response = with_write_timeout(response)
    state: RequestState = g.request_state
    incoming = current_request()
    spent = time.perf_counter() - state.started_at
    # Modern OpenAI SDKs read the first, 0.28 the second.
    headers = {"x-request-id": state.request_id, "request-id": state.request_id}
    for kind, limit in _closest_limits(state).items():
        headers.update(_limit_headers(kind, limit))
    headers["Server-Timing"] = _server_timing(state.report.timing, state.queued, spent)
    # A bare number: openai 0.28 fails on a unit.
    headers["openai-processing-ms"] = str(round(spent * 1000))
    # Nobody else sets these. Setting each would look for it first: 10 µs of CPU.
    response.headers.extend(headers)
    fields = state.log
    fields["method"] = incoming.method
    fields["route"] = incoming.url_rule.rule if incoming.url_rule else None
    fields["status"] = response.status_code
    if response.is_streamed:
        response.call_on_close(partial(_log, fields, state.started_at))
    else:
        _log(fields, state.started_at)
    return response


def _close_after_crash(error: BaseException | None) -> None:
    """End a stream that a bug of ours discards before it is sent: its call holds a place."""
    if error is None:
        return
    state: RequestState | None = g.get("request_state")
    if state is not None and state.stream is not None:
        state.stream.close()


def _closest_limits(state: RequestState) -> dict[str, LimitState]:
    """Return of each kind the limit that is exceeded or has the least left."""
    if not state.report.limits:
        return state.limits
    closest = dict(state.limits)
    for kind, limit in state.report.limits.items():
        known = closest.get(kind)
        if known is None or limit.is_exceeded or limit.remaining < known.remaining:
            closest[kind] = limit
    return closest


def _limit_headers(kind: str, state: LimitState) -> dict[str, str]:
    """Return the headers of a limit.

    The names and form: https://platform.openai.com/docs/guides/rate-limits
    """
    return {
        f"x-ratelimit-limit-{kind}": str(state.limit),
        f"x-ratelimit-remaining-{kind}": str(state.remaining),
        f"x-ratelimit-reset-{kind}": _duration(state.reset_in),
    }


def _duration(seconds: float) -> str:
    """Write a time as OpenAI does: `12ms`, `1s`, `6m0s`, `1h0m0s`."""
    if seconds < 1:
        return f"{max(0, math.ceil(seconds * 1000))}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _server_timing(timing: Timing, queued: float, spent: float) -> str:
    """Write where the time went so far, in milliseconds; `own` is spent in this service.

    The format: https://www.w3.org/TR/server-timing/
    """
    queue = queued + timing.queue
    own = max(0.0, spent - queue - timing.upstream)
    parts = [f"queue;dur={queue * 1000:.1f}", f"upstream;dur={timing.upstream * 1000:.1f}"]
    if timing.first_token is not None:
        parts.append(f"first_token;dur={timing.first_token * 1000:.1f}")
    return ", ".join([*parts, f"own;dur={own * 1000:.1f}"])


def _log(fields: dict[str, object], started_at: float) -> None:
    ms = round((time.perf_counter() - started_at) * 1000, 1)
    logger.info("request", extra={**fields, "ms": ms})
