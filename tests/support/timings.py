"""Times that the service keeps, for tests that would have to sit them out.

They are constants of the product, each beside what it is for, and nothing that an operator sets. A
service under test gets shorter ones from Python that runs before its own program.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

# Where each stands: a constant of a module, or the default of an argument of a class.
CONSTANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "body": ("llm_api.web.request.body:BODY_TIMEOUT",),
        "silence": ("llm_api.upstream.client:SILENCE", "llm_api.web.idempotency:SILENCE"),
        "silence_check": ("llm_api.upstream.client:_TICK_S",),
        "retry_window": ("llm_api.upstream.resilience.retry_policy:WINDOW_S",),
        "open_circuit": ("llm_api.upstream.resilience.circuit_breaker:OPEN_S",),
        "fresh_key": ("llm_api.services.keys.authenticator:FRESH_S",),
        "away_counts": ("llm_api.services.quotas.rate_counter:_PAUSE_S",),
        "away_redis": ("llm_api.storage.redis.connection:_PAUSE_S",),
        "claim": ("llm_api.storage.redis.shared_answers:RedisAnswers(claim_lasts)",),
        "orphan_check": ("llm_api.storage.spool.spool:_ORPHAN_CHECK_S",),
    }
)
_SHORTEN = """
def shorten(module, name, seconds):
    from importlib import import_module
    values = vars(import_module(module))
    kind, _, argument = name.partition("(")
    if argument:
        values, name = values[kind].__init__.__kwdefaults__, argument.removesuffix(")")
    assert name in values, f"{module} has no {name}"
    values[name] = seconds

"""


@dataclass(frozen=True)
class Timings:
    """Seconds; the defaults are what is shipped.

    body: for a request's body to arrive. silence: until a stream is filled with a ping, which is
    seen every `silence_check`. retry_window: how long a repeat counts against the budget for them;
    with 0.0 there is always one left. open_circuit: until an upstream that fails is tried again.
    fresh_key: until a key is looked up again. away_counts, away_redis: until a store that failed is
    asked again. claim: how long a killed process holds a repeated call. orphan_check: between two
    looks for the rows of killed workers.
    """

    body: float = 15.0
    silence: float = 15.0
    silence_check: float = 5.0
    retry_window: float = 10.0
    open_circuit: float = 30.0
    fresh_key: float = 30.0
    away_counts: float = 10.0
    away_redis: float = 10.0
    claim: float = 15.0
    orphan_check: float = 30.0

    def prelude(self) -> str:
        """Return the program that sets what differs from what is shipped."""
        calls = list(self._calls())
        return _SHORTEN + "\n".join(calls) + "\n\n" if calls else ""

    def _calls(self) -> Iterator[str]:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if seconds != field.default:
                for constant in CONSTANTS[field.name]:
                    module, _, name = constant.partition(":")
                    yield f"shorten({module!r}, {name!r}, {seconds!r})"


SHIPPED = Timings()
