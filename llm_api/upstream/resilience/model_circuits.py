"""The circuits of an endpoint's models, kept apart by what a caller can choose.

A model has circuits only while it fails: one for plain text, which also stops the rest when it
opens for all, and one for requests with pictures, tools or rare parameters, which stops no plain
text. In each, failures of one caller alone open it for that caller alone. It opens for all when
the failures of several callers say the same, and none of them counts for more than two.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker

MAX_CIRCUITS = 256  # models that fail at the same time; names are the callers' to invent
MAX_CALLERS = 64  # whose failures are told apart, of one model
_OF_ONE, _OF_SEVERAL = 2, 4  # how many failures of a caller count, and how many open for all
_PLAIN_FIELDS = frozenset(
    [
        *("model", "messages", "prompt", "input", "stream", "stream_options", "user"),
        *("max_tokens", "max_completion_tokens", "temperature", "top_p"),
    ]
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an attempt is about: which model, text alone or not, and whose call it is."""

    model: str
    is_plain: bool
    caller: str

    @classmethod
    def of(cls, body: Mapping[str, Any], call: UpstreamCall) -> Self:
        """Describe the attempt of a `call` that sends such a `body`."""
        return cls(str(body["model"]), _is_plain(body), call.caller_name)


def _is_plain(body: Mapping[str, Any]) -> bool:
    """Whether a request is like those that every model must be able to answer: text alone."""
    if not body.keys() <= _PLAIN_FIELDS:
        return False
    messages = body.get("messages")
    return not isinstance(messages, list) or all(
        isinstance(message, dict)
        and isinstance(message.get("content"), str)
        and message.keys() <= {"role", "content"}
        for message in messages
    )


class Circuit:
    """A circuit of a model: one for all, and one for each caller that has met with failures."""

    def __init__(self, new_breaker: Callable[[], CircuitBreaker]) -> None:
        """Create it without failures."""
        self._new_breaker = new_breaker
        self.for_all = new_breaker()
        self._for_one: dict[str, CircuitBreaker] = {}

    def of(self, caller: str) -> list[CircuitBreaker]:
        """Return the breakers that may stop a caller, to be entered in this order."""
        own = self._for_one.get(caller)
        return [self.for_all] if own is None else [own, self.for_all]

    def for_one(self, caller: str) -> CircuitBreaker:
        """Return the breaker of a caller that has met with a failure."""
        own = self._for_one.get(caller)
        if own is not None:
            return own
        if len(self._for_one) >= MAX_CALLERS:
            calm = [name for name, breaker in self._for_one.items() if breaker.is_calm]
            for name in calm or [next(iter(self._for_one))]:
                self._for_one.pop(name, None)
        return self._for_one.setdefault(caller, self._new_breaker())

    @property
    def may_open(self) -> bool:
        """Whether its failures are those of several callers, and not most of them of one."""
        counts = [min(one.in_a_row, _OF_ONE) for one in self._all_of_one() if not one.is_calm]
        return sum(counts) >= _OF_SEVERAL

    @property
    def is_open(self) -> bool:
        """Whether it refuses anyone."""
        return self.for_all.is_open or any(one.is_open for one in self._all_of_one())

    @property
    def is_calm(self) -> bool:
        """Whether nothing of it is worth keeping."""
        return self.for_all.is_calm and all(one.is_calm for one in self._all_of_one())

    def _all_of_one(self) -> list[CircuitBreaker]:
        return list(self._for_one.values())


class ModelCircuits:
    """The circuits of the models of one endpoint that fail, or have failed of late."""

    def __init__(self, new_breaker: Callable[[], CircuitBreaker]) -> None:
        """Create it without circuits; `new_breaker` makes a closed circuit."""
        self._new_breaker = new_breaker
        self._lock = threading.Lock()
        self._circuits: OrderedDict[tuple[str, bool], Circuit] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._circuits)

    @property
    def has_open(self) -> bool:
        """Whether any of them refuses anyone."""
        with self._lock:
            circuits = list(self._circuits.values())
        return any(circuit.is_open for circuit in circuits)

    @property
    def open_models(self) -> list[str]:
        """The models that refuse anyone, by their names."""
        with self._lock:
            circuits = list(self._circuits.items())
        return sorted({model for (model, _), circuit in circuits if circuit.is_open})

    def breakers(self, subject: Subject) -> list[CircuitBreaker]:
        """Return what may stop an attempt, to be entered in this order."""
        with self._lock:
            plain = self._circuits.get((subject.model, True))
            special = self._circuits.get((subject.model, False))
        found: list[CircuitBreaker] = []
        if special is not None and not subject.is_plain:
            found += special.of(subject.caller)
        if plain is not None:
            found += plain.of(subject.caller) if subject.is_plain else [plain.for_all]
        return found

    def circuit(self, model: str, *, is_plain: bool) -> Circuit:
        """Return the circuit that a failure belongs to, a new one if it is the first."""
        key = (model, is_plain)
        with self._lock:
            circuit = self._circuits.get(key) or Circuit(self._new_breaker)
            self._circuits[key] = circuit
            self._circuits.move_to_end(key)
            if len(self._circuits) > MAX_CIRCUITS:
                self._circuits.popitem(last=False)
            return circuit

    def forget_calm(self, model: str) -> None:
        """Forget the circuits of a model that have no failure left."""
        with self._lock:
            for key in ((model, True), (model, False)):
                if (circuit := self._circuits.get(key)) is not None and circuit.is_calm:
                    del self._circuits[key]
