"""Calls to a service, many at once, which must all go well whatever happens to its store."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from llm_api.storage.sql.tables import usage_daily, usage_hourly
from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.service import Service
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, JSON_TYPE, good_body

PATIENCE = 60.0
_THREADS = 4
_PAUSE_S = 0.02


class Load:
    """Threads that call one after the other; `ids` are the requests that were answered well."""

    def __init__(self, service: Service) -> None:
        """Take the service, and call nothing yet."""
        self.ids: list[str] = []
        self.failures: list[str] = []
        self._service = service
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(_THREADS)]

    def begin(self) -> None:
        """Let the threads call."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait for the calls that are on their way."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait for so many more answers."""
        enough = len(self.ids) + more
        wait_until(lambda: len(self.ids) >= enough or self.failures, PATIENCE, self._service.log)

    def _run(self) -> None:
        while not self._is_over.wait(_PAUSE_S):
            try:
                self.ids.append(call(self._service))
            except Exception as error:  # noqa: BLE001  # whatever it is, the call did not go well
                self.failures.append(repr(error))


def call(service: Service, **fields: object) -> str:
    """Make a chat call that must go well, on a connection of its own; return the request's id."""
    body = json.dumps({**good_body(CHAT), **fields}).encode()
    headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
    with LiveAnswer(service.address, request_bytes("POST", CHAT, headers, body)) as answer:
        text = answer.read_body()
        assert answer.status == 200, text
        return answer.header("x-request-id") or ""


@contextmanager
def load_on(service: Service) -> Iterator[Load]:
    """Load the service for the block; all calls must have gone well."""
    load = Load(service)
    load.begin()
    try:
        load.wait_for(5)
        yield load
        load.wait_for(5)
    finally:
        load.end()
    assert load.failures == []


def all_are_kept(service: Service, ids: list[str]) -> None:
    """Wait for the rows of these calls; there must be no others, and the sums must agree."""
    wait_until(lambda: service.usage_count() >= len(ids), PATIENCE, service.log)
    assert sorted(row["request_id"] for row in service.usage_rows()) == sorted(ids)
    assert calls_in_sums(service.env["DATABASE_URL"]) == [len(ids)] * 2


def calls_in_sums(url: str) -> list[int]:
    """Return how many calls the sums by hour and by day have."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [
            int(connection.scalar(sa.select(sa.func.sum(table.c.calls))) or 0)
            for table in (usage_hourly, usage_daily)
        ]
