"""A client of one upstream, together with the last call made through it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from llm_api.domain.calls import Completion, ModelRequest, never
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.settings.config_files import read_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import Profile, choose_profile

if TYPE_CHECKING:
    from llm_api.upstream.call import UpstreamCall

PROFILES = read_profiles(PROJECT_ROOT)
READER = ErrorClassifier(choose_profile(PROFILES, "").rules)
MODEL = "scripted"
KEY = "sk-canary-of-the-key"
PROMPT = "canary-of-the-prompt"
PLAIN = UpstreamBehavior("scripted")
STREAMED = UpstreamBehavior("scripted", is_always_streamed=True)
PATIENT = Timeouts(connect=3.0, first_byte=10.0, idle=10.0, total=30.0, stream=30.0)


class Asker:
    """Asks for completions; pauses between attempts are noted and not slept."""

    def __init__(  # noqa: PLR0913  # all but the first are rare
        self,
        url: str,
        watch: DeadlineWatcher,
        *,
        behavior: UpstreamBehavior = PLAIN,
        timeouts: Timeouts = PATIENT,
        key: str = KEY,
        profile: Profile | None = None,
        more: tuple[Endpoint, ...] = (),
    ) -> None:
        """Open no connection yet."""
        self.pauses: list[float] = []
        self.first_attempts = 0
        self.call: UpstreamCall | None = None
        endpoint = Endpoint(url, MODEL, key)
        policy = RetryPolicy(sleep=self.pauses.append)
        profile = profile or choose_profile(PROFILES, url)
        plan = UpstreamPlan((endpoint, *more))
        self.client = UpstreamClient(plan, behavior, timeouts, watch, profile, policy=policy)

    @property
    def attempts(self) -> int:
        """How often the last call tried."""
        return self.call.attempt_count if self.call else 0

    def ask(
        self,
        *,
        model: str = "asked",
        model_was_named: bool = True,
        is_disconnected: Callable[[], bool] = never,
        **parameters: Any,
    ) -> Completion:
        """Ask one question, which more parameters may change."""
        self.call = self.client.new_call(is_disconnected, self._note_first_attempt)
        body = {"messages": [{"role": "user", "content": PROMPT}], **parameters}
        request = ModelRequest(model, body)
        return self.client.complete(model, request, self.call, model_was_named=model_was_named)

    def fail(self, **parameters: Any) -> ApiError:
        """Ask, and return the error that must come."""
        with pytest.raises(ApiError) as raised:
            self.ask(**parameters)
        return raised.value

    def _note_first_attempt(self) -> None:
        self.first_attempts += 1


def described(error: ApiError) -> tuple[int, str, bool]:
    """Return what a caller acts on: status, reason, and whether to try again."""
    return error.status, error.reason, error.retryable
