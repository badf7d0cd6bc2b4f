"""A simulated world: time that only waiting moves, clients, and upstreams that fail.

Every client's call runs in a greenlet of its own. Whoever waits there lets the next one run, in the
order of the simulated time, so that calls overlap as they do under load and yet a seed always gives
the same history.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import greenlet
import orjson

from llm_api.domain.calls import Caller, Completion, Fallback, ModelRequest
from llm_api.domain.upstream_plans import Timeouts
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import INTERVAL
from llm_api.services.chat import ChatService
from llm_api.upstream.call import UpstreamCall
from tests.services.simulated_kinds import Kind

TIMEOUTS = Timeouts(connect=3, first_byte=60, idle=60, total=300, stream=600)
_MANY = 100_000  # more steps than any example takes


class World:
    """A clock, random numbers of one seed, and everybody who waits."""

    def __init__(self, seed: int) -> None:
        """Begin at some time, with nobody there."""
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311  # a simulation
        self.now = 1_000.0
        self.current: Client | None = None
        self.clients: list[Client] = []
        self.wrongs: list[str] = []
        self._numbers = itertools.count()
        self._agenda: list[tuple[float, int, Client]] = []
        self._alarms: dict[Client, int] = {}

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so much time pass for the client whose call is running."""
        assert self.current is not None
        self.set_alarm(self.current, self.now + seconds)
        greenlet.getcurrent().parent.switch()

    def set_alarm(self, client: "Client", at: float) -> None:
        """Let a client go on at a time, and not at the one that was set before."""
        number = self._alarms[client] = next(self._numbers)
        heapq.heappush(self._agenda, (at, number, client))

    def start(self, client: "Client", delay: float = 0.0) -> None:
        """Let a client's call begin."""
        self.clients.append(client)
        self.set_alarm(client, self.now + delay)

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass for everybody."""
        until = self.now + seconds
        self._run(lambda: not self._agenda or self._agenda[0][0] > until)
        self.now = until

    def finish(self, *clients: "Client") -> None:
        """Let time pass until the calls of these clients have ended."""
        self._run(lambda: all(client.has_ended for client in clients))

    def _run(self, is_over: Callable[[], bool]) -> None:
        for _ in range(_MANY):
            if is_over():
                return
            at, number, client = heapq.heappop(self._agenda)
            if self._alarms.get(client) == number:
                self.now = at
                self.current = client
                client.go_on()
        raise AssertionError(f"seed {self.seed}: the calls never end")

    def in_progress(self) -> list["Client"]:
        """List the clients whose calls have begun and not ended."""
        return [client for client in self.clients if client.has_begun and not client.has_ended]

    def expect(self, claim: object, otherwise: str) -> None:
        """Note what went wrong; raising it within the service would only be one more fault."""
        if not claim:
            self.wrongs.append(f"seed {self.seed}, at {self.now:.3f} s: {otherwise}")


@dataclass
class Hit:
    """An attempt, as the upstream saw it.

    `cut` is why the watch ended it; `is_given_up` says that nobody took the rest of its answer,
    and `has_alternative` that the upstream which the call came from would still have taken it.
    `usage_after` is how many seconds lie between the end of its text and its usage.
    """

    line: str
    model: str
    kind: Kind
    began_at: float
    ended_at: float = math.inf
    cut: str | None = None
    is_given_up: bool = False
    has_delivered: bool = False
    has_alternative: bool = True
    usage_after: float = 0.0

    @property
    def upstream(self) -> str:
        """The upstream of the line."""
        return self.line.partition("/")[0]

    @property
    def reason(self) -> str | None:
        """How it must look in the row."""
        return None if self.is_given_up else self.cut or self.kind.reason


@dataclass(eq=False)
class Client:
    """A client with one call, and what came of it.

    `script` has the answers its attempts will get at a line; without one the line's mood decides.
    `leaves_after` is after how many batches of a stream it hangs up.
    """

    world: World
    chat: ChatService
    model: str | None = None
    is_streamed: bool = False
    script: Mapping[str, Sequence[str]] = field(default_factory=dict)
    total: float = math.inf
    leaves_at: float = math.inf
    leaves_after: int = 1_000
    hits: list[Hit] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    completion: Completion | None = None
    error: ApiError | None = None
    fallback: Fallback | None = None
    has_hung_up: bool = False
    has_begun: bool = False
    has_ended: bool = False
    has_been_checked: bool = False
    deadline: float = math.inf

    def __post_init__(self) -> None:
        """Take a number."""
        self.request_id = f"request-{len(self.world.clients) + 1}"
        self._greenlet = greenlet.greenlet(self._run)
        self._is_watched = False
        self.began_at = math.inf
        self.caller = Caller(
            request_id=self.request_id,
            route="/api/v1/llm/chat",
            is_disconnected=lambda: self.world.now >= self.leaves_at,
            time_limit=None if math.isinf(self.total) else self.total,
        )

    @property
    def text(self) -> str:
        """What it has got to read."""
        if self.completion is not None:
            return self.completion.text
        choices = [choice for one in self.chunks for choice in orjson.loads(one)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def _run(self) -> None:
        self.has_begun = True
        self.began_at = self.world.now
        total = TIMEOUTS.stream if self.is_streamed else TIMEOUTS.total
        self.deadline = self.began_at + min(self.total, total)
        text = {"role": "user", "content": "Say hello to me."}
        request = ModelRequest(self.model, {"messages": [text], "user": self.request_id})
        try:
            if self.is_streamed:
                self._take(request)
            else:
                result = self.chat.complete(request, self.caller)
                self.completion, self.fallback = result.answer, result.report.fallback
        except ApiError as error:
            self.error = error
        finally:
            self.has_ended = True

    def _take(self, request: ModelRequest) -> None:
        result = self.chat.stream(request, self.caller)
        self.fallback = result.report.fallback
        with closing(result.answer) as stream:
            for count, batch in enumerate(stream, 1):
                self.chunks += batch
                if count >= self.leaves_after:
                    self.has_hung_up = True
                    return

    def go_on(self) -> None:
        """Run on, up to where the call waits again."""
        self._greenlet.switch()

    def end(self) -> None:
        """Break the call off."""
        self._greenlet.throw()

    def leave(self) -> None:
        """Hang up, unless that is done."""
        self.leaves_at = min(self.leaves_at, self.world.now)
        if self._is_watched:
            self.world.set_alarm(self, self.world.now)

    def wait(self, seconds: float, call: UpstreamCall) -> bool:
        """Wait on a socket; True where the watch shuts it before the time is over."""
        until = self.world.now + seconds
        self._is_watched = True
        while True:
            # The watch looks around four times a second.
            shut_at = min(self.deadline, self.leaves_at + INTERVAL / 2)
            self.world.sleep(max(0.0, min(until, shut_at) - self.world.now))
            if self.world.now >= min(until, shut_at):
                break
        self._is_watched = False
        if self.world.now >= shut_at:
            call.check()
        return call.is_expired or call.is_client_gone
