"""The service in a simulated world, built as the application does but for what is simulated."""

import math
from collections import Counter
from functools import partial
from typing import Any, cast

from llm_api.domain.calls import Model
from llm_api.domain.upstream_plans import Endpoint, UpstreamPlan
from llm_api.services.chat import ChatService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.client import UpstreamClient
from tests.services.calls import GENERIC, NOWHERE, WATCH, ListSink
from tests.services.simulated import TIMEOUTS, Client, Hit, World
from tests.services.simulated_claims import ASKED, LONELY, LONGER, SPARE, check_call
from tests.services.simulated_line_rules import rules_of
from tests.services.simulated_rules import WatchedPolicy
from tests.services.simulated_upstreams import SimulatedTransport

PLACES = {"fast": 16, "backup": 64}
KEYS = {"fast": ["fast/1", "fast/2"], "backup": ["backup"]}
LINES = ["fast/1", "fast/2", "backup"]
MODELS = [
    Model(ASKED, "fast", fallback=("backup",), longer_context=LONGER),
    Model(LONGER, "fast"),
    Model(LONELY, "fast"),
    Model(SPARE, "backup"),
]
MODELS_AT = {"fast": [ASKED, LONGER, LONELY], "backup": [SPARE]}  # the configured one first
LONGEST_PAUSE = 330.0  # of a circuit: 300 s and a tenth


class Service:
    """The service in a simulated world: two keys at `fast`, and `backup` to fall back to."""

    def __init__(self, seed: int) -> None:
        """Build it as the application does, but for time, chance and connections."""
        self.world = World(seed)
        self.policies = {name: WatchedPolicy(self.world) for name in KEYS}
        self.upstreams = {name: self._upstream(name) for name in KEYS}
        self.sink = ListSink()
        catalogue = Catalogue(MODELS, self.upstreams, self.upstreams["fast"])
        self.chat = ChatService(catalogue, UsageLedger(self.sink))
        self.lines: dict[str, SimulatedTransport] = {}
        for name, upstream in self.upstreams.items():
            for line in upstream.endpoints._endpoints:
                transport = self.lines[line.name] = cast("SimulatedTransport", line.transport)
                rules = rules_of(self.world, transport, line.health, MODELS_AT[name])
                self.policies[name].rules_of_lines.append(rules)
        self.breakers = [
            one
            for policy in self.policies.values()
            for rules in policy.rules_of_lines
            for one in rules
        ]
        self.lines["backup"].listeners.append(self._note_alternative)

    def _note_alternative(self, what: str, hit: Hit) -> None:
        if what != "began":
            return
        fast = self.upstreams["fast"]
        is_usable = any(
            not line.health.wait({"model": LONGER}, UpstreamCall(total=1))
            for line in fast.endpoints._endpoints
        )
        hit.has_alternative = is_usable and fast.endpoints.limit.free > 0

    def _upstream(self, name: str) -> UpstreamClient:
        model = {"fast": ASKED, "backup": SPARE}[name]
        return UpstreamClient(
            UpstreamPlan(tuple(Endpoint(NOWHERE, model, key) for key in KEYS[name])),
            UpstreamBehavior(name, max_concurrency=PLACES[name], queue_timeout=0),
            TIMEOUTS,
            WATCH,
            GENERIC,
            policy=self.policies[name],
            transport=cast("Any", partial(SimulatedTransport, self.world)),
            clock=self.world.clock,
        )

    def call(self, model: str | None = None, *, delay: float = 0, **traits: object) -> Client:
        """Let a client call."""
        client = Client(self.world, self.chat, model, **traits)  # type: ignore[arg-type]  # passed on
        self.world.start(client, delay)
        return client

    def burst(self, count: int, seconds: float) -> None:
        """Let so many clients of all kinds call within so many seconds."""
        chance = self.world.random
        for _ in range(count):
            delay = chance.uniform(0, seconds)
            patience = chance.choice([1, 3, 5, 60, *[math.inf] * 16])
            self.call(
                chance.choice([None, ASKED, LONELY, SPARE]),
                delay=delay,
                is_streamed=chance.random() < 0.5,
                total=chance.choice([0.5, 1, 2.5, *[math.inf] * 12]),
                leaves_at=self.world.now + delay + chance.uniform(0, 1) * patience,
                leaves_after=chance.choice([1, 2, *[9] * 8]),
            )

    def check(self) -> None:
        """Check all that must hold at any time; raises AssertionError, with the seed."""
        begun = Counter(row.request_id for row in self.sink.begun)
        for client in self.world.clients:
            if client.has_ended and not client.has_been_checked:
                rows = [row for row in self.sink.ended if row.request_id == client.request_id]
                check_call(self.world, client, begun[client.request_id], rows)
                client.has_been_checked = True
        for breaker in self.breakers:
            breaker.check()
        self._check_counts()
        assert not self.world.wrongs, "\n".join(self.world.wrongs)

    def _check_counts(self) -> None:
        """Check that what is taken is what the calls in progress have."""
        expect, calls = self.world.expect, self.world.in_progress()
        hits = sum(line.hits for line in self.lines.values())
        known = sum(row.attempts for row in self.sink.ended) + sum(len(c.hits) for c in calls)
        expect(hits == known, f"{hits} hits, and {known} in rows and calls in progress")
        taken = 0
        for name, upstream in self.upstreams.items():
            taken += PLACES[name] - upstream.endpoints.limit.free
            in_flight, policy = upstream._policy._budget._in_flight, self.policies[name]
            is_right = in_flight == policy.repeats_in_flight
            expect(is_right, f"{in_flight} repeats in flight at {name}")
            for line in upstream.endpoints._endpoints:
                known = self.lines[line.name].in_progress
                expect(
                    line.calls_in_progress == known,
                    f"{line.calls_in_progress} calls at {line.name}, not {known}",
                )
        expect(taken == len(calls), f"{taken} places taken by {len(calls)} calls")

    def recover(self) -> None:
        """End all faults: when the longest pause of a circuit is over, everything must be well."""
        for line in self.lines.values():
            line.calm_down()
        self.world.finish(*self.world.clients)
        self.check()
        self.world.pass_time(LONGEST_PAUSE)
        # Two keys: the second call of a model is the probe of the other one.
        for model in (*2 * (ASKED, LONELY, LONGER), SPARE):
            client = self.call(model)
            self.world.finish(client)
            self.world.expect(
                client.error is None and len(client.hits) == 1,
                f"{client.request_id} for {model} after all faults: {client.error}",
            )
        is_open = [breaker.name for breaker in self.breakers if breaker.is_open]
        self.world.expect(not is_open, f"the circuits stay open: {is_open}")

    def close(self) -> None:
        """Break off what is in progress."""
        for client in self.world.in_progress():
            client.end()
