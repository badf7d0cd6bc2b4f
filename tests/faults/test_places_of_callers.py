"""F9: one call more than a caller may run at once is refused, and each end of one frees its place.

The ends are D3, D20, E1 to E4, and the time-outs and refusals of upstreams.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pytest
import requests
import sqlalchemy as sa

from llm_api.domain.access import TOKENS, ApiKey, Budget, Limits
from llm_api.services.keys.service import KeyService
from llm_api.storage.factory import open_key_store
from llm_api.storage.sql.tables import budget_reservations, budget_spending, usage
from llm_api.storage.threads import StoreThreads
from tests.support import replies
from tests.support.acting import OPERATOR
from tests.support.live import LiveAnswer
from tests.support.paced import Flood, Gated
from tests.support.peer import Peer, RecordedRequest
from tests.support.raw import request_bytes
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import COMPLETIONS, JSON_TYPE, good_body, read_refusal
from tests.web.streams import HELLO, LO, PATIENCE, STOP, frame, streaming_service

STREAMS, REQUESTS = 5, 6
TIMEOUTS = {
    "UPSTREAM_FIRST_BYTE_TIMEOUT": "3",
    "UPSTREAM_IDLE_TIMEOUT": "3",
    "CLIENT_WRITE_TIMEOUT": "2",
}
LONG_S = 600.0
_TAKEN = "/_taken"
# A fault of our own, and a look at the places that are taken.
_MORE = f"""
from llm_api.storage.redis.concurrency import MemoryConcurrency
from llm_api.upstream.answers.chunks import StreamedAnswer

[slots] = [found for found in gc.get_objects() if isinstance(found, MemoryConcurrency)]

take = StreamedAnswer.take
StreamedAnswer.take = lambda answer, event: 1 // (b"crash" not in event) and take(answer, event)


@app.get("{_TAKEN}")
def taken():
    return dict(slots._held)
"""


class Waiting:
    """A reply that is given when the test says so."""

    def __init__(self, reply: Reply) -> None:
        """Take it."""
        self._reply = reply
        self._may_go = threading.Event()

    def let_go(self) -> None:
        """Let it be given."""
        self._may_go.set()

    def answer(self, peer: Peer, request: RecordedRequest) -> bool:
        """Give it, for as long as the client stays."""
        while not self._may_go.is_set():
            if not peer.stay_silent(0.02):
                return False
        return self._reply.answer(peer, request)


@dataclass(frozen=True)
class Case:
    """A call that is about to end: its replies, and what ends it."""

    replies: tuple[Reply, ...]
    end: Callable[[LiveAnswer], object] = lambda _: None
    receive_buffer: int | None = None


def replied(*given: Reply) -> Case:
    """End with what the upstream says."""
    first = Waiting(given[0])
    return Case((first, *given[1:]), lambda _: first.let_go())


def streamed(*events: object) -> Case:
    """End with events after the first."""
    reply = Gated(
        [frame(HELLO), *[event if isinstance(event, bytes) else frame(event) for event in events]]
    )
    reply.let_go()
    return Case((reply,), lambda _: reply.let_go(len(events)))


def left(**how: bool) -> Case:
    """End with the client, in mid-stream."""
    return Case((endless(),), lambda answer: (answer.read_event(), answer.leave(**how)))


def endless() -> Reply:
    """Stream for longer than any test."""
    return replies.sse([HELLO] + [LO] * round(LONG_S / 0.3), 0.3)


ENDS: dict[str, Callable[[], Case]] = {
    "complete": lambda: streamed(STOP, "[DONE]"),
    "d3 truncated": lambda: streamed(b": nothing more\n\n"),
    "d7 broken": lambda: streamed(b"data: {NaN\n\n"),
    "d10 silent": lambda: replace(streamed(LO), end=lambda _: None),
    "d20 crash": lambda: streamed({"crash": 1}),
    "e1 leaves": left,
    "e1 resets": lambda: left(with_reset=True),
    "e2 leaves in silence": lambda: Case((replies.hang(LONG_S),), lambda answer: answer.leave()),
    "e4 never reads": lambda: Case(
        (Flood(frame(LO) * 500, 2_000),), receive_buffer=4_096
    ),
    "no first byte": lambda: Case((replies.hang(LONG_S),)),
    "refused": lambda: replied(replies.api_error(400, "InvalidParameter")),
    "fails twice": lambda: replied(*[replies.api_error(503)] * 2),
    "gone": lambda: replied(*[replies.reset_before_answer()] * 2),
}  # fmt: skip
UNARY_ENDS: dict[str, Callable[[], Case]] = {
    "complete": lambda: replied(replies.completion()),
    "e3 leaves": lambda: Case((replies.hang(LONG_S),), lambda answer: answer.leave()),
    "time-out": lambda: Case((replies.hang(LONG_S),)),
    "refused": lambda: replied(replies.api_error(400, "InvalidParameter")),
    "fails twice": lambda: replied(*[replies.api_error(503)] * 2),
    "no json": lambda: replied(replies.raw_reply(b"HTTP/1.1 200 OK\r\n\r\nno")),
}


@dataclass
class Caller:
    """Calls a service, with a key or without; `scope` is whose limits are met."""

    service: Service
    scope: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, *, is_streamed: bool, receive_buffer: int | None = None) -> LiveAnswer:
        """Make a call, and wait for nothing."""
        body = json.dumps({**good_body(COMPLETIONS), "stream": is_streamed}).encode()
        length = ("Content-Length", str(len(body)))
        headers = [("Host", "service"), JSON_TYPE, length, *self.headers]
        sent = request_bytes("POST", COMPLETIONS, headers, body)
        return LiveAnswer(self.service.address, sent, receive_buffer=receive_buffer)

    def refusal(self, *, is_streamed: bool) -> str:
        """Make a call that must be refused at once, and return whose limit it met."""
        with self.ask(is_streamed=is_streamed) as answer:
            status, text = answer.status, answer.read_body()
        verdict = read_refusal(COMPLETIONS, status, answer.headers, text).verdict
        assert verdict == (429, "RATE_LIMIT_EXCEEDED", "too_many_at_once", True)
        assert answer.header("Retry-After") == "1"
        assert answer.header("x-should-retry") is None
        return str(json.loads(text)["error"]["details"]["scope"])

    def taken(self) -> dict[str, int]:
        """Return the places that are taken, by whom and for what."""
        with requests.Session() as session:
            url = self.service.url + _TAKEN
            found: dict[str, int] = session.get(
                url, headers=dict(self.headers), timeout=PATIENCE
            ).json()
            return {name.rpartition(":")[2]: count for name, count in found.items()}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's services."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module", params=["address", "key"])
def known(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    upstream: ScriptedUpstream,
) -> Iterator[Caller]:
    """Be somebody whose limits are those of his address, or of his key."""
    directory = tmp_path_factory.mktemp(request.param)
    own = {"CONCURRENT_STREAMS": str(STREAMS), "CONCURRENT_REQUESTS": str(REQUESTS)}
    env = own if request.param == "address" else {"REQUIRE_API_KEY": "true"}
    service = streaming_service(directory, upstream, **TIMEOUTS, **env)
    with (directory / "project" / "wsgi.py").open("a") as program:
        program.write(_MORE)
    with service:
        headers = [] if request.param == "address" else [key_of(service)]
        yield Caller(service, request.param, headers)


def key_of(service: Service) -> tuple[str, str]:
    """Issue a key with limits, and return the header that presents it."""
    store = open_key_store(service.env["DATABASE_URL"])
    limits = Limits(concurrent_streams=STREAMS, concurrent_requests=REQUESTS)
    key = ApiKey("", "shop", limits=limits, budgets=(Budget("month", TOKENS, 10**9),))
    issued = KeyService(store, StoreThreads(1)).issue(key, OPERATOR)
    store.close()
    return "Authorization", f"Bearer {issued.secret}"


@pytest.fixture
def caller(known: Caller, upstream: ScriptedUpstream) -> Iterator[Caller]:
    """Be that one; after, all places must be free, and the budget of the key settled."""
    upstream.clear()
    yield known
    wait_until(lambda: known.taken() == {}, PATIENCE, lambda: str(known.taken()))
    url = known.service.env["DATABASE_URL"]
    wait_until(lambda: reserved_calls(url) == 0, PATIENCE, "all budgets are settled")
    spent, counted = spent_tokens(url)
    assert spent >= counted  # the rest is of calls whose tokens nobody knows


def reserved_calls(url: str) -> int:
    """Count the calls that hold something of a budget."""
    return _ask(url, sa.select(sa.func.count()).select_from(budget_reservations))


def spent_tokens(url: str) -> tuple[int, int]:
    """Return what budgets say was spent, and the sum of the tokens of all rows of keys."""
    tokens = sa.func.sum(usage.c.prompt_tokens + usage.c.completion_tokens)
    counted = sa.select(tokens).where(usage.c.key_id.is_not(None))
    return _ask(url, sa.select(sa.func.sum(budget_spending.c.spent))), _ask(url, counted)


def _ask(url: str, statement: sa.Select[tuple[int]]) -> int:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.scalar(statement) or 0)


@contextmanager
def all_but_one_taken(
    caller: Caller, upstream: ScriptedUpstream, *, is_streamed: bool
) -> Iterator[Callable[[Case], LiveAnswer]]:
    """Hold all places but one, for which the block can ask."""
    kind, limit = ("streams", STREAMS) if is_streamed else ("requests", REQUESTS)
    reply = endless() if is_streamed else replies.delayed(replies.completion(), 2.5)
    with ExitStack() as stack:

        def ask(case: Case) -> LiveAnswer:
            upstream.script(*case.replies)
            answer = caller.ask(is_streamed=is_streamed, receive_buffer=case.receive_buffer)
            stack.callback(answer.leave)
            return answer

        for _ in range(limit - 1):
            ask(Case((reply,)))
        # Each has its reply.
        wait_until(lambda: len(upstream.requests) == limit - 1, PATIENCE, caller.service.log)
        assert caller.taken()[kind] == limit - 1
        yield ask


@pytest.mark.parametrize("make", ENDS.values(), ids=ENDS)
def test_f9_every_end_of_a_stream_frees_its_place(
    caller: Caller, upstream: ScriptedUpstream, make: Callable[[], Case]
) -> None:
    case = make()
    with all_but_one_taken(caller, upstream, is_streamed=True) as ask:
        answer = ask(case)
        wait_until(lambda: caller.taken()["streams"] == STREAMS, PATIENCE, "all are taken")
        assert caller.refusal(is_streamed=True) == f"{caller.scope}.concurrent_streams"

        case.end(answer)

        wait_until(lambda: caller.taken()["streams"] == STREAMS - 1, PATIENCE, "one is free")
        ask(Case((endless(),)))
        wait_until(lambda: caller.taken()["streams"] == STREAMS, PATIENCE, "it is taken again")
        assert caller.refusal(is_streamed=True) == f"{caller.scope}.concurrent_streams"


@pytest.mark.parametrize("make", UNARY_ENDS.values(), ids=UNARY_ENDS)
def test_f9_every_end_of_a_call_frees_its_place(
    caller: Caller, upstream: ScriptedUpstream, make: Callable[[], Case]
) -> None:
    case = make()
    with all_but_one_taken(caller, upstream, is_streamed=False) as ask:
        answer = ask(case)
        wait_until(lambda: caller.taken()["requests"] == REQUESTS, PATIENCE, "all are taken")
        assert caller.refusal(is_streamed=False) == f"{caller.scope}.concurrent_requests"

        case.end(answer)

        wait_until(lambda: caller.taken().get("requests", 0) < REQUESTS, PATIENCE, "one is free")
        assert answer_of(caller) == 200


def answer_of(caller: Caller) -> int:
    """Make a plain call, and return its status."""
    with caller.ask(is_streamed=False) as answer:
        return answer.status


def test_f9_streams_and_calls_have_limits_of_their_own(
    caller: Caller, upstream: ScriptedUpstream
) -> None:
    with all_but_one_taken(caller, upstream, is_streamed=True) as ask:
        ask(Case((endless(),)))
        wait_until(lambda: caller.taken()["streams"] == STREAMS, PATIENCE, "all are taken")
        # Or the call below could be given the reply of the stream.
        wait_until(lambda: len(upstream.requests) == STREAMS, PATIENCE, "it has its reply")

        assert caller.refusal(is_streamed=True) == f"{caller.scope}.concurrent_streams"
        assert answer_of(caller) == 200
