"""The trace of each call: from its beginning to the end of its answer, however long that streams.

`traceparent` is believed where a trusted proxy is in front, or the caller has a key: a trace that
is sampled costs memory and a place in the collector, and nobody else is to choose which are.
"""

import time
from collections.abc import Mapping
from functools import partial

from flask import Flask, Response, g

from llm_api.domain.tracing import IncomingRequest, RequestTrace
from llm_api.observability.tracing.traces import Traces
from llm_api.web.middleware.load_shedding import COUNTED
from llm_api.web.middleware.trusted_proxies import FROM_PROXY
from llm_api.web.request.context import RequestState

_HEADERS = {"HTTP_TRACEPARENT": "traceparent", "HTTP_TRACESTATE": "tracestate"}


class RequestTraces:
    """Traces the calls to an application: what is under `/api/` and `/v1/`."""

    def __init__(self, app: Flask, traces: Traces) -> None:
        """Make `traces`, which end behind all that is registered after this.

        Args:
            app: its hooks are called in reverse: what comes first sees the last of an answer.
            traces: makes them.
        """
        self._traces = traces
        if traces.is_wanted:
            app.after_request(self._end)

    def register_begin(self, app: Flask) -> None:
        """Open traces; to be registered once callers are identified."""
        if self._traces.is_wanted:
            app.before_request(self._begin)

    def _begin(self) -> None:
        state: RequestState = g.request_state
        environ = state.incoming.environ
        if not environ["PATH_INFO"].startswith(COUNTED):
            return
        headers = {}
        if FROM_PROXY in environ or state.key is not None:
            headers = {name: environ[key] for key, name in _HEADERS.items() if key in environ}
        spent_ns = round((time.perf_counter() - state.started_at) * 1e9)
        trace = self._traces.request(headers, time.time_ns() - spent_ns)
        if trace is not None:
            state.trace = trace
            state.log["trace_id"] = trace.trace_id
            if trace.is_sampled:
                trace.describe(_described(state))

    def _end(self, response: Response) -> Response:
        state: RequestState = g.request_state
        if state.trace is None:  # it was answered before its caller was known
            self._begin()
        trace = state.trace
        if trace is None or not trace.is_sampled:
            return response
        end = partial(_end_trace, trace, response.status_code, state.log)
        if response.is_streamed:
            response.call_on_close(end)
        else:
            end()
        return response


def _described(state: RequestState) -> IncomingRequest:
    incoming, key = state.incoming, state.key
    rule = incoming.url_rule
    return IncomingRequest(
        method=incoming.method,
        route=None if rule is None else rule.rule,
        scheme=incoming.scheme,
        request_id=state.request_id,
        key_id=None if key is None else key.id,
    )


def _end_trace(trace: RequestTrace, status: int, log: Mapping[str, object]) -> None:
    """End a trace; a stream's error is known from the `log` at its end."""
    reason = log.get("reason")
    trace.end_request(status, None if reason is None else str(reason))
