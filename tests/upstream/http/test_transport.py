"""The session of an upstream takes nothing from its surroundings and keeps nothing of an answer."""

import queue
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection

from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.http.transport import Transport, is_idle
from llm_api.upstream.vendors.profiles import choose_profile
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.upstream.asker import KEY, MODEL, PATIENT, PROFILES, STREAMED, Asker, described
from tests.upstream.conftest import SELF_SIGNED

AskerOf = Callable[..., Asker]

GOOD = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_used(
    upstream: ScriptedUpstream, asker_of: AskerOf, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with ScriptedUpstream() as proxy:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv(name, proxy.url)

        asker_of().ask()

        assert (len(upstream.requests), proxy.connections) == (1, 0)


def test_an_https_proxy_of_the_environment_is_not_used(
    asker_of: AskerOf, self_signed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedUpstream() as proxy:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        error = asker_of(self_signed_url).fail()

        assert (error.reason, proxy.connections) == ("upstream_tls", 0)


@pytest.mark.parametrize(("key", "sent"), [(KEY, f"Bearer {KEY}"), ("", None)])
def test_a_netrc_file_does_not_change_the_authorization(
    upstream: ScriptedUpstream,
    asker_of: AskerOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    sent: str | None,
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))

    asker_of(key=key).ask()

    assert upstream.requests[0].header("Authorization") == sent


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_the_environment_are_not_trusted(
    asker_of: AskerOf, self_signed_url: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(SELF_SIGNED))

    error = asker_of(self_signed_url).fail()

    assert described(error) == (502, "upstream_tls", False)


def test_a_cookie_is_not_sent_back(upstream: ScriptedUpstream, asker: Asker) -> None:
    cookie = ("Set-Cookie", "session=user-a; Path=/")
    upstream.script(replies.json_reply(200, GOOD, [cookie]))
    asker.ask()

    asker.ask()

    assert upstream.requests[1].header("Cookie") is None


def test_a_cookie_of_an_error_is_not_sent_back(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.api_error(503, headers=[("Set-Cookie", "session=user-a; Path=/")]))

    asker.ask()

    assert upstream.requests[1].header("Cookie") is None


def test_exactly_our_headers_are_sent(upstream: ScriptedUpstream, asker: Asker) -> None:
    asker.ask()

    request = upstream.requests[0]
    assert sorted(request.headers) == sorted(
        [
            ("Host", f"127.0.0.1:{upstream.port}"),
            ("User-Agent", "llm_api"),
            ("Accept", "application/json, text/event-stream"),
            ("Accept-Encoding", "identity"),
            ("Authorization", f"Bearer {KEY}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(request.body))),
        ]
    )


def test_a_body_of_many_bytes_arrives_whole(upstream: ScriptedUpstream, asker: Asker) -> None:
    text = "猫" * 700_000

    asker.ask(messages=[{"role": "user", "content": text}])

    assert upstream.requests[0].json["messages"][0]["content"] == text


def test_the_probe_sends_no_body(upstream: ScriptedUpstream, asker: Asker) -> None:
    asker.client.probe()

    request = upstream.requests[0]
    assert (request.method, request.path, request.body) == ("GET", "/v1/models", b"")
    assert request.header("Authorization") == f"Bearer {KEY}"


def test_a_connection_is_used_again(upstream: ScriptedUpstream, asker: Asker) -> None:
    for _ in range(5):
        asker.ask()

    assert (len(upstream.requests), upstream.connections) == (5, 1)


def test_the_connection_of_an_error_is_used_again(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.api_error(400), replies.api_error(404))
    asker.fail()
    asker.fail()

    asker.ask()

    assert (len(upstream.requests), upstream.connections) == (3, 1)


def test_a_connection_with_an_unread_rest_is_closed(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    late = replies.chunk({"content": "late"})
    upstream.script(replies.sse(["not JSON", *[late] * 50], 0.05))
    asker = asker_of(behavior=STREAMED)
    asker.fail()

    completion = asker.ask()

    assert (completion.text, upstream.connections) == ("Hello", 2)


@pytest.mark.parametrize(("max_concurrency", "kept"), [(1024, 512), (8, 8)])
def test_as_many_idle_connections_are_kept_as_a_worker_has_streams(
    max_concurrency: int, kept: int
) -> None:
    sizes: list[int] = []

    def made(
        endpoint: Endpoint, timeouts: Timeouts, watch: DeadlineWatcher, pool_size: int
    ) -> Transport:
        sizes.append(pool_size)
        return Transport(endpoint, timeouts, watch, pool_size)

    plan = UpstreamPlan((Endpoint("http://127.0.0.1:9/v1", MODEL, ""),))
    behavior = UpstreamBehavior("fast", max_concurrency=max_concurrency)
    profile = choose_profile(PROFILES, "")
    UpstreamClient(plan, behavior, PATIENT, DeadlineWatcher(), profile, transport=made)

    assert sizes == [kept]


def under_tls(near: socket.socket) -> socket.socket:
    """Put TLS around a socket, before its handshake."""
    context = ssl.create_default_context()
    return context.wrap_socket(near, server_hostname="peer", do_handshake_on_connect=False)


@pytest.mark.parametrize("wrap", [lambda near: near, under_tls], ids=["plain", "tls"])
def test_a_connection_is_idle_while_its_peer_is_silent_and_there(
    wrap: Callable[[socket.socket], socket.socket],
) -> None:
    near, far = socket.socketpair()
    with far, wrap(near) as connection:
        assert is_idle(connection)
        far.send(b"x")
        assert not is_idle(connection)

    near, far = socket.socketpair()
    with wrap(near) as connection:
        far.close()
        assert not is_idle(connection)


def test_closing_the_client_closes_its_idle_connections(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    asker.ask()

    asker.client.close()

    wait_until(lambda: upstream.open_connections == 0, 20, "the connection is closed")


def test_a_client_that_is_closed_sends_nothing(upstream: ScriptedUpstream, asker: Asker) -> None:
    asker.client.close()

    assert asker.fail().reason == "server_shutdown"
    assert upstream.requests == []


@pytest.fixture
def pool(upstream: ScriptedUpstream) -> Any:
    """Make a pool of one connection, as the transport does."""
    return urllib3.PoolManager(num_pools=1, maxsize=1).connection_from_url(upstream.url)


def test_a_pool_of_urllib3_begins_with_empty_places(pool: Any) -> None:
    assert isinstance(pool.pool, queue.LifoQueue)
    assert pool.pool.get(block=False) is None
    with pytest.raises(queue.Empty):
        pool.pool.get(block=False)


def test_new_conn_of_urllib3_makes_a_connection_that_is_not_connected(pool: Any) -> None:
    connection = pool._new_conn()

    assert isinstance(connection, HTTPConnection)
    assert connection.sock is None


def test_put_conn_of_urllib3_gives_a_connection_to_the_next_who_asks(pool: Any) -> None:
    pool.pool.get(block=False)
    connection = pool._new_conn()

    pool._put_conn(connection)

    assert pool.pool.get(block=False) is connection


def test_put_conn_of_urllib3_closes_a_connection_too_many(pool: Any) -> None:
    connection = pool._new_conn()
    connection.connect()

    pool._put_conn(connection)  # the pool's one place has not been taken out

    assert connection.sock is None


def test_a_host_that_is_gone_is_noticed_while_a_model_thinks(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silence of minutes is no sign of it: the kernel asks."""
    opened: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def noted(self: HTTPConnection) -> None:
        connect(self)
        opened.append(self)

    monkeypatch.setattr(HTTPConnection, "connect", noted)
    upstream.script(replies.json_reply(200, GOOD))

    asker.ask()

    [connection] = opened
    assert connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, pause, count = (connection.sock.getsockopt(socket.IPPROTO_TCP, n) for n in names)
        assert idle + pause * count <= 120
