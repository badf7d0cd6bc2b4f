"""Clients that hold connections, or leave: neither the others nor the upstream pay for it."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest

from tests.support import replies
from tests.support.raw import request_bytes
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS, JSON_TYPE, body_text

HOST = ("Host", "service")
ATTACKERS = 64
PROBES = 60
PROBE_TIMEOUT = 5.0
LARGE_FILE = "/docs/swagger-ui/swagger-ui-bundle.js"

ENDED = request_bytes("GET", "/healthz", [HOST, ("Connection", "close")])
HALF_A_HEAD = b"POST /api/v1/llm/chat HTTP/1.1\r\nHost: service\r\nX-Slow: "
HALF_A_BODY = request_bytes(
    "POST", CHAT, [HOST, JSON_TYPE, ("Content-Length", "1000")], b'{"messages"'
)
CHUNKS_WITHOUT_END = request_bytes(
    "POST", CHAT, [HOST, JSON_TYPE, ("Transfer-Encoding", "chunked")], b"1\r\n{\r\n"
)
MANY_LARGE_ANSWERS = request_bytes("GET", LARGE_FILE, [HOST]) * 8


@contextmanager
def held_connections(service: Service, payload: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that send this, read nothing, and stay."""
    with ExitStack() as stack:
        held = []
        for _ in range(ATTACKERS):
            attacker = stack.enter_context(socket.socket())
            attacker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            attacker.settimeout(5)
            attacker.connect(service.address)
            attacker.sendall(payload)
            held.append(attacker)
        yield held


def probe(service: Service) -> None:
    """Send plain requests one after the other, each with a time-out."""
    for _ in range(PROBES):
        connection = http.client.HTTPConnection(*service.address, timeout=PROBE_TIMEOUT)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        connection.close()


@pytest.mark.parametrize(
    "payload",
    [b"", b"P", ENDED, HALF_A_HEAD, HALF_A_BODY, CHUNKS_WITHOUT_END, MANY_LARGE_ANSWERS],
    ids=["no byte", "a byte", "never closing", "head", "body", "chunks", "never reading"],
)
def test_clients_that_hold_their_connections_do_not_stop_the_others(
    sound_service: Service, payload: bytes
) -> None:
    with held_connections(sound_service, payload):
        probe(sound_service)


@pytest.mark.parametrize("payload", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["none", "head", "body"])
def test_clients_that_drip_do_not_stop_calls(sound_service: Service, payload: bytes) -> None:
    with held_connections(sound_service, payload) as held:
        for _ in range(10):
            for attacker in held:
                attacker.sendall(b"x")
            assert chat_status(sound_service) == 200


def chat_status(service: Service) -> int:
    """Make a call."""
    connection = http.client.HTTPConnection(*service.address, timeout=PROBE_TIMEOUT)
    connection.request("POST", CHAT, body_text(CHAT), dict([JSON_TYPE]))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_clients_that_never_close_do_not_slow_the_others_while_they_come(
    sound_service: Service,
) -> None:
    # A thread-based worker waits 2 s for each of them to close, on its main loop: 40 s in all.
    began = time.monotonic()
    with ExitStack() as stack:
        for _ in range(20):
            attacker = stack.enter_context(socket.create_connection(sound_service.address, 5))
            attacker.sendall(ENDED)
            assert attacker.recv(65_536)
            assert sound_service.is_healthy()

    assert time.monotonic() - began < 20


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(
    "reply",
    [lambda: replies.hang(30), lambda: replies.dribble(b"HTTP/1.1 200 OK\r\n" * 99, 0.3)],
    ids=["silent", "dribbling"],
)
def test_a_client_that_leaves_ends_the_call_at_the_upstream(
    sound_service: Service,
    service_upstream: ScriptedUpstream,
    path: str,
    reply: Callable[[], replies.Reply],
) -> None:
    service_upstream.script(reply())
    model = f"leaver-{uuid4()}"

    call_and_leave(sound_service, service_upstream, path, model)

    wait_until(lambda: service_upstream.open_connections == 0, 1, "the upstream is let go")
    wait_until(lambda: statuses_of(sound_service, model), 5, "the call is accounted for")
    assert statuses_of(sound_service, model) == ["client_closed"]


def call_and_leave(service: Service, upstream: ScriptedUpstream, path: str, model: str) -> None:
    """Make a call, and close the connection as soon as it has reached the upstream."""
    body = body_text(path, model=f'"{model}"')
    upstream.close_connections()
    length = ("Content-Length", str(len(body)))
    with socket.create_connection(service.address, timeout=5) as connection:
        connection.sendall(request_bytes("POST", path, [HOST, JSON_TYPE, length], body))
        wait_until(lambda: upstream.requests, 5, "the call reaches the upstream")


def statuses_of(service: Service, model: str) -> list[str]:
    """Return the status of each usage row of a model."""
    return [row["status"] for row in service.usage_rows() if row["requested_model"] == model]
