"""Times that the service keeps, for tests that would have to sit them out.

They are constants of the product, each beside what it is for, and nothing that an operator sets. A
service under test gets shorter ones from Python that runs before its own program.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import pytest

# Where each stands: a constant of a module, or the default of an argument of a class.
CONSTANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "body": ("llm_api.web.request.body:BODY_TIMEOUT",),
        "silence": ("llm_api.upstream.client:SILENCE", "llm_api.web.idempotency:SILENCE"),
        "silence_check": ("llm_api.upstream.client:_TICK_S",),
        "end_grace": ("llm_api.upstream.answers.relay:GRACE",),
        "drain": ("llm_api.upstream.client:_DRAIN_S",),
        "retry_window": ("llm_api.upstream.resilience.retry_policy:WINDOW_S",),
        "open_circuit": ("llm_api.upstream.resilience.circuit_breaker:OPEN_S",),
        "fresh_key": ("llm_api.services.keys.authenticator:FRESH_S",),
        "away_counts": ("llm_api.services.quotas.rate_counter:_PAUSE_S",),
        "redis_patience": ("llm_api.storage.redis.connection:TIMEOUT_S",),
        "claim": ("llm_api.storage.redis.shared_answers:RedisAnswers(claim_lasts)",),
    }
)


def values_at(place: str) -> tuple[dict[str, Any], str]:
    """Find what holds a time, and under which name."""
    from importlib import import_module  # noqa: PLC0415  # its text is a program of its own, too

    module, _, name = place.partition(":")
    values = vars(import_module(module))
    kind, _, argument = name.partition("(")
    if argument:
        values, name = values[kind].__init__.__kwdefaults__, argument.removesuffix(")")
    assert name in values, f"there is no {place}"
    return values, name


_SHORTEN = f"""
from typing import Any

{inspect.getsource(values_at)}

def shorten(place, seconds):
    values, name = values_at(place)
    values[name] = seconds

"""


@dataclass(frozen=True)
class Timings:
    """Seconds; the defaults are what is shipped."""

    body: float = 15.0  # for a request's body to arrive
    silence: float = 15.0  # of an upstream, until its stream is filled with a keep-alive
    silence_check: float = 5.0  # between two looks at how long it has lasted
    end_grace: float = 2.0  # for the usage of an answer that has ended, and the mark of its end
    drain: float = 0.02  # for the end of a body whose content is complete
    retry_window: float = 10.0  # for which a repeat counts; with 0 there is always one left
    open_circuit: float = 30.0  # until an upstream that fails is tried again
    fresh_key: float = 30.0  # until a key is looked up again
    away_counts: float = 10.0  # until a store of counts that has failed is asked again
    redis_patience: float = 0.2  # for each answer of Redis, after which a caller does without it
    claim: float = 15.0  # for which a killed process holds a call that is repeated elsewhere

    def prelude(self) -> str:
        """Return the program that sets what differs from what is shipped."""
        calls = [f"shorten({place!r}, {seconds!r})" for place, seconds in self._changes()]
        return _SHORTEN + "\n".join(calls) + "\n\n" if calls else ""

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Set the same in this process, for one test."""
        for place, seconds in self._changes():
            values, name = values_at(place)
            patch.setitem(values, name, seconds)

    def _changes(self) -> Iterator[tuple[str, float]]:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if seconds != field.default:
                yield from ((place, seconds) for place in CONSTANTS[field.name])


SHIPPED = Timings()
