"""The service as an operator runs it, under gunicorn and gevent, with its rows in MariaDB.

PyMySQL's sockets belong to the thread that opened them there, and calls come from several.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support.mariadb import MariaDbServer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CALLS = 40


@pytest.fixture
def service(
    tmp_path: Path, upstream: ScriptedUpstream, mariadb: MariaDbServer
) -> Iterator[Service]:
    """Run the service on MariaDB."""
    database = {"DATABASE_URL": mariadb.new_database()}
    env = {**fast_upstream(upstream.url), **database, "RATE_LIMIT": "1000000/minute"}
    with own_service(tmp_path, env) as running:
        yield running


def chat(service: Service) -> requests.Response:
    """Make a call."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "model": "模型🙂"}
    return requests.post(f"{service.url}/v1/chat/completions", json=body, timeout=20)


def readiness(service: Service) -> str:
    """Return what the service says of its stores."""
    return requests.get(f"{service.url}/readyz", timeout=20).text


def test_calls_and_probes_at_once_meet_no_error(service: Service) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: (chat(service).status_code, '"database":"ok"' in readiness(service)),
            range(CALLS),
        )
        assert set(answers) == {(200, True)}

    wait_until(lambda: service.usage_count() == CALLS, 10, service.log)
    assert {row["requested_model"] for row in service.usage_rows()} == {"模型🙂"}
    assert "usage rows wait" not in service.log()


def test_calls_wait_for_a_database_that_is_away_and_are_kept(
    service: Service, mariadb: MariaDbServer
) -> None:
    mariadb.stop()
    try:
        answered, said = chat(service), readiness(service)
    finally:
        mariadb.start()

    assert answered.status_code == 200
    assert "The database cannot be reached: " in said
    wait_until(lambda: service.usage_count() == 1, 30, service.log)


def test_a_silent_database_holds_up_no_call(service: Service, mariadb: MariaDbServer) -> None:
    mariadb.freeze()
    try:
        answers = [chat(service) for _ in range(10)]
    finally:
        mariadb.thaw()

    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.elapsed for answer in answers).total_seconds() < 1
    wait_until(lambda: service.usage_count() == 10, 30, service.log)
