"""What of an endpoint works: its address and key, and each of its models.

What a caller can choose never stops the calls of others. So failures are kept apart:

* A connection that cannot be made, and a key or account that is refused for the configured model,
  are the endpoint's: one circuit for all its calls.
* Everything else is of the model that was asked: see `model_circuits.py`.

Attempts are counted from the first failure on: while all is well, nothing is kept.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llm_api.observability.paced_warnings import PacedWarnings
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.resilience.circuit_breaker import (
    Change,
    CircuitBreaker,
    CircuitOpen,
    Outcome,
)
from llm_api.upstream.resilience.model_circuits import ModelCircuits, Subject

logger = logging.getLogger(__name__)

# Nothing of a request has been sent: no caller can be the cause.
_OF_THE_LINE = frozenset(
    ["connect_timeout", "upstream_dns", "upstream_tls", "upstream_unreachable"]
)
# Of the model that was asked. Also a connection that ends without an answer: a proxy in front does
# that to a body that is too large for it.
_OF_THE_MODEL = frozenset(
    [
        "upstream_disconnected",
        "upstream_error",
        "upstream_timeout",
        "upstream_truncated",
        "upstream_unavailable",
    ]
)
_KEY_TROUBLE = {
    "upstream_auth": "upstream key refused",
    "upstream_account": "upstream account refused",
}
_OF_THE_KEY = frozenset(_KEY_TROUBLE)
# Any other fault is one of the request or of the answer.
FAILURES = _OF_THE_LINE | _OF_THE_MODEL | _OF_THE_KEY
OURS = frozenset(["client_closed", "overloaded", "server_shutdown"])
_About = dict[str, str | int | None]
Probes = tuple[CircuitBreaker, ...]


class EndpointHealth:
    """Says whether an attempt at an endpoint may be made, and learns from how it ends."""

    def __init__(
        self, name: str, default_model: str, new_breaker: Callable[[], CircuitBreaker]
    ) -> None:
        """Create it without failures.

        Args:
            name: of the endpoint, in logs.
            default_model: the configured one, which judges the key.
            new_breaker: makes a closed circuit.
        """
        self._name = name
        self._default_model = default_model
        self._new_breaker = new_breaker
        self.line = new_breaker()
        self.models = ModelCircuits(new_breaker)
        self._warnings = PacedWarnings(logger)
        self._lock = threading.Lock()  # a failure and the end of all failures exclude each other
        self.is_well = True  # no failure of late
        # Nobody was there, or calls were cut off, and nothing is known of a return since.
        self.was_away = self.was_cut = False

    def begin_anew(self) -> None:
        """Forget all failures: who is there now is not who has failed."""
        with self._lock:
            self.line = self._new_breaker()
            self.models = ModelCircuits(self._new_breaker)
            self.is_well, self.was_away, self.was_cut = True, False, False
        self._warnings.warn("circuit closed", {"upstream": self._name, "cause": "started again"})

    @property
    def has_open_circuit(self) -> bool:
        """Whether any requests are refused now."""
        return self.line.is_open or self.models.has_open

    def is_open(self, body: Mapping[str, Any], call: UpstreamCall) -> bool:
        """Whether such an attempt is refused now, or would be a probe."""
        if self.is_well:
            return False
        return any(breaker.is_open for breaker in self._breakers(Subject.of(body, call)))

    def wait(self, body: Mapping[str, Any], call: UpstreamCall) -> float:
        """Seconds until such an attempt may be made; 0 if it may be made now."""
        if self.is_well:
            return 0.0
        return max(breaker.wait for breaker in self._breakers(Subject.of(body, call)))

    def enter(self, body: Mapping[str, Any], call: UpstreamCall) -> Probes:
        """Admit an attempt; return the circuits that it is the probe of. Raises CircuitOpen."""
        if self.is_well:
            return ()
        probed: list[CircuitBreaker] = []
        try:
            probed.extend(one for one in self._breakers(Subject.of(body, call)) if one.enter())
        except CircuitOpen:
            give_up(probed)
            raise
        return tuple(probed)

    def _breakers(self, subject: Subject) -> list[CircuitBreaker]:
        return [*self.models.breakers(subject), self.line]

    def leave(
        self,
        body: Mapping[str, Any],
        call: UpstreamCall,
        probes: Probes,
        fault: faults.Fault | None,
        *,
        has_answered: bool = False,
    ) -> None:
        """Record how an attempt ended: with a fault, or well.

        `has_answered` says that the beginning of its answer was recorded as a success already.
        """
        has_failed = fault is not None and fault.error.reason in FAILURES
        if self.is_well and not has_failed:
            return
        subject = Subject.of(body, call)
        if fault is None or not has_failed:
            self._praise(subject, probes)
            return
        with self._lock:
            self.is_well = False
            self.was_away = self.was_away or fault.error.reason in _OF_THE_LINE
            self.was_cut = self.was_cut or fault.error.reason == "upstream_disconnected"
            self._record_failure(fault, subject, probes, has_answered=has_answered)

    def _record_failure(
        self, fault: faults.Fault, subject: Subject, probes: Probes, *, has_answered: bool
    ) -> None:
        reason = fault.error.reason
        cause = _cause_of(fault)
        if reason in _OF_THE_KEY:
            about = {"upstream": self._name, "model": subject.model, **cause}
            self._warnings.warn(_KEY_TROUBLE[reason], about)
        line = self._outcome_for_line(fault, subject, probes)
        # An old stream that breaks does not say that a new connection could be made now.
        if line is not Outcome.SUCCESS or not has_answered:
            self._tell(self.line, line, probes, {"model": None, **cause})
        if line is Outcome.SUCCESS:
            outcome = Outcome.FAILURE
            if reason in _OF_THE_KEY and fault.is_certain:
                outcome = Outcome.FATAL
            self._blame(subject, outcome, probes, cause)
        give_up(probe for probe in probes if probe.is_probed)

    def _outcome_for_line(self, fault: faults.Fault, subject: Subject, probes: Probes) -> Outcome:
        reason = fault.error.reason
        if reason in _OF_THE_LINE:
            return Outcome.FAILURE
        if reason not in _OF_THE_KEY:
            return Outcome.SUCCESS
        if fault.is_certain and subject.model == self._default_model:
            return Outcome.FATAL
        return Outcome.FAILURE if self.line in probes else Outcome.SUCCESS

    def _blame(self, subject: Subject, outcome: Outcome, probes: Probes, cause: _About) -> None:
        """Record a failure of a model. One of its key is the same for every kind of request."""
        is_fatal = outcome is Outcome.FATAL
        circuit = self.models.circuit(subject.model, is_plain=subject.is_plain or is_fatal)
        about: _About = {"model": subject.model, **cause}
        if not is_fatal:
            own = circuit.for_one(subject.caller)
            self._tell(own, outcome, probes, {**about, "scope": "one caller"})
        self._tell(circuit.for_all, outcome, probes, about, may_open=circuit.may_open)

    def _praise(self, subject: Subject, probes: Probes) -> None:
        """Record an answer, and forget what has no failure left."""
        for breaker in self._breakers(subject):
            model = None if breaker is self.line else subject.model
            self._tell(breaker, Outcome.SUCCESS, probes, {"model": model})
        self.models.forget_calm(subject.model)
        with self._lock:
            self.is_well = not self.models and self.line.is_calm

    def _tell(
        self,
        breaker: CircuitBreaker,
        outcome: Outcome,
        probes: Probes,
        about: _About,
        *,
        may_open: bool = True,
    ) -> None:
        """Record in a circuit how an attempt ended, and log what that changes."""
        change = breaker.leave(outcome, was_probe=breaker in probes, may_open=may_open)
        about = {"upstream": self._name, **about}
        if change is Change.OPENED:
            wait = round(breaker.wait, 1)
            self._warnings.warn("circuit opened", {**about, "wait_s": wait})
        elif change is Change.CLOSED:
            self._warnings.warn("circuit closed", about)


def _cause_of(fault: faults.Fault) -> _About:
    """Return why an attempt failed, with what the upstream itself has said."""
    error, cause = fault.error, _About(cause=fault.error.reason)
    if error.upstream_status is not None:
        cause["upstream_status"] = error.upstream_status
    if error.upstream_said:
        cause["upstream_said"] = error.upstream_said
    return cause


def give_up(probes: Iterable[CircuitBreaker]) -> None:
    """Record that attempts have said nothing."""
    for probe in probes:
        probe.leave(Outcome.UNKNOWN, was_probe=True)
