"""Requests that have come together begin one by one under gunicorn, and all are answered."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.checkout import fast_upstream, own_service
from tests.support.service import Service

TOGETHER = 6
# One stops the loop until the others have come; each takes longer than requests may begin a turn.
_ROUTES = """
from time import thread_time

import gevent
from gevent.monkey import get_original

stop = get_original("time", "sleep")

@app.get("/_stop")
def stopped():
    stop(0.5)
    return {}

@app.get("/_turn")
def turn():
    began_in = gevent.get_hub().loop.iteration
    ends_at = thread_time() + 0.02
    while thread_time() < ends_at:
        pass
    return {"turn": began_in}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a service with one worker that says in which turn of its loop a request began."""
    env = {**fast_upstream("http://127.0.0.1:9/v1"), "WEB_CONCURRENCY": "1"}
    prepared = own_service(tmp_path, env)
    with (tmp_path / "project" / "wsgi.py").open("a") as program:
        program.write(_ROUTES)
    with prepared as running:
        yield running


def test_requests_that_came_together_begin_in_turns_of_their_own(service: Service) -> None:
    connections = [http.client.HTTPConnection(*service.address) for _ in range(TOGETHER + 1)]
    for connection in connections:  # they are accepted before
        connection.request("GET", "/healthz")
        connection.getresponse().read()

    connections[0].request("GET", "/_stop")
    for connection in connections[1:]:
        connection.request("GET", "/_turn")
    turns = [json.load(connection.getresponse())["turn"] for connection in connections[1:]]

    assert len(set(turns)) == TOGETHER
    for connection in connections:
        connection.close()
