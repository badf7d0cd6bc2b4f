"""What tests of services share: a sink that is a list, and services before a scripted upstream."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.calls import Caller, Completion, Model, ModelRequest, TokenUsage
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.domain.usage import UsageRecord
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.routing.catalogue import Catalogue
from llm_api.settings.config_files import read_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import choose_profile

CALLER = Caller(request_id="request-1", route="/api/v1/llm/chat")
TIMEOUTS = Timeouts(connect=3, first_byte=60, idle=60, total=110, stream=110)
WATCH = DeadlineWatcher()  # its one thread lives as long as the process
GENERIC = choose_profile(read_profiles(PROJECT_ROOT), "")
NOWHERE = "http://127.0.0.1:9/v1"


@dataclass
class ListSink:
    """Keeps usage records in two lists."""

    begun: list[UsageRecord] = field(default_factory=list)
    ended: list[UsageRecord] = field(default_factory=list)

    def begin(self, record: UsageRecord) -> None:
        """Keep it."""
        self.begun.append(record)

    def end(self, record: UsageRecord) -> None:
        """Keep it."""
        self.ended.append(record)


class AnsweringUpstream:
    """An upstream that answers each call at once, with the next of the given usages."""

    name = "fast"
    default_model = "scripted"
    serves_one_model = False
    has_json_mode = False

    def __init__(self, *usages: TokenUsage) -> None:
        """Give answers of these usages, in order."""
        self._usages = iter(usages)

    def new_call(
        self, is_disconnected: Callable[[], bool], on_first_attempt: Callable[[], None], **_: Any
    ) -> UpstreamCall:
        """Start a call that may take a minute."""
        return UpstreamCall(
            total=60, is_disconnected=is_disconnected, on_first_attempt=on_first_attempt
        )

    def complete(
        self, model: str, _request: ModelRequest, call: UpstreamCall, **_: Any
    ) -> Completion:
        """Answer an empty object with the next usage."""
        with call.attempt(self.name, self.name, model):
            return Completion({}, b"{}", next(self._usages))


def client_of(
    url: str = NOWHERE,
    model: str = "scripted",
    behavior: UpstreamBehavior | None = None,
    key: str = "",
) -> UpstreamClient:
    """Make a client, which opens no connection before it is asked."""
    endpoint = Endpoint(url, model, key)
    chosen = behavior or UpstreamBehavior("fast")
    policy = RetryPolicy(sleep=lambda _: None)
    plan = UpstreamPlan((endpoint,))
    return UpstreamClient(plan, chosen, TIMEOUTS, WATCH, GENERIC, policy=policy)


def catalogue_of(upstream: UpstreamClient, *, is_guided: bool = False) -> Catalogue:
    """Make a catalogue of one upstream."""
    model = Model(upstream.default_model, upstream.name, is_guided=is_guided)
    return Catalogue([model], {upstream.name: upstream}, upstream)
