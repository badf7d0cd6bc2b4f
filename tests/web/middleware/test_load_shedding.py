"""So many calls are answered at once, a few wait, and the others are refused at once."""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

import pytest
from werkzeug.test import Client, TestResponse

from llm_api.web.middleware.load_shedding import LOG_INTERVAL, LoadShedder
from tests.conftest import AppOf
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, read_refusal

PATIENCE = 20.0
PLACES, WAITING = 4, 3
OVERLOADED = (503, "SERVICE_ERROR", "overloaded", True)


class Held:
    """A WSGI application whose calls stay in progress until the test lets one of them go."""

    def __init__(self) -> None:
        """Hold every call."""
        self.order: list[str] = []
        self.most_at_once = 0
        self._in_progress = 0
        self._changing = threading.Lock()
        self._permits = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer when it is let go."""
        with self._changing:
            self.order.append(environ["QUERY_STRING"])
            self._in_progress += 1
            self.most_at_once = max(self.most_at_once, self._in_progress)
        assert self._permits.acquire(timeout=PATIENCE)
        with self._changing:
            self._in_progress -= 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"served"]

    def let_go(self, count: int = 1) -> None:
        """Let so many calls end."""
        self._permits.release(count)


class Callers:
    """Calls the application from threads of their own."""

    def __init__(self, app: WSGIApplication) -> None:
        """Take the application."""
        self._app = app
        self._threads: list[threading.Thread] = []
        self.answers: list[TestResponse] = []

    def call(self, count: int = 1, name: str = "") -> None:
        """Make so many calls, and wait for none."""
        for _ in range(count):
            thread = threading.Thread(target=self._ask, args=(name,))
            thread.start()
            self._threads.append(thread)

    def _ask(self, name: str) -> None:
        self.answers.append(Client(self._app).post(f"{CHAT}?{name}", buffered=True))

    def statuses(self) -> list[int]:
        """Wait for all answers."""
        for thread in self._threads:
            thread.join(PATIENCE)
        return sorted(answer.status_code for answer in self.answers)


@pytest.fixture
def held() -> Iterator[Held]:
    """Hold calls; whatever is left of them ends with the test."""
    app = Held()
    yield app
    app.let_go(1_000)


@pytest.fixture
def admission(held: Held) -> LoadShedder:
    """Guard the application with few places, and a queue where nobody waits too long."""
    return LoadShedder(held, max_active=PLACES, max_waiting=WAITING, queue_timeout=PATIENCE)


def full(app: WSGIApplication) -> LoadShedder:
    """Guard an application so that nobody is let in."""
    return LoadShedder(app, max_active=0, max_waiting=0)


def answering(body: Iterable[bytes]) -> WSGIApplication:
    """Make an application that answers with a body."""

    def app(_environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    return app


class BodyError(Exception):
    """A body's own."""


class Body:
    """A body that fails somewhere."""

    def __init__(self, *, fails_at: str = "") -> None:
        """Say where: `read`, `close` or nowhere."""
        self._fails_at = fails_at

    def __iter__(self) -> Iterator[bytes]:
        """Yield one piece."""
        yield b"piece"
        if self._fails_at == "read":
            raise BodyError

    def close(self) -> None:
        """End."""
        if self._fails_at == "close":
            raise BodyError


def test_of_many_at_once_so_many_are_served_a_few_wait_and_the_others_are_refused(
    held: Held, admission: LoadShedder
) -> None:
    callers, refused = Callers(admission), 5 * PLACES - PLACES - WAITING
    callers.call(5 * PLACES)
    wait_until(lambda: len(callers.answers) == refused, PATIENCE, "the others are refused")
    assert len(held.order) == PLACES

    held.let_go(PLACES + WAITING)

    assert callers.statuses() == [200] * (PLACES + WAITING) + [503] * refused
    assert held.most_at_once == PLACES


def test_who_came_first_is_served_first(held: Held, admission: LoadShedder) -> None:
    callers = Callers(admission)
    callers.call(PLACES, "in")
    wait_until(lambda: len(held.order) == PLACES, PATIENCE, "all places are taken")
    for name in "abc":
        callers.call(1, name)
        wait_until(lambda n=name: queued(admission) == "abc".index(n) + 1, PATIENCE, "it waits")

    for number in range(1, WAITING + 1):
        held.let_go()
        wait_until(lambda n=number: len(held.order) == PLACES + n, PATIENCE, "the next is in")

    assert held.order[PLACES:] == ["a", "b", "c"]


def queued(admission: LoadShedder) -> int:
    """Count who waits."""
    return admission._limit.waiting


def test_who_waits_too_long_is_refused(held: Held) -> None:
    admission = LoadShedder(held, max_active=1, max_waiting=1, queue_timeout=0.01)
    callers = Callers(admission)
    callers.call()
    wait_until(lambda: held.order, PATIENCE, "the place is taken")

    assert Client(admission).post(CHAT, buffered=True).status_code == 503
    held.let_go(2)
    assert callers.statuses() == [200]
    assert Client(admission).post(CHAT, buffered=True).status_code == 200


@pytest.mark.parametrize("fails_at", ["", "read", "close"])
def test_a_body_that_is_closed_gives_its_place_back_once(fails_at: str) -> None:
    admission = LoadShedder(answering(Body(fails_at=fails_at)), max_active=1, max_waiting=0)

    for _ in range(3):
        with ExitStack() as stack:
            if fails_at:
                stack.enter_context(pytest.raises(BodyError))
            answer = Client(admission).post(CHAT, buffered=True)
            assert answer.status_code == 200

    assert admission._limit.free == 1


def test_a_stream_holds_its_place_until_it_is_closed() -> None:
    admission = LoadShedder(answering(Body()), max_active=1, max_waiting=0)
    stream = Client(admission).post(CHAT)

    during = Client(admission).post(CHAT, buffered=True).status_code
    stream.close()
    stream.close()

    assert (during, Client(admission).post(CHAT, buffered=True).status_code) == (503, 200)
    assert admission._limit.free == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_application_that_fails_gives_the_place_back(error: type[BaseException]) -> None:
    def fail(*_: object) -> Iterable[bytes]:
        raise error

    admission = LoadShedder(fail, max_active=1, max_waiting=0)

    for _ in range(2):
        with pytest.raises(error):
            Client(admission).post(CHAT, buffered=True)


@pytest.mark.parametrize("path", CHATS)
def test_a_refusal_is_an_error_like_any_other(path: str) -> None:
    answers = [Client(full(answering([]))).post(path, buffered=True) for _ in range(2)]

    for answer in answers:
        refusal = read_refusal(path, answer.status_code, answer.headers, answer.data)
        assert refusal.verdict == OVERLOADED
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["retry-after-ms"] == "1000"
        assert "x-should-retry" not in answer.headers
        assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]


def test_codex_is_refused_with_the_status_that_it_repeats_less_often() -> None:
    codex = {"originator": "codex_exec"}

    answer = Client(full(answering([b"served"]))).post("/v1/responses", headers=codex)

    assert (answer.status, answer.headers["Retry-After"]) == ("429 Too Many Requests", "1")
    assert answer.json["error"]["code"] == "overloaded"


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/",
        "/docs",
        "/openapi.json",
        "/console/static/0/console.css",
    ],
)
def test_probes_and_pages_are_answered_while_all_places_are_taken(path: str) -> None:
    assert Client(full(answering([b"here"]))).get(path).data == b"here"


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, "/v1/models", "/api/v1/usage", "/v1/nothing"])
def test_everything_else_is_counted(path: str) -> None:
    assert Client(full(answering([b"here"]))).get(path).status_code == 503


def test_the_log_tells_of_refusals_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    admission = LoadShedder(answering([]), max_active=0, max_waiting=0, clock=lambda: now[0])
    caplog.set_level(logging.WARNING, "llm_api.web.middleware.load_shedding")

    for moment in [0.0, 1.0, LOG_INTERVAL - 0.1, LOG_INTERVAL, LOG_INTERVAL + 1, 3 * LOG_INTERVAL]:
        now[0] = moment
        Client(admission).post(CHAT, buffered=True)

    assert [record.refused for record in caplog.records] == [1, 3, 2]


def test_the_last_refusals_are_told_when_a_call_ends(
    held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    admission = LoadShedder(held, max_active=1, max_waiting=0, clock=lambda: now[0])
    callers = Callers(admission)
    callers.call()
    wait_until(lambda: held.order, PATIENCE, "the place is taken")
    assert [Client(admission).post(CHAT, buffered=True).status_code for _ in range(3)] == [503] * 3

    now[0] = LOG_INTERVAL
    held.let_go()

    assert callers.statuses() == [200]
    assert [record.refused for record in caplog.records] == [1, 2]


def test_the_application_is_guarded(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    """One place, and nobody who reads the first answer to its end."""
    app = app_of(upstream_env | {"MAX_CALLS_IN_PROGRESS": "1"})
    client = app.test_client()
    first = client.get("/v1/models", buffered=False)

    refused = client.get("/v1/models")
    first.close()

    assert refused.status_code == 503
    assert client.get("/v1/models").status_code == 200


def test_refusals_are_told_and_calls_in_progress_counted(held: Held) -> None:
    told: list[None] = []
    shedder = LoadShedder(held, max_active=1, max_waiting=0, on_refusal=lambda: told.append(None))
    callers = Callers(shedder)
    callers.call()
    wait_until(lambda: shedder.active == 1, PATIENCE, "a call is in progress")
    callers.call(2)
    wait_until(lambda: len(callers.answers) == 2, PATIENCE, "the others are refused")
    assert (shedder.active, shedder.waiting, len(told)) == (1, 0, 2)

    held.let_go()

    assert sorted(callers.statuses()) == [200, 503, 503]
    assert shedder.active == 0


@pytest.mark.parametrize("trusts_ids", [False, True])
def test_a_refusal_has_the_id_of_a_trusted_proxy(*, trusts_ids: bool) -> None:
    app = LoadShedder(answering([]), max_active=0, max_waiting=0, trusts_ids=trusts_ids)

    shown = {
        sent: Client(app).post(CHAT, headers={"X-Request-Id": sent}).headers["x-request-id"]
        for sent in ("page-7", 'a"b')
    }

    assert shown['a"b'].startswith("req_")
    assert (shown["page-7"] == "page-7") is trusts_ids
