"""The support library keeps its promises."""

import gzip
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import NullPool, create_engine, make_url, text

from tests.storage.checkout import BEING_WRITTEN
from tests.support import replies
from tests.support.ports import LOOPBACK, closed_port, free_port
from tests.support.processes import process_table
from tests.support.raw import exchange, request_bytes, responses
from tests.support.servers import PostgresServer, ValkeyServer
from tests.support.service import Service, ServiceStartError
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import TruncatedMessageError, response_bytes

STAND_IN_CONFIGURATION = """
import os
bind = os.environ["BIND"]
worker_class = "gevent"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
graceful_timeout = 2
control_socket_disable = True
"""

STAND_IN_APPLICATION = """
import json, os, sqlite3
import click
from flask import Flask
from flask.cli import AppGroup

app = Flask(__name__)
db = AppGroup("db")
app.cli.add_command(db)

@db.command("upgrade")
def upgrade():
    if "BROKEN_MIGRATION" in os.environ:
        raise click.ClickException("the migration is broken")
    with sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS usage (id INTEGER PRIMARY KEY, model TEXT)")
        connection.execute("INSERT INTO usage (model) VALUES ('scripted')")

@app.get("/healthz")
def healthz():
    print(json.dumps({"event": "probe"}), flush=True)
    return {"environment": dict(os.environ)}

if "REFUSES_TO_START" in os.environ:
    raise RuntimeError("a setting is wrong")
"""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """Run an upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Write a repository root with the smallest service."""
    root = tmp_path / "repository"
    root.mkdir()
    (root / "gunicorn.conf.py").write_text(STAND_IN_CONFIGURATION)
    (root / "wsgi.py").write_text(STAND_IN_APPLICATION)
    return root


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path) as server:
        yield server


def ask(upstream: ScriptedUpstream, **fields: object) -> requests.Response:
    """Post a chat completion request."""
    with requests.Session() as session:
        body = {"model": "scripted", "messages": [], **fields}
        return session.post(f"{upstream.url}/chat/completions", json=body, timeout=5)


def talk(upstream: ScriptedUpstream, timeout: float = 5.0) -> bytes:
    """Return the raw bytes that the upstream answers."""
    headers = [("Host", "upstream"), ("Connection", "close"), ("Content-Length", "2")]
    payload = request_bytes("POST", "/v1/chat/completions", headers, b"{}")
    return exchange((LOOPBACK, upstream.port), payload, timeout=timeout)


def run_sql(url: str, statement: str) -> list[object]:
    """Run one statement on a connection of its own and return the first column."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        result = connection.execute(text(statement))
        return list(result.scalars()) if result.returns_rows else []


def send_valkey(server: ValkeyServer, command: str) -> bytes:
    """Send one inline command to Valkey."""
    return exchange((LOOPBACK, server.port), f"{command}\r\n".encode(), half_close=True)


def test_an_unscripted_upstream_gives_a_good_completion(upstream: ScriptedUpstream) -> None:
    answer = ask(upstream)

    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert answer.json()["usage"]["total_tokens"] == 7


def test_an_unscripted_upstream_streams_when_asked_to(upstream: ScriptedUpstream) -> None:
    lines = [line for line in ask(upstream, stream=True).text.splitlines() if line]

    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello"
    assert lines[-1] == "data: [DONE]"


def test_an_unscripted_upstream_lists_its_models(upstream: ScriptedUpstream) -> None:
    with requests.Session() as session:
        answer = session.get(f"{upstream.url}/models", timeout=5)

    assert [model["id"] for model in answer.json()["data"]] == ["scripted"]


def test_an_upstream_records_what_it_was_asked(upstream: ScriptedUpstream) -> None:
    ask(upstream, user="someone")

    request = upstream.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json["user"] == "someone"
    assert request.header("content-type") == "application/json"


def test_a_chunked_request_is_recorded_whole(upstream: ScriptedUpstream) -> None:
    with requests.Session() as session:
        session.post(f"{upstream.url}/chat/completions", data=iter([b'{"a"', b":1}"]), timeout=5)

    assert upstream.requests[0].body == b'{"a":1}'


def test_replies_are_used_in_order_and_then_run_out(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.api_error(429, "slow_down", headers=[("Retry-After", "1")]))
    upstream.script(replies.completion("Second", model="other", usage=None, id="mine"))

    answers = [ask(upstream) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 200, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert (answers[1].json()["id"], "usage" in answers[1].json()) == ("mine", False)
    assert answers[2].json()["choices"][0]["message"]["content"] == "Hello"


def test_a_connection_is_kept_alive(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.completion(), replies.sse(["one"]), replies.completion())

    with requests.Session() as session:
        for _ in range(3):
            session.post(f"{upstream.url}/chat/completions", json={}, timeout=5)

        assert (upstream.connections, upstream.open_connections) == (1, 1)
    wait_until(lambda: upstream.open_connections == 0, 20, "the connection is closed")


def test_cut_connections_leave_the_upstream_listening(upstream: ScriptedUpstream) -> None:
    with requests.Session() as session:
        session.get(f"{upstream.url}/models", timeout=5)
        upstream.close_connections()
        wait_until(lambda: upstream.open_connections == 0, 20, "the connection is closed")

        assert session.get(f"{upstream.url}/models", timeout=5).ok


def test_a_cleared_upstream_has_seen_nothing(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.completion(), replies.hang(60))
    ask(upstream)

    upstream.clear()

    assert (upstream.requests, upstream.connections) == ([], 0)
    assert ask(upstream).ok


def test_a_raw_reply_is_sent_as_it_is(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.raw_reply(b"SSH-2.0-not-http\r\n"))

    assert talk(upstream) == b"SSH-2.0-not-http\r\n"


def test_a_closed_connection_brings_no_byte(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.close_before_answer())

    assert talk(upstream) == b""


def test_a_reset_is_a_reset(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.reset_before_answer())

    with socket.create_connection((LOOPBACK, upstream.port), timeout=5) as connection:
        connection.sendall(request_bytes("GET", "/", [("Host", "upstream")]))

        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_hanging_upstream_notices_that_the_client_left(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.hang(60))

    with pytest.raises(requests.ReadTimeout), requests.Session() as session:
        session.post(f"{upstream.url}/chat/completions", json={}, timeout=0.1)

    wait_until(lambda: upstream.open_connections == 0, 20, "the upstream lets go")


def test_a_dribbled_reply_comes_in_pieces(upstream: ScriptedUpstream) -> None:
    payload = response_bytes(200, b"{}")
    upstream.script(replies.dribble(payload, 0.05, chunk=len(payload) // 4))
    started = time.monotonic()

    answer = ask(upstream)

    assert answer.json() == {}
    assert time.monotonic() - started >= 0.15


def test_an_event_stream_carries_objects_strings_and_bytes(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.sse([{"n": 1}, "{broken", b": ping\n\n"]))

    answer = ask(upstream)

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.text == 'data: {"n": 1}\n\ndata: {broken\n\n: ping\n\ndata: [DONE]\n\n'


def test_events_leave_one_by_one(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.sse(["one", "two"], interval_s=0.2, done=False))

    with requests.Session() as session:
        answer = session.post(f"{upstream.url}/chat/completions", stream=True, timeout=5)
        arrivals = [time.monotonic() for line in answer.iter_lines() if line]

    assert arrivals[1] - arrivals[0] >= 0.15


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_cut_stream_loses_its_end(upstream: ScriptedUpstream, ending: replies.Ending) -> None:
    upstream.script(replies.sse(["one"], done=False, ending=ending))

    received = talk(upstream)

    assert received.endswith(b"data: one\n\n\r\n")
    with pytest.raises(TruncatedMessageError):
        responses(received)


def test_a_silent_stream_notices_that_the_client_left(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.sse(["one"], done=False, silence_s=60))

    assert talk(upstream, timeout=0.2).endswith(b"data: one\n\n\r\n")

    wait_until(lambda: upstream.open_connections == 0, 20, "the upstream lets go")


def test_a_redirect_names_its_target(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.redirect(307, "http://elsewhere/"))

    answer = responses(talk(upstream))[0]

    assert (answer.status, answer.header("location")) == (307, "http://elsewhere/")


def test_a_delayed_reply_comes_late(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.delayed(replies.json_reply(201, []), 0.2))
    started = time.monotonic()

    answer = ask(upstream)

    assert answer.status_code == 201
    assert time.monotonic() - started >= 0.2


def test_a_computed_reply_sees_the_request(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.answer_with(lambda request: replies.json_reply(200, request.json)))

    assert ask(upstream, seed=7).json()["seed"] == 7


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_small_until_it_is_opened(upstream: ScriptedUpstream, layers: int) -> None:
    upstream.script(replies.gzip_bomb(3_000_000, layers=layers))

    answer = responses(talk(upstream))[0]

    body = answer.body
    for _ in range(layers):
        body = gzip.decompress(body)
    assert answer.header("Content-Encoding") == ", ".join(["gzip"] * layers)
    assert len(answer.body) < 10_000
    assert len(json.loads(body)["choices"][0]["message"]["content"]) == 3_000_000


def test_a_stopped_upstream_is_gone_at_once() -> None:
    before = set(threading.enumerate())
    with ScriptedUpstream() as upstream:
        unread = replies.raw_reply(b"x" * 50_000_000)
        upstream.script(replies.hang(60), replies.sse(["one"], silence_s=60), unread)
        clients = [socket.create_connection((LOOPBACK, upstream.port)) for _ in range(3)]
        for client in clients:
            client.sendall(request_bytes("GET", "/"))
        wait_until(lambda: len(upstream.requests) == 3, 20, "the requests have arrived")
        started = time.monotonic()

    assert time.monotonic() - started < 30  # of the 60 it was told to hang for
    assert set(threading.enumerate()) == before
    for client in clients:
        client.close()


def test_an_upstream_can_come_back_on_its_port() -> None:
    with ScriptedUpstream() as first:
        assert ask(first).ok

    with ScriptedUpstream(port=first.port) as second:
        assert ask(second).ok


def test_a_closed_port_refuses_connections() -> None:
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), timeout=5)


def test_a_free_port_is_given_out_once() -> None:
    ports = [free_port() for _ in range(200)]

    assert len(set(ports)) == 200


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()

    with socket.create_server((LOOPBACK, port)) as server:
        assert server.getsockname()[1] == port


def test_waiting_in_vain_says_what_for() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.05 s: the moon"):
        wait_until(lambda: False, 0.05, lambda: "the moon")


def test_a_time_in_which_the_machine_lets_nobody_run_is_not_waited_through() -> None:
    polls = iter([False] * 3 + [True])

    wait_until(lambda: next(polls), 1, "the machine", sleep=lambda _: time.sleep(0.5))

    assert next(polls, None) is None


def test_pipelined_responses_are_told_apart() -> None:
    chunked = (
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    )
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"

    found = responses(interim + response_bytes(200, b'{"a": 1}') + chunked)

    assert [answer.status for answer in found] == [100, 200, 404]
    assert found[1].json == {"a": 1}
    assert found[2].body == b"abcde"


def test_an_answer_to_head_has_no_body() -> None:
    found = responses(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" * 2, to_head=True)

    assert [(answer.status, answer.body) for answer in found] == [(200, b""), (200, b"")]


def test_an_incomplete_response_is_an_error() -> None:
    with pytest.raises(TruncatedMessageError):
        responses(response_bytes(200, b"complete")[:-1])


def test_what_is_no_http_is_an_error() -> None:
    with pytest.raises(ValueError, match="no status line"):
        responses(b"SSH-2.0-x\r\n\r\n")


def test_an_exchange_ends_with_its_time_out(upstream: ScriptedUpstream) -> None:
    started = time.monotonic()

    received = exchange((LOOPBACK, upstream.port), b"GET / HTTP/1.1\r\n", timeout=0.2)

    assert received == b""
    assert 0.2 <= time.monotonic() - started < 2


def test_a_half_closed_exchange_still_reads(upstream: ScriptedUpstream) -> None:
    payload = request_bytes("GET", "/v1/models") * 2

    received = exchange((LOOPBACK, upstream.port), payload, half_close=True)

    assert [answer.status for answer in responses(received)] == [200, 200]


def test_the_service_starts_migrated_and_answers(tmp_path: Path, stand_in: Path) -> None:
    with (
        Service(tmp_path, root=stand_in, schema="migrated") as service,
        requests.Session() as session,
    ):
        assert session.get(f"{service.url}/healthz", timeout=5).ok
        assert service.usage_rows() == [{"id": 1, "model": "scripted"}]
        assert {"event": "probe"} in service.log_records()
        assert "Listening at" in service.log()


def test_the_environment_is_built_from_nothing(
    tmp_path: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")

    started = Service(tmp_path, {"RATE_LIMIT": "5"}, root=stand_in, schema="migrated")
    with started as service, requests.Session() as session:
        seen = session.get(f"{service.url}/healthz", timeout=5).json()["environment"]

    assert seen["RATE_LIMIT"] == "5"
    assert seen["HOME"] == str(tmp_path)
    assert "HTTPS_PROXY" not in seen


def test_a_terminated_service_exits_well_and_starts_again(tmp_path: Path, stand_in: Path) -> None:
    with Service(tmp_path, root=stand_in, schema="migrated") as service:
        first = service.pid

        assert service.terminate(10) == 0
        assert not service.is_healthy()
        service.start()

        assert service.is_healthy()
        assert service.pid != first


def test_a_killed_worker_is_replaced(tmp_path: Path, stand_in: Path) -> None:
    with Service(tmp_path, {"WEB_CONCURRENCY": "2"}, root=stand_in, schema="migrated") as service:
        wait_until(lambda: len(service.worker_pids()) == 2, 10, service.log)
        victim = service.worker_pids()[0]

        os.kill(victim, signal.SIGKILL)

        wait_until(lambda: victim not in service.worker_pids(), 10, service.log)
        wait_until(lambda: len(service.worker_pids()) == 2, 10, service.log)


def test_a_killed_service_leaves_no_worker_behind(tmp_path: Path, stand_in: Path) -> None:
    with Service(tmp_path, root=stand_in, schema="migrated") as service:
        workers = service.worker_pids()

        service.kill()

    assert workers
    wait_until(
        lambda: not any(process.pid in workers for process in process_table()), 5, "they are gone"
    )


def test_a_service_that_refuses_to_start_says_why(tmp_path: Path, stand_in: Path) -> None:
    service = Service(tmp_path, {"REFUSES_TO_START": "1"}, root=stand_in, schema="none")

    with pytest.raises(ServiceStartError, match="a setting is wrong") as failure:
        service.start()

    assert failure.value.exit_code != 0


def test_a_broken_migration_says_why(tmp_path: Path, stand_in: Path) -> None:
    service = Service(tmp_path, {"BROKEN_MIGRATION": "1"}, root=stand_in, schema="migrated")

    with pytest.raises(ServiceStartError, match="the migration is broken"):
        service.start()


def test_postgres_gives_databases_of_their_own(postgres: PostgresServer) -> None:
    first, second = postgres.new_database(), postgres.new_database()

    run_sql(first, "CREATE TABLE t (n integer)")

    assert run_sql(first, "SELECT to_regclass('t')::text") == ["t"]
    assert run_sql(second, "SELECT to_regclass('t')::text") == [None]
    assert run_sql(first, "SHOW server_encoding") == ["UTF8"]


def test_postgres_refuses_a_stranger(postgres: PostgresServer) -> None:
    stranger = postgres.url.replace("postgres:", "stranger:")

    with pytest.raises(Exception, match="password authentication failed"):
        run_sql(stranger, "SELECT 1")


def test_postgres_listens_on_a_unix_socket_too(postgres: PostgresServer) -> None:
    with psycopg.connect(
        host=str(postgres.home),
        port=postgres.port,
        user="postgres",
        password=make_url(postgres.url).password,
    ) as connection:
        assert connection.info.host.startswith("/")


def test_a_restarted_postgres_has_kept_everything(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    run_sql(url, "CREATE TABLE t AS SELECT 7 AS n")

    postgres.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, postgres.port), timeout=5)
    postgres.start()

    assert run_sql(url, "SELECT n FROM t") == [7]


def test_a_frozen_postgres_accepts_and_is_silent(postgres: PostgresServer) -> None:
    ssl_request = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
    postgres.freeze()

    with socket.create_connection((LOOPBACK, postgres.port), timeout=0.2) as connection:
        connection.sendall(ssl_request)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        postgres.thaw()
        connection.settimeout(5)

        assert connection.recv(1) == b"N"


def test_two_servers_of_a_kind_run_side_by_side(tmp_path: Path, valkey: ValkeyServer) -> None:
    with ValkeyServer(tmp_path) as other:
        send_valkey(valkey, "SET who first")

        assert send_valkey(other, "GET who") == b"$-1\r\n"
        assert send_valkey(valkey, "GET who") == b"$5\r\nfirst\r\n"


def test_two_clusters_run_side_by_side(tmp_path: Path, postgres: PostgresServer) -> None:
    with PostgresServer(tmp_path) as other:
        assert other.port != postgres.port
        assert run_sql(other.url, "SELECT 1") == run_sql(postgres.url, "SELECT 1") == [1]
        home = other.home

    assert not home.exists()


def test_a_restarted_valkey_is_empty(valkey: ValkeyServer) -> None:
    send_valkey(valkey, "SET who first")

    valkey.stop()
    valkey.start()

    assert send_valkey(valkey, "DBSIZE") == b":0\r\n"


def test_a_frozen_server_still_stops(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        server.freeze()
        started = time.monotonic()

    assert time.monotonic() - started < 60


def test_what_another_process_is_writing_is_not_copied() -> None:
    names = ["a.py", "a.cpython-311.pyc", "a.cpython-311.pyc.140123456789"]

    assert BEING_WRITTEN("__pycache__", names) == {names[-1]}
