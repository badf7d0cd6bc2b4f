"""What must hold in the simulated world of every circuit breaker, and of every budget."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from llm_api.domain.calls import never
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, Outcome
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from tests.services.simulated import Hit, World
from tests.services.simulated_upstreams import SimulatedTransport

_T = TypeVar("_T")
_A_MOMENT = 1e-6


class BreakerRules:
    """What one circuit of a line must be like, by what its upstream has seen.

    `outcome_of` says what a hit means for it, None for nothing at all; `find` returns the breaker
    itself, None while there is none; `is_counting` says whether attempts are counted, with the one
    that has ended; `opens_by_count` is false where only a refused key opens it.
    """

    def __init__(  # noqa: PLR0913  # a circuit is told by all of them
        self,
        world: World,
        line: SimulatedTransport,
        name: str,
        outcome_of: Callable[[Hit], Outcome | None],
        find: Callable[[], CircuitBreaker | None],
        *,
        is_counting: Callable[[Hit | None], bool],
        opens_by_count: bool = True,
    ) -> None:
        """Listen to the line."""
        self._world, self.name = world, f"{line.name} {name}"
        self._outcome_of, self._find = outcome_of, find
        self._is_counting, self._opens_by_count = is_counting, opens_by_count
        self._known: CircuitBreaker | None = None
        self._is_expected = False
        self.is_open: bool | None = False  # None: as the breaker itself says
        self._openings = self._in_a_row = 0
        self._opened_at = 0.0
        self.probe: Hit | None = None
        self.last_probe: Hit | None = None  # also when it has ended
        self._ended: list[tuple[float, bool]] = []
        self._known_good: list[Hit] = []
        line.listeners.append(self._listen)

    def _meet(self, breaker: CircuitBreaker | None) -> None:
        """Forget what is counted where the breaker is another one than before.

        One that is not there yet is made by the failure that is about to be counted.
        """
        is_made = self._known is None and self._is_expected
        if breaker is None or not (breaker is self._known or is_made):
            self._openings = self._in_a_row = 0
            self._ended.clear()
        self._known, self._is_expected = breaker, breaker is None

    @property
    def _is_really_open(self) -> bool:
        breaker = self._find()
        return breaker is not None and breaker.is_open

    def check(self) -> None:
        """Compare the breaker with what it must be."""
        self._settle()
        self._world.expect(
            self._is_really_open == self.is_open,
            f"the circuit of {self.name} is open: {self._is_really_open}",
        )

    def may_refuse(self) -> bool:
        """Tell whether there is a reason to refuse a call: a pause, or a probe in progress."""
        self._settle()
        is_resting = self._world.now < self._opened_at + 1.1 * self._pause + _A_MOMENT
        return bool(self.is_open) and (is_resting or self.probe is not None)

    @property
    def _pause(self) -> float:
        return min(30.0 * 2.0 ** (self._openings - 1), 300.0)

    def _settle(self) -> None:
        if self.is_open is None:
            self.is_open = False
            if self._is_really_open:
                self._open(self._opened_at)

    def _listen(self, what: str, hit: Hit) -> None:
        self._settle()
        outcome = self._outcome_of(hit)
        if outcome is None:
            return
        if what == "began":
            self._begin(hit)
        elif what == "delivered":
            self._known_good.append(hit)
            self._end(hit, Outcome.SUCCESS, is_counting=self._is_counting(None))
        elif outcome is Outcome.FAILURE or hit not in self._known_good:
            self._end(hit, outcome, is_counting=self._is_counting(hit))

    def _begin(self, hit: Hit) -> None:
        if not self.is_open:
            return
        rested = hit.began_at - self._opened_at
        has_rested = rested >= 0.9 * self._pause - _A_MOMENT
        self._world.expect(has_rested, f"{self.name} was hit {rested} s after it opened")
        self._world.expect(self.probe is None, f"{self.name} has two probes")
        self.probe = self.last_probe = hit

    def _end(self, hit: Hit, outcome: Outcome, *, is_counting: bool) -> None:
        was_probe, now = hit is self.probe, self._world.now
        if was_probe:
            self.probe = None
        elif self.is_open:
            return
        is_fault = outcome in {Outcome.FAILURE, Outcome.FATAL}
        if outcome is Outcome.UNKNOWN or not (is_fault or is_counting):
            return
        self._meet(self._find())
        if was_probe and not is_fault:
            self.is_open, self._openings, self._in_a_row = False, 0, 0
            self._ended.clear()
        self._ended.append((now, is_fault))
        self._in_a_row = self._in_a_row + 1 if is_fault else 0
        is_enough = self._opens_by_count and self._in_a_row >= 5
        is_certain = outcome is Outcome.FATAL or (is_fault and (was_probe or is_enough))
        is_half = is_fault and self._opens_by_count and self._is_half_at_fault(now)
        if is_certain or is_half:
            self._open(now)
        elif is_half is None:
            self.is_open, self._opened_at = None, now

    def _open(self, now: float) -> None:
        self.is_open, self._opened_at = True, now
        self._openings += 1

    def _is_half_at_fault(self, now: float) -> bool | None:
        """Tell whether half of 20 in 30 s were at fault; None where that depends on rounding."""
        answers = set()
        for start in range(len(self._ended)):
            age = now - self._ended[start][0]
            before = now - self._ended[start - 1][0] if start else math.inf
            if age < 30 + _A_MOMENT and before >= 29 - _A_MOMENT:
                recent = [is_fault for _, is_fault in self._ended[start:]]
                answers.add(len(recent) >= 20 and 2 * sum(recent) >= len(recent))
        return answers.pop() if len(answers) == 1 else None


@dataclass
class Visit:
    """A call at one upstream: its first attempt, and the repeat that it has or waits for."""

    began_at: float
    failed_at: float = math.inf
    ended_at: float = math.inf
    attempts: int = 0
    may_repeat: bool = False

    @property
    def has_repeat(self) -> bool:
        """Whether a repeat was granted."""
        is_waiting = self.failed_at < math.inf and self.ended_at > self.failed_at
        return self.attempts > 1 or is_waiting


class WatchedPolicy(RetryPolicy):
    """The policy of an upstream, and what its budget must be like."""

    def __init__(self, world: World) -> None:
        """Take time and chance from the world."""
        super().__init__(clock=world.clock, sleep=world.sleep, uniform=world.random.uniform)
        self._world = world
        self._visits: list[Visit] = []
        self.rules_of_lines: list[list[BreakerRules]] = []
        self.repeats_in_flight = 0

    def run(
        self, call: UpstreamCall, attempt: Callable[[], _T], has_other: Callable[[], bool] = never
    ) -> _T:
        """Run as it does, and look on."""
        visit = Visit(self._world.now)
        self._visits.append(visit)

        def watched() -> _T:
            visit.attempts += 1
            if visit.attempts > 1:
                self._world.expect(visit.may_repeat, "a repeat is over the budget")
            try:
                return attempt()
            except faults.Fault:
                if visit.attempts == 1:
                    self._note_failure(visit)
                raise

        try:
            return super().run(call, watched, has_other)
        except faults.Fault as fault:
            if fault.error.reason == "circuit_open":
                is_right = all(
                    any(breaker.may_refuse() for breaker in rules) for rules in self.rules_of_lines
                )
                self._world.expect(is_right, "a call is refused although a line is usable")
            raise
        finally:
            self.repeats_in_flight -= visit.failed_at < math.inf
            visit.ended_at = self._world.now

    def _note_failure(self, visit: Visit) -> None:
        """Settle whether a repeat may be made now: a fifth of 10 s, or three where that is less.

        The service counts by whole seconds, so that what is 9 to 10 s old may count or not.
        """
        now = self._world.now
        requests = sum(now - other.began_at < 10 for other in self._visits)
        recent = sum(now - other.began_at < 9 - _A_MOMENT for other in self._visits)
        repeats = sum(now - v.failed_at < 9 - _A_MOMENT for v in self._visits if v.has_repeat)
        is_quiet = 0.2 * recent < 3 and self.repeats_in_flight < 3
        visit.may_repeat = repeats + 1 <= 0.2 * requests or is_quiet
        visit.failed_at = now
        self.repeats_in_flight += 1
