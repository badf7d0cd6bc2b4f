"""E10: a repeated request gets the answer of the first; the work is done and paid once."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.raw import request_bytes
from tests.support.servers import ValkeyServer
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CHAT, COMPLETIONS = "/api/v1/llm/chat", "/v1/chat/completions"
OPTIMIZE = "/api/v1/llm/optimize-prompt"
MAX_ANSWER_BYTES = 4 << 20  # as the README says
MESSAGES = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": MESSAGES},
    COMPLETIONS: {"model": "scripted", "messages": MESSAGES},
    OPTIMIZE: {"prompt": "A cat on a chair", "type": "image"},
}
STREAM = {"model": "scripted", "messages": MESSAGES, "stream": True}
KEY = {"Idempotency-Key": "order-1"}
FIRST, RETRY = {"x-stainless-retry-count": "0"}, {"x-stainless-retry-count": "1"}
# The claim of a process that was killed lasts a while, which is not a quarter of a minute here.
TIMINGS = Timings(claim=3.0)
Headers = Mapping[str, str]


class Gate:
    """A reply that waits until it is opened."""

    def __init__(self, reply: replies.Reply) -> None:
        """Take the reply to give then."""
        self.is_open = threading.Event()
        self._reply = reply

    def reply(self) -> replies.Reply:
        """Return the reply to script."""

        def answer(_: object) -> replies.Reply:
            assert self.is_open.wait(30)
            return self._reply

        return replies.answer_with(answer)


def post(
    service: Service, path: str, headers: Headers, body: Mapping[str, Any] | None = None
) -> requests.Response:
    """Send a request on a connection of its own."""
    with requests.Session() as session:
        url = service.url + path
        return session.post(url, json=body or BODIES[path], headers=dict(headers), timeout=30)


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's services."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def upstream(module_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """Lend the upstream with nothing scripted."""
    module_upstream.clear()
    return module_upstream


@pytest.fixture(scope="module")
def module_service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service with one worker and no Redis."""
    env = {**fast_upstream(module_upstream.url), "RATE_LIMIT": "1000000/minute"}
    with own_service(tmp_path_factory.mktemp("one"), env) as running:
        yield running


@pytest.fixture
def service(module_service: Service, request: pytest.FixtureRequest) -> Service:
    """Lend the service; every test has a key of its own."""
    KEY["Idempotency-Key"] = request.node.name
    return module_service


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Send requests at the same time."""
    with ThreadPoolExecutor() as executor:
        yield executor


def rows_after(service: Service, answer: Callable[[], object], expected: int) -> list[Any]:
    """Return the usage rows that a piece of work leaves, when as many as expected are there."""
    before = service.usage_count()
    answer()
    wait_until(lambda: service.usage_count() >= before + expected, 10, "the usage rows are written")
    return service.usage_rows()[before:]


# Good enough for a prompt not to be asked for again.
REWRITE = (
    "A cat sitting on a chair, soft morning light from the left, warm muted tones, fine texture of"
    " the old painted wood, close-up."
)


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, OPTIMIZE])
def test_the_same_key_and_body_get_the_finished_answer(
    service: Service, upstream: ScriptedUpstream, path: str
) -> None:
    def twice() -> None:
        first, second = post(service, path, KEY), post(service, path, KEY)

        assert first.status_code == 200
        assert second.content == first.content
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        assert second.headers["x-request-id"] != first.headers["x-request-id"]

    upstream.script(replies.completion(REWRITE), replies.completion("Another"))
    rows = rows_after(service, twice, 1)
    assert len(upstream.requests) == 1
    assert len(rows) == 1


def test_a_stream_is_replayed_as_a_stream(service: Service, upstream: ScriptedUpstream) -> None:
    first, second = (post(service, COMPLETIONS, KEY, STREAM) for _ in range(2))

    assert first.content.endswith(b"data: [DONE]\n\n")
    assert second.content == first.content
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert second.headers["X-Accel-Buffering"] == "no"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("body", [None, STREAM], ids=["whole", "streamed"])
@pytest.mark.parametrize("headers", [KEY, RETRY], ids=["key", "retry"])
def test_a_repeat_joins_the_call_in_flight(
    service: Service,
    upstream: ScriptedUpstream,
    pool: ThreadPoolExecutor,
    body: Mapping[str, Any] | None,
    headers: Headers,
) -> None:
    good = replies.completion_stream("Hel", "lo") if body else replies.completion("Hello")
    gate = Gate(good)
    upstream.script(gate.reply())
    # Of several that come at once, without a key the first one must be known as the first.
    first = pool.submit(post, service, COMPLETIONS, KEY if headers is KEY else FIRST, body)
    wait_until(lambda: upstream.requests, 10, "the first request reaches the upstream")
    repeats = [pool.submit(post, service, COMPLETIONS, headers, body) for _ in range(3)]
    gate.is_open.set()

    contents = {future.result().content for future in [first, *repeats]}

    assert len(contents) == 1
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("other", [{"temperature": 1}, {"stream": True}])
def test_a_key_with_another_body_is_refused(
    service: Service, upstream: ScriptedUpstream, other: Mapping[str, Any]
) -> None:
    post(service, COMPLETIONS, KEY)

    answer = post(service, COMPLETIONS, KEY, {**BODIES[COMPLETIONS], **other})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "idempotency_key_reused"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert len(upstream.requests) == 1


def test_a_key_belongs_to_its_caller(service: Service, upstream: ScriptedUpstream) -> None:
    answers = [
        post(service, COMPLETIONS, KEY | {"Authorization": f"Bearer {name}"}) for name in "ab"
    ]

    assert all("idempotent-replayed" not in answer.headers for answer in answers)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_the_wrong_length_is_refused(
    service: Service, upstream: ScriptedUpstream, key: str
) -> None:
    answer = post(service, COMPLETIONS, {"Idempotency-Key": key})

    assert answer.status_code == 400
    assert "Idempotency-Key: must be" in answer.json()["error"]["message"]
    assert upstream.requests == []


def test_a_failed_call_is_made_anew(service: Service, upstream: ScriptedUpstream) -> None:
    upstream.script(replies.api_error(404), replies.completion("at last"))

    failed, good = post(service, COMPLETIONS, KEY), post(service, COMPLETIONS, KEY)

    assert (failed.status_code, good.status_code) == (404, 200)
    assert len(upstream.requests) == 2


def test_a_stream_that_broke_is_made_anew(service: Service, upstream: ScriptedUpstream) -> None:
    broken = replies.sse([replies.chunk({"content": "Hel"})], done=False)
    upstream.script(broken, replies.completion_stream("Hello"))

    first, second = (post(service, COMPLETIONS, KEY, STREAM) for _ in range(2))

    assert b"upstream_truncated" in first.content
    assert second.content.endswith(b"data: [DONE]\n\n")


def test_those_who_joined_get_the_error_too(
    service: Service, upstream: ScriptedUpstream, pool: ThreadPoolExecutor
) -> None:
    gate = Gate(replies.api_error(400))
    upstream.script(gate.reply())
    both = [pool.submit(post, service, COMPLETIONS, KEY) for _ in range(2)]
    wait_until(lambda: upstream.requests, 10, "the request reaches the upstream")
    gate.is_open.set()

    statuses = [future.result().status_code for future in both]

    # The second may have come when the first had its answer: then it is a call of its own.
    assert statuses in ([400, 400], [400, 200], [200, 400])


def test_equal_requests_that_are_no_repeats_are_answered_each(
    service: Service, upstream: ScriptedUpstream
) -> None:
    for headers in ({}, {}, FIRST, FIRST):
        assert post(service, COMPLETIONS, headers).status_code == 200

    assert len(upstream.requests) == 4


def test_a_retry_gets_the_answer_that_did_not_arrive(
    service: Service, upstream: ScriptedUpstream
) -> None:
    body = {**BODIES[COMPLETIONS], "user": "somebody-who-retries"}
    first = post(service, COMPLETIONS, FIRST, body)
    retried = post(service, COMPLETIONS, RETRY, body)

    assert retried.content == first.content
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("body", [BODIES[COMPLETIONS], STREAM], ids=["whole", "streamed"])
def test_a_call_goes_on_for_those_who_joined_when_the_first_client_leaves(
    service: Service,
    upstream: ScriptedUpstream,
    pool: ThreadPoolExecutor,
    body: Mapping[str, Any],
) -> None:
    # So large that it does not fit into the socket buffers of the client that left.
    text = "x" * 200_000
    good = replies.completion_stream(text) if "stream" in body else replies.completion(text)
    gate = Gate(good)
    upstream.script(gate.reply())
    raw = requests.Request("POST", service.url + COMPLETIONS, json=body, headers=KEY).prepare()
    assert isinstance(raw.body, bytes)
    with socket.create_connection(service.address) as leaver:
        headers = [("Host", "service"), *raw.headers.items()]
        leaver.sendall(request_bytes("POST", COMPLETIONS, headers, raw.body))
        wait_until(lambda: upstream.requests, 10, "the request reaches the upstream")
        joined: Future[requests.Response] = pool.submit(post, service, COMPLETIONS, KEY, body)
        wait_until(lambda: is_joined(service), 10, "the repeat waits")
    # Longer than the service takes to notice that a client has left.
    threading.Event().wait(1)
    gate.is_open.set()

    assert text in joined.result().text
    assert len(upstream.requests) == 1


def is_joined(service: Service) -> bool:
    """Whether two clients are connected to the service."""
    port = f":{service.address[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(line[1].endswith(port) and line[3] == "01" for line in lines) >= 2


def test_an_answer_too_large_to_keep_is_made_anew(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.completion("x" * MAX_ANSWER_BYTES)] * 2)

    answers = [post(service, COMPLETIONS, KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(upstream.requests) == 2


# --- through Redis ---


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path) as server:
        yield server


@pytest.fixture
def two(
    tmp_path: Path, module_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> Iterator[tuple[Service, Service]]:
    """Run two services that share a Valkey, as two hosts of one installation do."""
    env = {
        **fast_upstream(module_upstream.url),
        "RATE_LIMIT": "1000000/minute",
        "RATELIMIT_STORAGE_URI": valkey.url,
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    services = [own_service(tmp_path / name, env, timings=TIMINGS) for name in ("a", "b")]
    with ExitStack() as stack:
        # At the same time: most of it is waiting for the processes.
        with ThreadPoolExecutor() as pool:
            one, other = pool.map(stack.enter_context, services)
        yield one, other


@pytest.mark.parametrize("body", [BODIES[COMPLETIONS], STREAM], ids=["whole", "streamed"])
def test_processes_share_their_answers(
    two: tuple[Service, Service], upstream: ScriptedUpstream, body: Mapping[str, Any]
) -> None:
    first, second = (post(one, COMPLETIONS, KEY, body) for one in two)
    refused = post(two[1], COMPLETIONS, KEY, {**body, "temperature": 0.1})
    retried = [post(one, COMPLETIONS, h, body) for one, h in zip(two, (FIRST, RETRY), strict=True)]

    assert second.content == first.content
    assert refused.json()["error"]["code"] == "idempotency_key_reused"
    assert retried[0].content == retried[1].content
    assert len(upstream.requests) == 2


def test_a_repeat_joins_the_call_of_another_process(
    two: tuple[Service, Service], upstream: ScriptedUpstream, pool: ThreadPoolExecutor
) -> None:
    gate = Gate(replies.completion("Hello"))
    upstream.script(gate.reply())
    first = pool.submit(post, two[0], COMPLETIONS, KEY)
    wait_until(lambda: upstream.requests, 10, "the first request reaches the upstream")
    second = pool.submit(post, two[1], COMPLETIONS, KEY)
    threading.Event().wait(0.5)
    gate.is_open.set()

    assert second.result().content == first.result().content
    assert len(upstream.requests) == 1


def test_a_repeat_takes_over_when_the_first_process_is_killed(
    two: tuple[Service, Service], upstream: ScriptedUpstream, pool: ThreadPoolExecutor
) -> None:
    upstream.script(replies.hang(60))
    first = pool.submit(post, two[0], COMPLETIONS, KEY)
    wait_until(lambda: upstream.requests, 10, "the first request reaches the upstream")
    second = pool.submit(post, two[1], COMPLETIONS, KEY)
    two[0].kill()

    # The claim of the killed process ends by itself.
    assert second.result().status_code == 200
    assert isinstance(first.exception(), requests.ConnectionError)


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_without_redis_each_process_knows_its_own_answers(
    two: tuple[Service, Service], upstream: ScriptedUpstream, valkey: ValkeyServer, fault: str
) -> None:
    getattr(valkey, fault)()

    answers = [post(two[0], COMPLETIONS, KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "idempotent-replayed" in answers[1].headers
    assert len(upstream.requests) == 1
