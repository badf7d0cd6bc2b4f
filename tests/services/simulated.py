"""A simulated world: time that only waiting moves, clients, and upstreams that fail.

Every client's call runs in a greenlet of its own. Whoever waits there lets the next one run, in the
order of the simulated time, so that calls overlap as they do under load and yet a seed always gives
the same history.
"""

import heapq
import http.client
import io
import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import greenlet
import orjson
import requests
from requests.structures import CaseInsensitiveDict

from llm_api.domain import Caller, Completion, Endpoint, ModelRequest, Timeouts
from llm_api.errors import ApiError
from llm_api.services.chat import ChatService
from llm_api.upstream import faults
from llm_api.upstream.call import Call
from llm_api.watch import INTERVAL, Watch
from tests.services.simulated_kinds import STREAMED, WHOLE, Kind

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
        self.lines: dict[str, SimulatedTransport] = {}
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

    @property
    def upstream(self) -> str:
        """The upstream of the line."""
        return self.line.partition("/")[0]

    @property
    def reason(self) -> str | None:
        """How it must look in the row."""
        return None if self.is_given_up else self.cut or self.kind.reason


class Deadline(float):
    """The deadline of a call, whose distance is one of the simulated time."""

    client: "Client"

    def __sub__(self, _now: float) -> float:
        """Return the seconds that are left."""
        return self.client.deadline - self.client.world.now


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
            is_abandoned=lambda: self.world.now >= self.leaves_at,
            time_limit=None if math.isinf(self.total) else self.total,
        )

    @property
    def text(self) -> str:
        """What it has got to read."""
        if self.completion is not None:
            return self.completion.text
        choices = [choice for one in self.chunks for choice in orjson.loads(one)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def real_deadline(self) -> Deadline:
        """Make what a Call, which asks the real clock, can take for its deadline."""
        deadline = Deadline()
        deadline.client = self
        return deadline

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
                self.completion = self.chat.complete(request, self.caller)
        except ApiError as error:
            self.error = error
        finally:
            self.has_ended = True

    def _take(self, request: ModelRequest) -> None:
        with closing(self.chat.stream(request, self.caller)) as stream:
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

    def wait(self, seconds: float, call: Call) -> bool:
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
        return call.is_over_time or call.is_client_gone


class Peer(io.RawIOBase):
    """The socket to an upstream, and the upstream behind it, which answers in its own time."""

    def __init__(self, world: World, client: Client, call: Call, hit: Hit) -> None:
        """Settle when which piece will come."""
        super().__init__()
        self._world, self._client, self._call, self._hit = world, client, call, hit
        self._timeout = 0.0
        at, self._coming = world.now, list[tuple[float, bytes]]()
        for piece in hit.kind.pieces:
            at += world.random.uniform(0.01, hit.kind.pace)
            self._coming.append((at, piece))
        self._ends_at = math.inf if hit.kind.ending is None else at + 0.01
        self.on_delivery: Callable[[], None] = lambda: None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Make what http.client reads from."""
        return io.BufferedReader(self)

    def settimeout(self, seconds: float) -> None:
        """Set how long a read waits; 0 for not at all."""
        self._timeout = seconds

    def gettimeout(self) -> float:
        """Tell it."""
        return self._timeout

    def readable(self) -> bool:
        """Be readable."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # what io passes
        """Read as `recv` does; None where nothing is there."""
        try:
            data = self.recv(len(buffer))
        except BlockingIOError:
            return None
        buffer[: len(data)] = data
        return len(data)

    def recv(self, size: int) -> bytes:
        """Wait for the next piece and return it."""
        at = self._coming[0][0] if self._coming else self._ends_at
        wait = at - self._world.now
        if wait > 0 and not self._timeout:
            raise BlockingIOError
        if wait > 0:
            if self._client.wait(min(wait, self._timeout), self._call):
                return b""
            if wait > self._timeout:
                raise TimeoutError
        if not self._coming:
            return self._end()
        at, piece = self._coming.pop(0)
        if len(piece) > size:
            self._coming.insert(0, (at, piece[size:]))
        if self._hit.kind.delivers and len(self._coming) == len(self._hit.kind.pieces) - 2:
            self._hit.has_delivered = True
            self.on_delivery()
        return piece[:size]

    def _end(self) -> bytes:
        ending = self._hit.kind.ending
        if isinstance(ending, Exception):
            raise ending
        return b""


class SimulatedTransport:
    """What calls one line; its answers are scripted by the client, or else as its mood has them."""

    def __init__(
        self, world: World, endpoint: Endpoint, timeouts: Timeouts, _watch: Watch, _pool_size: int
    ) -> None:
        """Be in a good mood; the line's name is its key."""
        self.name = endpoint.key
        self.in_progress = 0
        self.hits = 0
        self.listeners: list[Callable[[str, Hit], None]] = []
        self._world, self._timeouts = world, timeouts
        self._moods: list[tuple[float, Sequence[str]]] = []
        world.lines[self.name] = self

    def fall_into(self, kinds: Sequence[str], seconds: float) -> None:
        """Answer in these ways for a while."""
        self._moods.append((self._world.now + seconds, kinds))

    def calm_down(self) -> None:
        """Answer well from now on."""
        self._moods.clear()

    def _next_kind(self, client: Client, *, is_streamed: bool) -> Kind:
        before = sum(hit.line == self.name for hit in client.hits)
        scripted = list(client.script.get(self.name, []))[before : before + 1]
        lasting = [kinds for until, kinds in self._moods if until > self._world.now]
        names = scripted or (lasting[-1] if lasting else ["good"])
        return (STREAMED if is_streamed else WHOLE)[self._world.random.choice(names)]

    @contextmanager
    def post(self, _path: str, body: bytes, call: Call) -> Iterator[requests.Response]:
        """Answer one POST; raises faults.Fault as the real one does."""
        client, hit = self._begun(orjson.loads(body))
        call.deadline = client.real_deadline
        try:
            yield self._exchange(client, call, hit)
        except faults.Fault as fault:
            if call.is_client_gone:
                hit.cut = "client_closed"
                raise faults.Fault(faults.ClientGone()) from fault
            if call.is_over_time:
                hit.cut = "upstream_timeout"
                raise faults.timed_out() from fault
            raise
        except BaseException:
            hit.is_given_up = True
            raise
        finally:
            hit.ended_at = self._world.now
            self._tell("ended", hit)

    def _begun(self, asked: Mapping[str, Any]) -> tuple[Client, Hit]:
        client = self._world.current
        assert client is not None
        assert client.request_id == asked["user"]
        kind = self._next_kind(client, is_streamed=asked.get("stream", False))
        hit = Hit(self.name, asked["model"], kind, self._world.now)
        client.hits.append(hit)
        self._tell("began", hit)
        return client, hit

    def _tell(self, what: str, hit: Hit) -> None:
        self.hits += what == "began"
        self.in_progress += {"began": 1, "ended": -1}.get(what, 0)
        for listener in self.listeners:
            listener(what, hit)

    def _exchange(self, client: Client, call: Call, hit: Hit) -> requests.Response:
        if (refusal := hit.kind.while_connecting) is not None:
            is_slow = isinstance(refusal, TimeoutError)
            client.wait(self._timeouts.connect if is_slow else 0.01, call)
            raise faults.while_connecting(refusal)
        peer = Peer(self._world, client, call, hit)
        peer.on_delivery = lambda: self._tell("delivered", hit)
        peer.settimeout(self._timeouts.first_byte)
        raw = http.client.HTTPResponse(peer, method="POST")  # type: ignore[arg-type]  # as good as a socket
        try:
            raw.begin()
        except (OSError, http.client.HTTPException) as error:
            raise faults.while_waiting(error) from error
        peer.settimeout(self._timeouts.idle)
        response = requests.Response()
        response.status_code, response.raw = raw.status, raw
        response.headers = CaseInsensitiveDict(raw.getheaders())
        response.connection = SimpleNamespace(sock=peer)  # type: ignore[assignment]  # as in transport.py
        return response

    def get_status(self, _path: str, *, timeout: float) -> int:
        """Be there, whoever looks."""
        return 200 if timeout else 503

    def close(self) -> None:
        """Have nothing to close."""
