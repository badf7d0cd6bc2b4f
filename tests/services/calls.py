"""What tests of services share: a sink that is a list, and services before a scripted upstream."""

from dataclasses import dataclass, field

from llm_api.domain.calls import Caller, Endpoint, Model, Timeouts, UpstreamPlan
from llm_api.domain.usage import UsageRecord
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.routing.catalogue import Catalogue
from llm_api.settings.config_files import read_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import choose_profile
from llm_api.upstream.vendors.traits import UpstreamBehavior

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


def client_of(
    url: str = NOWHERE,
    model: str = "scripted",
    traits: UpstreamBehavior | None = None,
    key: str = "",
) -> UpstreamClient:
    """Make a client, which opens no connection before it is asked."""
    endpoint = Endpoint(url, model, key)
    chosen = traits or UpstreamBehavior("fast")
    policy = RetryPolicy(sleep=lambda _: None)
    plan = UpstreamPlan((endpoint,))
    return UpstreamClient(plan, chosen, TIMEOUTS, WATCH, GENERIC, policy=policy)


def catalogue_of(upstream: UpstreamClient, *, is_guided: bool = False) -> Catalogue:
    """Make a catalogue of one upstream."""
    model = Model(upstream.default_model, upstream.name, is_guided=is_guided)
    return Catalogue([model], {upstream.name: upstream}, upstream)
