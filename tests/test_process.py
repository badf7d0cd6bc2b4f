"""Master, workers and the bundled model live and die as an operator expects."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.ports import closed_port
from tests.support.processes import children_of, process_table
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CHAT = "/api/v1/llm/chat"
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
VARIABLES = ("FAST_LLM_API_URL", "FAST_LLM_API_KEY", "FAST_LLM_MODEL")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service on the bundled model: the tests that leave it as it is share it."""
    with own_service(tmp_path_factory.mktemp("demo")) as service:
        # It is alive before its model is.
        assert get(service, "/healthz").json() == {"status": "ok"}
        wait_until(lambda: get(service, "/readyz").ok, 60, service.log)
        yield service


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Service]:
    """Run a service on the bundled model that the test may end."""
    with own_service(tmp_path) as service:
        wait_until(lambda: get(service, "/readyz").ok, 60, service.log)
        yield service


@pytest.fixture
def lock(service: Service) -> Iterator[sqlite3.Connection]:
    """Hold the database's lock, as another process that writes for long."""
    path = service.env["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield connection


@pytest.fixture
def service(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Service]:
    """Run the service on a scripted upstream."""
    env = {**fast_upstream(upstream.url), "RATE_LIMIT": "1000000/minute"}
    with own_service(tmp_path, env) as running:
        yield running


def get(service: Service, path: str) -> requests.Response:
    """Get a page on a connection of its own."""
    with requests.Session() as session:
        return session.get(service.url + path, timeout=10)


def chat(service: Service) -> requests.Response:
    """Make a chat call on a connection of its own."""
    with requests.Session() as session:
        session.headers["Connection"] = "close"
        return session.post(service.url + CHAT, json=HELLO, timeout=60)


def chat_that_is_cut(service: Service) -> None:
    """Make a chat call whose connection will be cut."""
    with pytest.raises(requests.ConnectionError):
        chat(service)


def is_model(pid: int) -> bool:
    """Tell whether a process is the bundled model."""
    return b"llama_child" in Path(f"/proc/{pid}/cmdline").read_bytes()


def model_pids(service: Service) -> list[int]:
    """Find the bundled models below the master."""
    return [child.pid for child in children_of(service.pid) if is_model(child.pid)]


def worker_pids(service: Service) -> list[int]:
    """Find the workers."""
    return [pid for pid in service.worker_pids() if not is_model(pid)]


def are_gone(pids: list[int]) -> bool:
    """Tell whether none of the processes lives."""
    return not set(pids) & {process.pid for process in process_table()}


def is_free(address: tuple[str, int]) -> bool:
    """Tell whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(address) != 0


def rows_with(service: Service, status: str) -> list[dict[str, Any]]:
    """Read the usage rows with a status."""
    return [row for row in service.usage_rows() if row["status"] == status]


def test_readiness_says_that_the_model_is_a_demo(demo: Service) -> None:
    facts = get(demo, "/readyz").json()

    assert facts["status"] == "ready"
    assert set(facts["checks"].values()) == {"ok"}
    assert "demo quality" in facts["note"]
    assert all(name in facts["note"] for name in VARIABLES)


def test_a_service_with_an_upstream_says_nothing_of_a_demo(service: Service) -> None:
    facts = get(service, "/readyz").json()

    assert "note" not in facts
    assert model_pids(service) == []
    assert "DEMO" not in service.log()


def test_the_bundled_model_answers(demo: Service) -> None:
    answer = chat(demo)

    document = answer.json()
    assert answer.status_code == HTTPStatus.OK
    assert document["choices"][0]["message"]["content"]
    assert 1 <= document["usage"]["completion_tokens"] <= 8
    wait_until(lambda: rows_with(demo, "ok"), 10, "the call is accounted for")


def test_the_log_says_that_the_model_is_a_demo(demo: Service) -> None:
    notes = [line for line in demo.log_records() if "DEMO QUALITY" in line["message"]]

    assert [note["level"] for note in notes] == ["WARNING"]
    assert all(name in notes[0]["message"] for name in VARIABLES)


def test_two_workers_share_one_model(tmp_path: Path) -> None:
    with own_service(tmp_path, {"WEB_CONCURRENCY": "2"}) as service:
        wait_until(lambda: len(worker_pids(service)) == 2, 10, service.log)

        assert len(model_pids(service)) == 1


def test_a_killed_master_takes_workers_and_model_with_it(own_demo: Service) -> None:
    family = [*worker_pids(own_demo), *model_pids(own_demo)]
    assert len(family) == 2

    own_demo.kill()

    wait_until(lambda: are_gone(family) and is_free(own_demo.address), 5, "nothing is left")


def test_sigterm_ends_service_and_model(own_demo: Service) -> None:
    family = [*worker_pids(own_demo), *model_pids(own_demo)]

    assert own_demo.terminate(10) == 0

    assert are_gone(family)


def test_an_idle_service_ends_within_two_seconds(service: Service) -> None:
    assert service.terminate(2) == 0


def test_an_idle_connection_does_not_hold_up_the_end(service: Service) -> None:
    with requests.Session() as session:
        assert session.get(f"{service.url}/healthz", timeout=10).ok

        assert service.terminate(5) == 0


def test_a_call_in_progress_is_answered_after_sigterm(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.delayed(replies.completion(), 1))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(chat, service)
        wait_until(lambda: upstream.requests, 10, "the call is at the upstream")

        assert service.terminate(10) == 0

    assert answer.result().status_code == HTTPStatus.OK
    assert len(rows_with(service, "ok")) == 1


def test_sighup_keeps_the_model(own_demo: Service) -> None:
    models, workers = model_pids(own_demo), worker_pids(own_demo)
    assert len(models) == 1

    os.kill(own_demo.pid, signal.SIGHUP)
    wait_until(lambda: are_gone(workers) and own_demo.is_healthy(), 60, own_demo.log)

    assert model_pids(own_demo) == models
    assert chat(own_demo).status_code == HTTPStatus.OK


def test_a_killed_model_is_started_again(own_demo: Service) -> None:
    (old,) = model_pids(own_demo)

    os.kill(old, signal.SIGKILL)

    wait_until(lambda: model_pids(own_demo) not in ([], [old]), 10, own_demo.log)
    # Calls that come before it listens may open its circuit, which closes when it is back.
    wait_until(lambda: chat(own_demo).ok, 20, own_demo.log)


def test_a_killed_worker_is_replaced(service: Service) -> None:
    workers = worker_pids(service)

    os.kill(workers[0], signal.SIGKILL)

    wait_until(lambda: are_gone(workers) and service.is_healthy(), 10, service.log)
    assert chat(service).status_code == HTTPStatus.OK


def test_a_call_cut_by_the_death_of_its_worker_is_accounted_for(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.hang(60))
    with ThreadPoolExecutor() as pool:
        call = pool.submit(chat_that_is_cut, service)
        wait_until(lambda: upstream.requests, 10, "the call is at the upstream")
        os.kill(worker_pids(service)[0], signal.SIGKILL)
        call.result(10)

    wait_until(service.usage_rows, 10, service.log)
    assert [(row["status"], row["model"]) for row in service.usage_rows()] == [
        ("killed", "scripted")
    ]


@pytest.mark.usefixtures("lock")
def test_the_workers_of_a_killed_master_do_not_wait_for_a_locked_database(
    service: Service,
) -> None:
    assert chat(service).ok
    workers = worker_pids(service)

    service.kill()

    wait_until(lambda: are_gone(workers) and is_free(service.address), 5, service.log)


def test_calls_of_a_killed_service_are_accounted_for_after_a_restart(
    service: Service, lock: sqlite3.Connection
) -> None:
    assert chat(service).ok
    workers = worker_pids(service)
    for pid in (service.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    service.kill()
    wait_until(lambda: are_gone(workers), 5, service.log)
    lock.close()

    service.start()

    wait_until(lambda: rows_with(service, "ok"), 10, service.log)
    assert service.usage_count() == 1


@pytest.mark.usefixtures("lock")
def test_a_locked_database_stops_no_request(service: Service) -> None:
    slowest, until = 0.0, time.monotonic() + 3

    while (started := time.monotonic()) < until:
        assert get(service, "/healthz").ok
        assert chat(service).ok
        slowest = max(slowest, time.monotonic() - started)

    assert slowest < 2.5  # the lock's own time-out; SQLite waits so long on the request's thread


@pytest.mark.usefixtures("lock")
def test_readiness_does_not_wait_for_a_locked_database(service: Service) -> None:
    started = time.monotonic()

    get(service, "/readyz")

    assert time.monotonic() - started <= 2


def test_rows_arrive_when_a_database_is_no_longer_locked(
    service: Service, lock: sqlite3.Connection
) -> None:
    for _ in range(20):
        assert chat(service).ok
    wait_until(lambda: "usage rows wait" in service.log(), 15, "the spool has met the lock")
    assert service.usage_rows() == []

    lock.close()

    wait_until(lambda: service.usage_count() == 20, 20, service.log)
    assert len(rows_with(service, "ok")) == 20


@pytest.mark.usefixtures("lock")
def test_a_locked_database_leaves_no_statement_in_the_log(service: Service) -> None:
    assert chat(service).ok

    wait_until(lambda: "usage rows wait" in service.log(), 15, "the spool has met the lock")

    assert "Traceback" not in service.log()
    assert "IMMEDIATE" not in service.log()


def test_a_service_without_a_schema_says_what_to_do(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with own_service(tmp_path, fast_upstream(upstream.url), schema="none") as service:
        answer = get(service, "/readyz")

    error = answer.json()["error"]
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (error["code"], error["details"]["reason"]) == ("SERVICE_ERROR", "not_ready")
    assert "db upgrade" in error["details"]["checks"]["database"]
    assert error["details"]["checks"]["upstream"] == "ok"


def test_a_service_without_its_database_serves_and_is_not_ready(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with closed_port() as port:
        env = {"DATABASE_URL": f"postgresql://who:hunter2@127.0.0.1:{port}/rows"}
        settings = {**fast_upstream(upstream.url), **env}
        with own_service(tmp_path, settings, schema="none") as service:
            answers = [get(service, "/healthz"), get(service, "/readyz"), chat(service)]

    assert [answer.status_code for answer in answers] == [200, 503, 200]
    assert answers[1].json()["error"]["details"]["checks"]["database"] != "ok"
    assert not any("hunter2" in text for text in (service.log(), answers[1].text))


def test_a_service_whose_database_folder_cannot_be_made_is_alive(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {**fast_upstream(upstream.url), "DATABASE_URL": "sqlite:////dev/null/usage.db"}

    with own_service(tmp_path, env, schema="none") as service:
        statuses = [get(service, path).status_code for path in ("/healthz", "/readyz")]

    assert statuses == [200, 503]
