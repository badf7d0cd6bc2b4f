"""The service under seeded faults: retries, budget, circuit breaker, fallback and ledger together.

A Hypothesis state machine lets simulated clients (`simulated.py`) call a real ChatService, whose
two upstreams are simulated, too (`simulated_upstreams.py`), and checks what must hold of every call
(`simulated_claims.py`), every circuit breaker and every budget (`simulated_rules.py`). What
Hypothesis does not draw itself comes of one seed, which every failure names.
"""

import itertools
import math
import re
import time

import pytest
from hypothesis import Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.services.simulated_claims import ASKED, LONELY, SPARE
from tests.services.simulated_kinds import MOODS, NAMES
from tests.services.simulated_service import LONGEST_PAUSE, Service

LINES = ["fast/1", "fast/2", "backup"]
SETTINGS = settings(
    max_examples=25,
    stateful_step_count=40,
    # Explaining a failure takes minutes, and the steps explain it as well.
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


class ServiceMachine(RuleBasedStateMachine):
    """Clients that come in all ways, and upstreams that come and go."""

    service: Service

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Build a world of this seed."""
        note(f"the simulation's seed is {seed}")
        self.service = Service(seed)
        self.world = self.service.world
        self.well_at = self.world.now

    @rule(
        model=st.sampled_from([None, ASKED, LONELY, SPARE]),
        is_streamed=st.booleans(),
        script=st.fixed_dictionaries(
            {line: st.lists(st.sampled_from(NAMES), max_size=3) for line in LINES}
        ),
        total=st.sampled_from([math.inf, math.inf, math.inf, 0.5, 2.0, 5.0]),
    )
    def call(
        self, model: str | None, script: dict[str, list[str]], total: float, *, is_streamed: bool
    ) -> None:
        """Make a call with known faults, and wait for its end."""
        client = self.service.call(model, script=script, total=total, is_streamed=is_streamed)
        self.world.finish(client)

    @rule(count=st.integers(2, 30), seconds=st.floats(0, 10))
    def burst(self, count: int, seconds: float) -> None:
        """Let many clients come within a short time."""
        self.service.burst(count, seconds)
        self.world.pass_time(seconds)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.pass_time(seconds)

    @rule(
        lines=st.sampled_from([*([line] for line in LINES), ["fast/1", "fast/2"], LINES]),
        mood=st.sampled_from(sorted(MOODS)),
        seconds=st.floats(1, 400),
    )
    def fall_ill(self, lines: list[str], mood: str, seconds: float) -> None:
        """Let lines fail for a while."""
        for line in lines:
            self.service.lines[line].fall_into(MOODS[mood], seconds)

    @rule()
    def leave(self) -> None:
        """Let a client hang up."""
        if calls := self.world.in_progress():
            self.world.random.choice(calls).leave()

    @precondition(lambda self: self.world.now > self.well_at + LONGEST_PAUSE)
    @rule()
    def recover(self) -> None:
        """Find all well after the faults."""
        self.service.recover()
        self.well_at = self.world.now

    @invariant()
    def all_rules_hold(self) -> None:
        """Check everything."""
        self.service.check()

    def teardown(self) -> None:
        """Find all well in the end, unless something was found wrong before."""
        if not hasattr(self, "service"):
            return
        try:
            if not self.world.wrongs:
                self.service.recover()
                self.service.check()
        finally:
            self.service.close()


ServiceMachine.TestCase.settings = SETTINGS
# Shrinking a failure takes minutes.
TestService = pytest.mark.timeout(900)(ServiceMachine.TestCase)


@pytest.mark.more
@pytest.mark.timeout(900)
def test_no_history_breaks_a_promise() -> None:
    """Other histories in every run, where the ones above are always the same."""
    run_state_machine_as_test(
        ServiceMachine, settings=settings(SETTINGS, max_examples=300, derandomize=False)
    )


def history(seed: int) -> list[str]:
    """Let two hundred calls be made in bad times, and tell all their attempts."""
    service = Service(seed)
    for line in service.lines.values():
        line.fall_into(MOODS["flaky"], 1_000)
    for _ in range(20):
        service.burst(10, 3)
        service.world.pass_time(20)
    service.recover()
    service.check()
    return [f"{client.request_id} {client.hits}" for client in service.world.clients]


def test_a_seed_always_gives_the_same_history() -> None:
    first = history(1)

    assert history(1) == first
    assert history(2) != first


def test_the_real_clock_has_no_part_in_a_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for seconds must not look like an upstream that does."""
    first = history(1)
    monkeypatch.setattr(time, "monotonic", map(float, itertools.count()).__next__)

    assert history(1) == first


class WrongMachine(ServiceMachine):
    """One that expects that no client is ever told an error."""

    @invariant()
    def nothing_fails(self) -> None:
        """Be wrong."""
        failed = [client.request_id for client in self.world.clients if client.error is not None]
        assert not failed, f"seed {self.world.seed}: {failed}"


def test_a_failure_names_its_seed() -> None:
    """It stands in the message, and in the steps that Hypothesis prints to have them repeated."""
    with pytest.raises(AssertionError) as raised:
        run_state_machine_as_test(WrongMachine, settings=settings(SETTINGS, database=None))

    [seed] = re.findall(r"seed (\d+): ", str(raised.value))
    printed = "\n".join(raised.value.__notes__)
    assert f"begin(seed={seed})" in printed
    assert f"the simulation's seed is {seed}" in printed


# --- single stories: what it has found, and what it seldom meets ---


def test_clients_in_a_hurry_do_not_open_the_circuit() -> None:
    service = Service(1)
    for _ in range(20):
        service.call(LONELY, total=0.5, script={line: ["silent"] for line in LINES})
    service.world.finish(*service.world.clients)

    service.check()

    assert not any(breaker.is_open for breaker in service.breakers)


@pytest.mark.parametrize("second", ["empty", "malformed", "cut early", "silent", "stalled"])
@pytest.mark.parametrize("total", [5.0, math.inf])
def test_a_repeated_stream_that_does_not_begin_is_spent(second: str, total: float) -> None:
    """And its row has the status that its client got."""
    service = Service(1)
    script = {"fast/1": ["refused"], "fast/2": [second]}
    client = service.call(LONELY, is_streamed=True, total=total, script=script)
    service.world.finish(client)

    service.check()

    assert len(client.hits) == 2


@pytest.mark.parametrize("seed", range(5))
def test_no_attempt_is_made_when_the_time_is_over(seed: int) -> None:
    service = Service(seed)
    for _ in range(5):
        service.call(SPARE, total=2.5, script={"backup": ["limited for 2 s", "good"]})
    service.world.finish(*service.world.clients)

    service.check()


def test_a_line_is_tried_when_it_has_rested_whatever_old_calls_it_has() -> None:
    service = Service(1)
    for kind in ["slow"] * 4 + ["reset"] * 10:
        service.call(LONELY, is_streamed=True, script={line: [kind] for line in LINES})
        service.world.pass_time(0.1)
    service.world.pass_time(34)
    old = service.world.in_progress()

    client = service.call(LONELY)
    service.world.finish(client)

    service.check()
    assert client.error is None
    assert old


def test_a_client_that_leaves_during_a_pause_is_not_repeated_for() -> None:
    service = Service(1)
    leaves_at = service.world.now + 1.5
    client = service.call(SPARE, script={"backup": ["limited for 2 s"]}, leaves_at=leaves_at)
    service.world.finish(client)

    service.check()

    assert (len(client.hits), client.error and client.error.reason) == (1, "client_closed")


def test_a_usage_that_does_not_come_is_waited_for_in_the_time_of_the_world() -> None:
    service = Service(1)
    client = service.call(LONELY, is_streamed=True, script={line: ["slow"] for line in LINES})
    service.world.finish(client)

    service.check()

    assert client.hits[-1].usage_after > 3
    assert [row.usage_source for row in service.sink.ended] == ["missing"]


def test_a_circuit_opens_at_half_of_twenty() -> None:
    service = Service(1)
    for kind in ["embedded", "good"] * 10 + ["embedded"]:
        service.call(SPARE, script={"backup": [kind]})
        service.world.pass_time(1.2)

    service.check()

    assert [breaker.name for breaker in service.breakers if breaker.is_open] == [
        f"backup {SPARE} for one"
    ]
