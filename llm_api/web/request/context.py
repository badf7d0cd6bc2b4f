"""What a view needs of the application and of the request that it answers."""

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import cast
from wsgiref.types import WSGIEnvironment

from flask import Request, current_app, g, request

from llm_api.domain.access import ApiKey, LimitState
from llm_api.domain.audit import Actor
from llm_api.domain.calls import Caller, CallReport, never
from llm_api.domain.key_format import KeySpotter
from llm_api.domain.repeats import CacheRules
from llm_api.domain.tracing import RequestTrace
from llm_api.domain.usage import UsageRecord, joined_tags
from llm_api.errors import InvalidRequest
from llm_api.observability.logging import log_as
from llm_api.observability.metrics import Metrics
from llm_api.runtime.deadlines import DeadlineWatcher, is_disconnected
from llm_api.services.alerts.alert_service import AlertService
from llm_api.services.audit import AuditService
from llm_api.services.chat import AnswerStream, ChatService
from llm_api.services.files import FileService
from llm_api.services.gauges import Gauges
from llm_api.services.idempotency import IdempotencyService, Recording
from llm_api.services.images import ImageService
from llm_api.services.judge import JudgeService
from llm_api.services.keys.group_service import GroupService
from llm_api.services.keys.service import KeyService
from llm_api.services.keys.session_service import SessionService
from llm_api.services.lineage.lineage_service import LineageService
from llm_api.services.loop import LoopService
from llm_api.services.prompt_batches import PromptBatches
from llm_api.services.prompts import PictureDescriber, PromptOptimizer
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.services.quotas.limit_states import LimitReader
from llm_api.services.readiness import ReadinessService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.upstream_states import UpstreamStates
from llm_api.services.usage.call_lookup import CallLookup
from llm_api.services.usage.reports import ReportService
from llm_api.services.videos import VideoService
from llm_api.storage.kept_items import ItemStore

EXTENSION = "llm_api"
MAX_TAGS = 10
_TAG = re.compile(r"[A-Za-z0-9_.:=/@-]{1,40}")
_LINEAGE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# What proxies, clouds and tracing libraries make of ids, and what a path and a log can have.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=@+~-]{0,127}")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of an application, built in `llm_api.container`.

    `diagnose` returns what the doctor finds without a call to a model: mappings with `check`,
    `state`, `found` and `advice`. `known_parameters` are the fields of requests that any vendor or
    model takes.
    """

    catalogue: Catalogue
    chat: ChatService
    optimizer: PromptOptimizer
    batches: PromptBatches
    images: ImageService
    videos: VideoService
    loops: LoopService
    judge: JudgeService
    describer: PictureDescriber
    files: FileService
    readiness: ReadinessService
    idempotency: IdempotencyService
    cache: CacheRules
    items: ItemStore
    gauges: Gauges
    upstreams: UpstreamStates
    diagnose: Callable[[], list[dict[str, str]]]
    reports: ReportService
    lookup: CallLookup
    keys: KeyService
    sessions: SessionService
    audit: AuditService
    budgets: BudgetReader
    limits: LimitReader
    groups: GroupService
    tasks: TaskEngine
    alerts: AlertService
    lineage: LineageService
    watch: DeadlineWatcher
    spotter: KeySpotter
    is_demo: bool
    known_parameters: frozenset[str] = frozenset()
    closers: Sequence[Callable[[], None]] = ()

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        return self.gauges.metrics

    def close(self) -> None:
        """Close every connection."""
        for close in self.closers:
            close()


# Of requests without a call to a model, and before it.
NO_CALL = CallReport()


@dataclass(slots=True)
class RequestState:
    """What is known of the request that is being answered; the one thing on `flask.g`.

    Args:
        incoming: the request itself: each look through `flask.request` takes 0.5 µs.
        request_id: what the response and the log call the request: `call_id`, or what a trusted
            proxy or the holder of a key calls it, who may do so several times.
        call_id: made here, and unique: what is stored and reserved goes by it.
        started_at: `time.perf_counter()` when the request came in.
        queued: seconds that it waited for a free worker.
        key: the API key that authenticated it.
        limits: of `requests`, `tokens` and `budget`, those that the caller is closest to.
        report: what is known of the call to a model, once it was made.
        log: fields of the request's log line.
        refused_by: the limit or budget that has refused it.
        calls: the usage rows of its calls that have ended.
        fingerprint: hash of path and body, if the request may be a repeat or asks for the cache.
        recording: the recording of its answer, if that is kept for repeats.
        stream: the streamed answer, once it has begun.
        is_streamed: whether a streamed answer was requested.
        is_awaited: whether other clients wait for the same answer.
        trace: its trace; None where nothing is traced.
    """

    incoming: Request
    request_id: str
    call_id: str
    started_at: float
    queued: float
    key: ApiKey | None = None
    limits: dict[str, LimitState] = field(default_factory=dict)
    report: CallReport = NO_CALL
    log: dict[str, object] = field(default_factory=dict)
    refused_by: str | None = None
    calls: list[UsageRecord] = field(default_factory=list)
    fingerprint: str | None = None
    recording: Recording | None = None
    stream: AnswerStream | None = None
    is_streamed: bool = False
    is_awaited: Callable[[], bool] = never
    trace: RequestTrace | None = None

    def take_request_id(self) -> None:
        """Call the request as `X-Request-Id` does, which somebody trusted has sent.

        One that is no id, or has a key in it, is passed over: nobody's call fails of its name.
        """
        text = self.incoming.environ.get("HTTP_X_REQUEST_ID")
        if text and REQUEST_ID.fullmatch(text) and not services().spotter.sees_key(text):
            self.request_id = text
            log_as(text)


def services() -> Services:
    """Return the services of the application that answers this request."""
    return cast("Services", current_app.extensions[EXTENSION])


def caller() -> Caller:
    """Return who sent the current request; raises InvalidRequest for wrong labels."""
    state: RequestState = g.request_state
    incoming = state.incoming
    environ = incoming.environ
    key = state.key
    rule = incoming.url_rule.rule if incoming.url_rule else incoming.path
    client = environ.get("gunicorn.socket")
    # Flask forgets `g` before a stream's first event is asked for.
    is_awaited = state.is_awaited
    return Caller(
        state.call_id,
        rule,
        never if client is None else lambda: is_disconnected(client) and not is_awaited(),
        _time_limit(environ, is_streamed=state.is_streamed),
        _usage_tags(environ, () if key is None else key.tags),
        _lineage_id(environ),
        key,
        address_of(incoming),
        shown_id="" if state.request_id == state.call_id else state.request_id,
        on_settled=state.calls.append,
        trace=state.trace,
    )


def acting_admin() -> Actor | None:
    """Return the admin who sent the current request, for the audit; None for anybody else."""
    state: RequestState = g.request_state
    key = state.key
    if key is None or not key.is_admin:
        return None
    return Actor(key.id, key.name, state.request_id, state.incoming.remote_addr)


def _time_limit(environ: WSGIEnvironment, *, is_streamed: bool) -> float | None:
    """Return the seconds that the client is willing to wait, None if it sent no valid number."""
    text = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if text is None and not is_streamed:
        # For a stream it is the time between two events.
        text = environ.get("HTTP_X_STAINLESS_READ_TIMEOUT")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None


def _usage_tags(environ: WSGIEnvironment, of_key: Sequence[str]) -> str:
    """Read `X-Usage-Tags`, such as `team=video, app=shop`, and add the key's tags."""
    text = environ.get("HTTP_X_USAGE_TAGS")
    if not text:
        return joined_tags(of_key) if of_key else ""
    tags = [tag.strip() for tag in text.split(",")]
    is_valid = len(tags) <= MAX_TAGS and all(map(_TAG.fullmatch, tags))
    if not is_valid or services().spotter.sees_key(text):
        raise InvalidRequest.of_field(
            "X-Usage-Tags",
            f"must be at most {MAX_TAGS} tags of 1 to 40 letters, digits and _.:=/@- signs,"
            " separated by commas, and no API key.",
            reason="out_of_range",
        )
    return joined_tags([*tags, *of_key])


def with_tags(asking: Caller, tags: Sequence[str]) -> Caller:
    """Return a caller with more usage tags, which are in the body; raises InvalidRequest."""
    if not tags:
        return asking
    own = 0 if asking.key is None else len(asking.key.tags)
    all_tags = {*tags, *filter(None, asking.tags.split(","))}
    if len(all_tags) > MAX_TAGS + own or services().spotter.sees_key(",".join(tags)):
        message = f"must be at most {MAX_TAGS} with those of X-Usage-Tags, and no API key."
        raise InvalidRequest.of_field("tags", message, reason="out_of_range")
    return replace(asking, tags=joined_tags(all_tags))


def _lineage_id(environ: WSGIEnvironment) -> str | None:
    """Read `X-Lineage-Id`, which calls that belong together share."""
    text = environ.get("HTTP_X_LINEAGE_ID")
    if not text:
        return None
    # It is stored, and a key must not be.
    if not _LINEAGE.fullmatch(text) or services().spotter.sees_key(text):
        raise InvalidRequest.of_field(
            "X-Lineage-Id",
            "must be 1 to 64 letters, digits and _.:- signs, and no API key.",
            reason="out_of_range",
        )
    return str(text)


def client_address() -> str:
    """Return the client's IP address; for IPv6 the /64 network, which every client has whole."""
    return address_of(request)


def address_of(incoming: Request) -> str:
    """Return the IP address, or for IPv6 the network, that a request comes from."""
    address = incoming.remote_addr or "local"  # a Unix socket has no addresses
    return _network(address) if ":" in address else address


@lru_cache(maxsize=4_096)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed.packed[:8] + bytes(8), 64)))
