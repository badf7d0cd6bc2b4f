"""Counts requests by route and status, and what became of them before a call was made."""

from collections.abc import Callable

from flask import Request

from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metric_names import OTHER
from llm_api.observability.metrics import Metrics
from llm_api.web.request.context import RequestState

_Count = Callable[..., None]
_COUNTED = ("/api/", "/v1/", OTHER)


class RequestCounter:
    """Counts requests; what counts a series is kept, as every request has one."""

    def __init__(self, metrics: Metrics) -> None:
        """Count in `metrics`."""
        self._metrics = metrics
        self._requests: dict[tuple[str | None, int], _Count] = {}

    def count(self, state: RequestState, incoming: Request, status: int) -> None:
        """Count a request that is answered with a status."""
        key = None if incoming.url_rule is None else incoming.url_rule.rule, status
        count = self._requests.get(key)
        if count is None:
            route = key[0] or OTHER
            if not route.startswith(_COUNTED):  # nobody needs to know how often a probe comes
                return
            count = self._requests[key] = self._metrics.of(
                catalogue.REQUESTS, route, str(status)
            ).inc
        count()
        if "reason" in state.log:
            self._count_error(state)
        self._count_kept(state)

    def _count_error(self, state: RequestState) -> None:
        self._metrics.of(catalogue.REQUEST_ERRORS, str(state.log["reason"])).inc()
        if state.refused_by is not None:
            self._metrics.of(catalogue.LIMITS, state.refused_by, "refused").inc()

    def _count_kept(self, state: RequestState) -> None:
        recording = state.recording
        if "cached" in state.log:
            self._metrics.of(catalogue.KEPT_ANSWERS, "hit").inc()
        elif "replayed" in state.log:
            self._metrics.of(catalogue.KEPT_ANSWERS, "repeat").inc()
        elif recording is not None and recording.identity.is_cached:
            self._metrics.of(catalogue.KEPT_ANSWERS, "miss").inc()
