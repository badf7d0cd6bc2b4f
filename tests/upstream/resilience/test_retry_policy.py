"""The policy under seeded faults: it never asks too often, and forgets nothing."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llm_api.errors import RateLimited, Unavailable, UpstreamFault
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import Fault
from llm_api.upstream.resilience.endpoint_pool import Permit
from llm_api.upstream.resilience.retry_policy import RetryPolicy

BODY = {"model": "m", "messages": []}


class World:
    """A clock that only sleeping and waiting moves."""

    def __init__(self) -> None:
        """Begin at once."""
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def policy(self, *, has_breaker: bool = True) -> RetryPolicy:
        """Make a policy in this world; of every random span it takes the upper end."""
        policy = RetryPolicy(
            has_breaker=has_breaker,
            clock=self.clock,
            sleep=self.sleep,
            uniform=lambda _, high: high,
        )
        self.health = policy.new_health("fast", "m")
        return policy


def unavailable(wait: int | None = None) -> Fault:
    """Make the fault of a 503."""
    error = Unavailable("Away.", reason="upstream_unavailable")
    return Fault(error, is_repeatable=True, wait=wait)


def limited(wait: int | None) -> Fault:
    """Make the fault of a 429."""
    error = RateLimited("Slow down.", reason="upstream_rate_limited")
    return Fault(error, is_repeatable=True, wait=wait)


def rejected() -> Fault:
    """Make the fault of an answer that no repeat mends."""
    return Fault(UpstreamFault("Nonsense.", reason="upstream_bad_response"))


def attempts_of(world: World, call: UpstreamCall, *outcomes: Fault | str) -> Callable[[], str]:
    """Make an attempt that ends as told, one outcome after the other."""
    coming = iter(outcomes)

    def attempt() -> str:
        with Permit(world.health, BODY, call), call.attempt("fast", "fast", "m"):
            outcome = next(coming)
            if isinstance(outcome, Fault):
                raise outcome
            return outcome

    return attempt


@pytest.fixture
def world() -> World:
    """Begin a world."""
    return World()


@pytest.mark.parametrize(
    ("fault", "pause"),
    [(unavailable(), 0.25), (unavailable(2), 2.25), (limited(None), 1.0), (limited(1), 1.25)],
    ids=["503", "503 with a wait", "429", "429 with a wait"],
)
def test_the_pause_is_as_the_fault_asks(world: World, fault: Fault, pause: float) -> None:
    policy, call = world.policy(), UpstreamCall(total=60)

    assert policy.run(call, attempts_of(world, call, fault, "good")) == "good"
    assert sum(world.slept) == pytest.approx(pause)
    assert call.attempt_count == 2


@pytest.mark.parametrize("wait", [11, 3_600])
def test_a_long_wait_is_the_callers_to_keep(world: World, wait: int) -> None:
    policy, call = world.policy(), UpstreamCall(total=60)

    with pytest.raises(Fault):
        policy.run(call, attempts_of(world, call, limited(wait), "good"))

    assert (call.attempt_count, world.slept) == (1, [])


def test_a_wait_that_outlasts_the_call_is_not_begun(world: World) -> None:
    policy, call = world.policy(), UpstreamCall(total=2)

    with pytest.raises(Fault):
        policy.run(call, attempts_of(world, call, limited(5), "good"))

    assert call.attempt_count == 1


def test_a_call_has_three_attempts_over_all_upstreams(world: World) -> None:
    call = UpstreamCall(total=60)
    for count in (2, 3):
        policy = world.policy()
        with pytest.raises(Fault):
            policy.run(call, attempts_of(world, call, unavailable(), unavailable()))

        assert call.attempt_count == count


def test_a_client_that_leaves_in_the_pause_is_not_repeated_for(world: World) -> None:
    policy, call = world.policy(), UpstreamCall(total=60, is_disconnected=lambda: True)

    with pytest.raises(Fault) as raised:
        policy.run(call, attempts_of(world, call, unavailable(), "good"))

    assert raised.value.error.reason == "client_closed"
    assert call.attempt_count == 1


def test_a_repeat_that_finds_the_circuit_open_tells_the_first_fault(world: World) -> None:
    policy = world.policy()
    for _ in range(2):
        call = UpstreamCall(total=60)
        with pytest.raises(Fault):
            policy.run(call, attempts_of(world, call, unavailable(), unavailable()))
    call = UpstreamCall(total=60)

    with pytest.raises(Fault) as raised:
        policy.run(call, attempts_of(world, call, unavailable(), "good"))

    assert (raised.value.error.reason, raised.value.error.retries_exhausted) == (
        "upstream_unavailable",
        True,
    )
    assert call.attempt_count == 1


def test_a_fault_without_a_repeat_left_in_the_budget_is_spent(world: World) -> None:
    policy = world.policy(has_breaker=False)
    errors = []

    def fail_within_a_failing_call(depth: int) -> None:
        call = UpstreamCall(total=60)

        def attempt() -> str:
            # The second attempt of each call waits for the next call: its repeat is in flight.
            if call.attempt_count and depth:
                fail_within_a_failing_call(depth - 1)
            with call.attempt("fast", "fast", "m"):
                raise unavailable()

        with pytest.raises(Fault) as raised:
            policy.run(call, attempt)
        errors.append((call.attempt_count, raised.value.error.retries_exhausted))

    fail_within_a_failing_call(3)

    assert errors == [(1, True), (2, True), (2, True), (2, True)]


OUTCOMES = ["good", "503", "429", "bad", "auth", "gone"]


class PolicyMachine(RuleBasedStateMachine):
    """Calls of all kinds, one after the other, on an upstream that comes and goes."""

    def __init__(self) -> None:
        """Begin with a good upstream."""
        super().__init__()
        self.world = World()
        self.policy = self.world.policy()
        self.hits = self.requests = 0
        self.rows: list[int] = []
        self.faults_in_a_row = 0

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=2, max_size=2))
    def ask(self, outcomes: list[str]) -> None:
        """Make a call whose attempts end as told."""
        call = UpstreamCall(total=60)
        made = {
            "503": unavailable(),
            "429": limited(None),
            "bad": rejected(),
            "auth": Fault(UpstreamFault("No.", reason="upstream_auth")),
            "gone": Fault(faults.ClientGone()),
        }
        was_open = self.world.health.is_open(BODY, UpstreamCall(total=1))
        reason = "ok"
        try:
            self.policy.run(
                call,
                attempts_of(self.world, call, *(made.get(one, one) for one in outcomes)),
            )
        except Fault as fault:
            reason = fault.error.reason
        self.requests += 1
        self.hits += call.attempt_count
        if call.attempt_count:
            self.rows.append(call.attempt_count)
        assert call.attempt_count <= 2
        assert (reason == "circuit_open") == (call.attempt_count == 0)
        if was_open and outcomes[0] == "503":  # a probe that fails is not repeated
            assert call.attempt_count <= 1

    @rule(seconds=st.floats(0.1, 400))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.now += seconds

    @rule()
    def recover(self) -> None:
        """Find the upstream good again: after its wait one call gets through and closes it."""
        self.world.now += 331
        self.ask(["good", "good"])
        assert not self.world.health.is_open(BODY, UpstreamCall(total=1))

    @invariant()
    def every_attempt_has_its_row(self) -> None:
        """Find all attempts in the rows of their calls."""
        assert sum(self.rows) == self.hits

    @invariant()
    def nothing_stays_in_flight(self) -> None:
        """Find that every repeat was given back."""
        assert self.policy._budget._in_flight == 0


PolicyMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestPolicy = PolicyMachine.TestCase
