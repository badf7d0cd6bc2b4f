"""What must hold in the simulated world of all circuits of a line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, Outcome
from llm_api.upstream.resilience.endpoint_health import EndpointHealth
from llm_api.upstream.resilience.model_circuits import Circuit
from tests.services.simulated import Hit, World
from tests.services.simulated_rules import BreakerRules
from tests.services.simulated_upstreams import SimulatedTransport


@dataclass
class LineRules:
    """The rules of all circuits of a line; the first of its models is the configured one."""

    world: World
    line: SimulatedTransport
    health: EndpointHealth
    models: Sequence[str]

    def rules(self) -> list[BreakerRules]:
        """Make them, that of the line itself first."""
        self._itself = self._rule("itself", self._of_line, lambda: self.health.line)
        rules = [self._itself]
        for model in self.models:
            own = partial(self._own, model)
            rules.append(self._rule(f"{model} for one", partial(self._of_own, model), own))
            found, told = partial(self._for_all, model), partial(self._of_model, model)
            rules.append(self._rule(f"{model} for all", told, found, opens_by_count=False))
        return rules

    def _rule(
        self,
        name: str,
        outcome_of: Callable[[Hit], Outcome | None],
        find: Callable[[], CircuitBreaker | None],
        *,
        opens_by_count: bool = True,
    ) -> BreakerRules:
        def is_counting(ended: Hit | None) -> bool:
            if find() is not self.health.line:
                return find() is not None
            # A failure of a model begins it: as an attempt that the line has answered.
            begins = ended is not None and ended.kind.health is not Outcome.SUCCESS
            return begins or not self.health.is_well

        return BreakerRules(
            self.world,
            self.line,
            name,
            outcome_of,
            find,
            is_counting=is_counting,
            opens_by_count=opens_by_count,
        )

    def _circuit(self, model: str) -> Circuit | None:
        return self.health.models._circuits.get((model, True))

    def _own(self, model: str) -> CircuitBreaker | None:
        found = self._circuit(model)
        return found._for_one.get("") if found is not None else None

    def _for_all(self, model: str) -> CircuitBreaker | None:
        found = self._circuit(model)
        return found.for_all if found is not None else None

    def _of_line(self, hit: Hit) -> Outcome:
        """Tell what an attempt has said about its line.

        The time that ran out was the client's own, whose haste is no fault of the upstream.
        """
        if hit.is_given_up or hit.cut is not None:
            return Outcome.UNKNOWN
        if hit.kind.while_connecting is not None:
            return Outcome.FAILURE
        if hit.kind.health is not Outcome.FATAL:
            return Outcome.SUCCESS
        if hit.model == self.models[0]:
            return Outcome.FATAL
        return Outcome.FAILURE if hit is self._itself.last_probe else Outcome.SUCCESS

    def _of_model(self, model: str, hit: Hit) -> Outcome | None:
        if hit.model != model:
            return None
        is_of_the_model = self._of_line(hit) is Outcome.SUCCESS
        return hit.kind.health if is_of_the_model else Outcome.UNKNOWN

    def _of_own(self, model: str, hit: Hit) -> Outcome | None:
        told = self._of_model(model, hit)
        return Outcome.UNKNOWN if told is Outcome.FATAL else told


def rules_of(
    world: World, line: SimulatedTransport, health: EndpointHealth, models: Sequence[str]
) -> list[BreakerRules]:
    """Return what must hold of all circuits of a line; the first of its models is configured."""
    return LineRules(world, line, health, models).rules()
