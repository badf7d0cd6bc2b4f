"""What a view needs of the application and of the request it answers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from flask import current_app, g, request

from llm_api.domain.calls import Caller, never
from llm_api.domain.key_format import KeySpotter
from llm_api.runtime.deadlines import DeadlineWatcher, is_disconnected
from llm_api.services.chat import ChatService
from llm_api.services.idempotency import IdempotencyService
from llm_api.services.keys.service import KeyService
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.readiness import ReadinessService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.reports import ReportService
from llm_api.web.addresses import client_address
from llm_api.web.labels import lineage_id, usage_tags

EXTENSION = "llm_api"


@dataclass(frozen=True, slots=True)
class Services:
    """The services of an application, built in `app.py`."""

    catalogue: Catalogue
    chat: ChatService
    optimizer: PromptOptimizer
    readiness: ReadinessService
    replays: IdempotencyService
    reports: ReportService
    keys: KeyService
    watch: DeadlineWatcher
    spotter: KeySpotter
    is_demo: bool
    closers: Sequence[Callable[[], None]] = ()

    def close(self) -> None:
        """Let go of every connection."""
        for close in self.closers:
            close()


def services() -> Services:
    """Return the services of the application that answers this request."""
    return cast("Services", current_app.extensions[EXTENSION])


def caller() -> Caller:
    """Say who asks: the request's id and route, and how to see whether the client has hung up."""
    spotter = services().spotter
    rule = request.url_rule.rule if request.url_rule else request.path
    client = request.environ.get("gunicorn.socket")
    # Flask forgets `g` before a stream's first event is asked for.
    is_awaited = g.get("is_awaited", never)
    return Caller(
        g.request_id,
        rule,
        never if client is None else lambda: is_disconnected(client) and not is_awaited(),
        g.timing,
        _time_limit(),
        g.notes,
        usage_tags(spotter, () if g.key is None else g.key.tags),
        lineage_id(spotter),
        g.key,
        client_address(),
    )


def _time_limit() -> float | None:
    """Return for how many seconds the client will wait, None where it has not said so well."""
    environ = request.environ
    text = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if text is None and not g.get("is_streamed", False):
        # Of a stream it is the time between two events.
        text = environ.get("HTTP_X_STAINLESS_READ_TIMEOUT")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None
