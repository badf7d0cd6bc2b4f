"""The rate of each client is limited, exactly where it can be, and always."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from llm_api.app import close_app
from llm_api.runtime.file_limits import connections_within_limit
from tests.conftest import AppOf, UsageRowsOf
from tests.storage.checkout import fast_upstream, own_service
from tests.support.live import LiveAnswer
from tests.support.raw import exchange, request_bytes
from tests.support.servers import ValkeyServer
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

REST, OPENAI = "/api/v1/llm/chat", "/v1/chat/completions"
BODY = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
OK, REFUSED = HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS
TIMINGS = Timings(away_counts=3.0)  # until a store that has failed is asked again
# Counts are exact while the store answers in time, which on a machine full of tests it may not.
PATIENT = Timings(redis_patience=10.0)


@pytest.fixture
def limited(app_of: AppOf, upstream_env: Mapping[str, str]) -> Flask:
    """Build an application that lets two requests an hour pass."""
    return app_of({**upstream_env, "RATE_LIMIT": "2/hour"})


@pytest.fixture
def exhausted(limited: Flask, upstream: ScriptedUpstream) -> FlaskClient:
    """Return a client that has used up its limit."""
    client = limited.test_client()
    assert [client.get("/v1/models").status_code for _ in range(2)] == [OK, OK]
    upstream.clear()
    return client


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path) as server:
        yield server


@pytest.fixture
def shared(
    tmp_path: Path, upstream: ScriptedUpstream, valkey: ValkeyServer, request: Any
) -> Iterator[Service]:
    """Run the service with its counts in Valkey; the parameters are limit and workers."""
    limit, workers = getattr(request, "param", ("5/hour", 1))
    counts = {"RATE_LIMIT": limit, "RATELIMIT_STORAGE_URI": valkey.url}
    env = {**fast_upstream(upstream.url), **counts, "WEB_CONCURRENCY": str(workers)}
    timings = TIMINGS if workers == 1 else PATIENT
    with own_service(tmp_path, env, timings=timings) as running:
        wait_until(lambda: len(running.worker_pids()) == workers, 10, running.log)
        yield running


def ask(service: Service, path: str = "/v1/models") -> int:
    """Return the status of one request on a connection of its own."""
    with requests.Session() as session:
        return session.get(service.url + path, timeout=10).status_code


def ask_at_once(service: Service, times: int) -> list[int]:
    """Return the statuses of so many simultaneous requests, the good ones first."""
    with ThreadPoolExecutor(times) as pool:
        return sorted(pool.map(lambda _: ask(service), range(times)))


def keys_in(valkey: ValkeyServer) -> int:
    """Count the keys."""
    answer = exchange(("127.0.0.1", valkey.port), b"DBSIZE\r\n", half_close=True)
    return int(answer.decode().strip(":\r\n"))


def test_a_closed_application_leaves_no_connection_to_valkey(
    app_of: AppOf, upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    app = app_of({**fast_upstream(upstream.url), "RATELIMIT_STORAGE_URI": valkey.url})
    with app.test_client().post(OPENAI, json=BODY) as answer:
        assert answer.status_code == OK
    assert keys_in(valkey) > 0
    assert valkey.open_connections() > 0

    close_app(app)

    wait_until(lambda: valkey.open_connections() == 0, 20, "a connection stayed open")


def test_a_request_over_the_limit_is_refused(exhausted: FlaskClient) -> None:
    answer = exhausted.post(REST, json=BODY)

    error = answer.get_json()["error"]
    assert answer.status_code == REFUSED
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["details"]["retryable"] is True
    assert error["details"]["reason"] == "rate_limited"
    assert error["details"]["request_id"] == answer.headers["x-request-id"]


def test_an_openai_client_is_refused_in_its_own_shape(exhausted: FlaskClient) -> None:
    answer = exhausted.post(OPENAI, json=BODY)

    error = answer.get_json()["error"]
    assert answer.status_code == REFUSED
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limited")
    assert error["details"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["param"] is None


@pytest.mark.parametrize("path", [REST, OPENAI])
def test_a_refusal_says_when_to_come_back(path: str, exhausted: FlaskClient) -> None:
    answer = exhausted.post(path, json=BODY)

    assert 1 <= int(answer.headers["Retry-After"]) <= 3_600  # what is left of the hour


def test_a_refused_request_reaches_no_upstream_and_leaves_no_row(
    exhausted: FlaskClient, limited: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    exhausted.post(REST, json=BODY)
    exhausted.post(OPENAI, json=BODY)

    assert upstream.connections == 0
    assert usage_rows_of(limited) == []


def test_all_routes_share_one_limit(limited: Flask) -> None:
    client = limited.test_client()

    answers = [client.post(REST, json=BODY), client.post(OPENAI, json=BODY), client.get("/docs/")]

    assert [answer.status_code for answer in answers] == [OK, OK, REFUSED]


def test_each_address_has_a_limit_of_its_own(exhausted: FlaskClient) -> None:
    answer = exhausted.get("/v1/models", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == OK


def test_a_request_passes_again_when_the_time_is_over(
    app_of: AppOf, upstream_env: Mapping[str, str]
) -> None:
    client = app_of({**upstream_env, "RATE_LIMIT": "1/second"}).test_client()
    while client.get("/v1/models").status_code == OK:
        pass

    wait_until(lambda: client.get("/v1/models").status_code == OK, 20, "a request passes again")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "192.0.2.{}"),
        ("Forwarded", "for=192.0.2.{}"),
        ("X-Real-IP", "192.0.2.{}"),
        ("Client-IP", "192.0.2.{}"),
        ("X-Client-IP", "192.0.2.{}"),
        ("CF-Connecting-IP", "192.0.2.{}"),
    ],
)
def test_a_header_makes_no_new_client(name: str, value: str, exhausted: FlaskClient) -> None:
    answers = [exhausted.get("/v1/models", headers={name: value.format(n)}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [REFUSED] * 3


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_not_limited(path: str, exhausted: FlaskClient) -> None:
    statuses = {exhausted.get(path).status_code for _ in range(20)}

    assert statuses == {OK}


def test_probes_use_up_nothing(limited: Flask) -> None:
    client = limited.test_client()
    for _ in range(20):
        client.get("/healthz")

    assert client.get("/v1/models").status_code == OK


def test_of_50_simultaneous_requests_10_pass(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    env = {**fast_upstream(upstream.url), "RATE_LIMIT": "10/hour"}

    with own_service(tmp_path, env) as service:
        statuses = ask_at_once(service, 50)

    assert statuses == [OK] * 10 + [REFUSED] * 40


def test_forwarded_headers_make_no_new_client_under_gunicorn(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {**fast_upstream(upstream.url), "RATE_LIMIT": "2/hour"}
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP")

    with own_service(tmp_path, env) as service, requests.Session() as session:
        headers = [dict.fromkeys(names, f"192.0.2.{n}") for n in range(5)]
        answers = [session.get(f"{service.url}/v1/models", headers=one) for one in headers]

    assert [answer.status_code for answer in answers] == [OK] * 2 + [REFUSED] * 3


def test_more_workers_than_counters_is_warned_about(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {**fast_upstream(upstream.url), "WEB_CONCURRENCY": "2"}

    with own_service(tmp_path, env) as service:
        warnings = [line for line in service.log_records() if line["level"] == "WARNING"]

    assert ["RATELIMIT_STORAGE_URI" in line["message"] for line in warnings] == [True]


@pytest.mark.parametrize("shared", [("20/hour", 2)], indirect=True)
def test_two_workers_share_one_limit_in_valkey(shared: Service) -> None:
    statuses = ask_at_once(shared, 60)

    assert statuses == [OK] * 20 + [REFUSED] * 40


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_the_limit_holds_while_valkey_is_away(
    fault: str, shared: Service, valkey: ValkeyServer
) -> None:
    ask(shared)
    getattr(valkey, fault)()

    statuses = [ask(shared) for _ in range(8)]

    assert statuses == [OK] * 5 + [REFUSED] * 3


@pytest.mark.parametrize("fault", ["stop", "freeze"])
@pytest.mark.parametrize("shared", [("1000/hour", 1)], indirect=True)
def test_one_request_meets_a_valkey_that_is_away_and_the_others_do_not(
    fault: str, shared: Service, valkey: ValkeyServer
) -> None:
    ask(shared)
    getattr(valkey, fault)()

    for _ in range(30):
        assert ask(shared) == OK

    # The line is written by a request that waited for Valkey, for 0.2 s at most.
    wait_until(lambda: "counted in memory" in shared.log(), 10, shared.log)
    lines = [record for record in shared.log_records() if "counted in memory" in str(record)]
    assert 1 <= len(lines) < 5


@pytest.mark.parametrize("fault", ["stop", "freeze"])
@pytest.mark.parametrize("shared", [("1000/hour", 1)], indirect=True)
def test_simultaneous_requests_pass_when_valkey_goes_away(
    fault: str, shared: Service, valkey: ValkeyServer
) -> None:
    ask(shared)
    getattr(valkey, fault)()

    statuses = ask_at_once(shared, 40)

    assert statuses == [OK] * 40


@pytest.mark.parametrize("shared", [("1000/hour", 1)], indirect=True)
def test_the_counts_are_in_valkey_again_when_it_is_back(
    shared: Service, valkey: ValkeyServer
) -> None:
    valkey.stop()
    assert ask(shared) == OK
    valkey.start()

    wait_until(lambda: ask(shared) == OK and keys_in(valkey), 40, "Valkey counts again")

    assert ask(shared) == OK


@pytest.mark.parametrize("shared", [("1000/hour", 1)], indirect=True)
def test_the_log_names_a_valkey_that_is_away_once(shared: Service, valkey: ValkeyServer) -> None:
    valkey.stop()
    for _ in range(10):
        ask(shared)

    wait_until(lambda: "counted in memory" in shared.log(), 10, shared.log)
    warnings = [line for line in shared.log_records() if line["level"] == "WARNING"]

    assert ["counted in memory" in line["message"] for line in warnings] == [True]


def test_a_service_starts_while_valkey_is_away(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    server = ValkeyServer(tmp_path)
    counts = {"RATE_LIMIT": "2/hour", "RATELIMIT_STORAGE_URI": server.url}

    with own_service(tmp_path, {**fast_upstream(upstream.url), **counts}) as service:
        statuses = [ask(service) for _ in range(4)]

    assert statuses == [OK, OK, REFUSED, REFUSED]


def test_readiness_shows_a_valkey_that_is_away(shared: Service, valkey: ValkeyServer) -> None:
    valkey.stop()

    with requests.Session() as session:
        answer = session.get(f"{shared.url}/readyz", timeout=10)

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(answer.text)["error"]["details"]["checks"]["limiter"] == "unreachable"
    assert ask(shared, "/healthz") == OK


def test_workers_that_count_for_themselves_let_no_more_than_each_a_limit_pass(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {**fast_upstream(upstream.url), "WEB_CONCURRENCY": "2", "RATE_LIMIT": "20/hour"}
    with own_service(tmp_path, env) as service:
        wait_until(lambda: len(service.worker_pids()) == 2, 10, service.log)

        passed = ask_at_once(service, 90).count(OK)

    assert 20 <= passed <= 40


@pytest.mark.parametrize(
    ("shared", "calls"),
    [
        (("30/hour", 4), 300),
        pytest.param(("100/hour", 4), 1_000, marks=pytest.mark.more),
    ],
    indirect=["shared"],
)
def test_of_many_calls_at_once_to_four_workers_exactly_the_limit_passes(
    shared: Service, calls: int
) -> None:
    connections_within_limit(1_500)  # raises the limit on open files
    request = request_bytes("GET", "/v1/models", [("Host", "service"), ("Connection", "close")])
    with ExitStack() as stack:
        answers = [
            stack.enter_context(LiveAnswer(shared.address, request, timeout=60))
            for _ in range(calls)
        ]

        statuses = Counter(answer.status for answer in answers)

    assert statuses == {OK: calls // 10, REFUSED: calls - calls // 10}
    assert len(set(shared.worker_pids())) == 4


def say(valkey: ValkeyServer, *commands: str) -> bytes:
    """Send commands, and return what is answered."""
    payload = "".join(f"{command}\r\n" for command in commands).encode()
    return exchange(("127.0.0.1", valkey.port), payload, half_close=True)


ILLNESSES = {
    "READONLY": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"]),
    "NOAUTH": (
        ["CONFIG SET requirepass secret", "CLIENT KILL TYPE normal SKIPME yes"],
        ["AUTH secret", 'CONFIG SET requirepass ""'],
    ),
    "OOM": (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"]),
}


@pytest.mark.parametrize("illness", ILLNESSES)
def test_the_limit_holds_while_valkey_refuses_to_count(
    illness: str, shared: Service, valkey: ValkeyServer
) -> None:
    fall_ill, recover = ILLNESSES[illness]
    assert ask(shared) == OK
    assert b"-ERR" not in say(valkey, *fall_ill)

    statuses = [ask(shared) for _ in range(8)]

    assert statuses == [OK] * 5 + [REFUSED] * 3
    assert len(warnings_of(shared)) == 1
    say(valkey, *recover, "FLUSHALL")
    wait_until(lambda: ask(shared) == OK and keys_in(valkey), 40, "Valkey counts again")


def warnings_of(service: Service) -> list[str]:
    """Return the warnings in the log."""
    return [line["message"] for line in service.log_records() if line["level"] == "WARNING"]


class SlowlyLoadingValkey(ValkeyServer):
    """Valkey that needs a while after its start to read what it has saved."""

    _ready = (b"+PONG", b"-LOADING")

    def _command(self) -> list[str | Path]:
        # In microseconds a key; it answers LOADING meanwhile.
        slowly = ["--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024"]
        return [*super()._command(), *slowly]


def test_the_limit_holds_while_valkey_loads(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with SlowlyLoadingValkey(tmp_path) as valkey:
        counts = {"RATE_LIMIT": "5/hour", "RATELIMIT_STORAGE_URI": valkey.url}
        env = {**fast_upstream(upstream.url), **counts}
        with own_service(tmp_path, env, timings=TIMINGS) as service:
            ask(service)
            say(valkey, *[f"SET key{n} {'x' * 100}" for n in range(200)], "SAVE")
            valkey.stop()
            valkey.start()
            statuses = [ask(service) for _ in range(8)]
            assert b"LOADING" in say(valkey, "PING")

            assert statuses == [OK] * 5 + [REFUSED] * 3
            assert len(warnings_of(service)) == 1
            wait_until(lambda: b"PONG" in say(valkey, "PING"), 40, "it has loaded")
            say(valkey, "FLUSHALL")
            wait_until(lambda: ask(service) == OK and keys_in(valkey), 40, "Valkey counts again")
