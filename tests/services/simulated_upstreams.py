"""Simulated upstreams: what the service calls instead of sockets, and what it is answered."""

import http.client
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from llm_api.domain.upstream_plans import Endpoint, Timeouts
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.framing import receive_head
from llm_api.upstream.http.response_body import RawBody, UpstreamResponse
from tests.services.simulated import Client, Hit, World
from tests.services.simulated_kinds import STREAMED, WHOLE, Kind

_FINISH, _USAGE = b'"finish_reason": "stop"', b'"usage": {'


class Peer:
    """The socket to an upstream, and the upstream behind it, which answers in its own time."""

    def __init__(self, world: World, client: Client, call: UpstreamCall, hit: Hit) -> None:
        """Settle when which piece will come."""
        self._world, self._client, self._call, self._hit = world, client, call, hit
        self._timeout = 0.0
        at, self._coming = world.now, list[tuple[float, bytes]]()
        finishes_at = math.inf
        for piece in hit.kind.pieces:
            at += world.random.uniform(0.01, hit.kind.pace)
            self._coming.append((at, piece))
            finishes_at = at if _FINISH in piece else finishes_at
            hit.usage_after = max(hit.usage_after, at - finishes_at if _USAGE in piece else 0.0)
        self._ends_at = math.inf if hit.kind.ending is None else at + 0.01
        self.on_delivery: Callable[[], None] = lambda: None

    def settimeout(self, seconds: float) -> None:
        """Set how long a read waits; 0 for not at all."""
        self._timeout = seconds

    def gettimeout(self) -> float:
        """Tell it."""
        return self._timeout

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
        self,
        world: World,
        endpoint: Endpoint,
        timeouts: Timeouts,
        _watch: DeadlineWatcher,
        _pool_size: int,
    ) -> None:
        """Be in a good mood; the line's name is its key."""
        self.name = endpoint.key
        self.in_progress = 0
        self.hits = 0
        self.listeners: list[Callable[[str, Hit], None]] = []
        self._world, self._timeouts = world, timeouts
        self._moods: list[tuple[float, Sequence[str]]] = []

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
    def post(self, _path: str, body: bytes, call: UpstreamCall) -> Iterator[UpstreamResponse]:
        """Answer one POST; raises faults.Fault as the real one does."""
        client, hit = self._begun(orjson.loads(body))
        try:
            yield self._exchange(client, call, hit)
        except faults.Fault as fault:
            if (ending := call.ending) is not None:
                hit.cut = ending.error.reason
                raise ending from fault
            if call.is_expired:
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

    def _exchange(self, client: Client, call: UpstreamCall, hit: Hit) -> UpstreamResponse:
        if (refusal := hit.kind.while_connecting) is not None:
            is_slow = isinstance(refusal, TimeoutError)
            client.wait(self._timeouts.connect if is_slow else 0.01, call)
            raise faults.while_connecting(refusal)
        peer = Peer(self._world, client, call, hit)
        peer.on_delivery = lambda: self._tell("delivered", hit)
        peer.settimeout(self._timeouts.first_byte)
        try:
            head, came = receive_head(peer)
        except (OSError, http.client.HTTPException) as error:
            raise faults.while_waiting(error) from error
        peer.settimeout(self._timeouts.idle)
        return UpstreamResponse(head, RawBody(peer, head, came))

    def get_status(self, _path: str, *, timeout: float) -> int:
        """Be there, whoever looks."""
        return 200 if timeout else 503

    def close(self) -> None:
        """Have nothing to close."""
