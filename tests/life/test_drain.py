"""After SIGTERM calls may end, probes are told, and what lasts too long is ended in good order."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from tests.life.serving import PATIENCE, Load, chat, prepared, statuses, stream
from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

GRACE = 5
RESERVE = 2  # what is kept of the grace time for the last events and rows
SLACK = 10  # seconds that a busy machine may add
ENDLESS = replies.sse([replies.chunk({"content": "la "})] * 600, 0.1)


def with_grace(directory: Path, upstream: ScriptedUpstream, seconds: int = GRACE) -> Service:
    """Prepare a service with a grace time."""
    return prepared(directory, upstream, {"SHUTDOWN_GRACE": str(seconds)})


def last_event(answer: LiveAnswer) -> dict[str, Any]:
    """Read a stream to its end and return its last event."""
    event: dict[str, Any] = json.loads(answer.read_events()[-1])
    return event


def was_killed(service: Service) -> bool:
    """Tell whether the master had to kill a worker."""
    return "SIGKILL" in service.log()


def test_h1_an_idle_service_ends_at_once(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with with_grace(tmp_path, upstream, 60) as service:
        assert service.terminate(SLACK) == 0


def test_h2_a_stream_that_ends_within_the_grace_time_is_complete(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    events = [replies.chunk({"content": "la "})] * 30
    upstream.script(replies.sse([*events, replies.chunk({}, finish_reason="stop")], 0.1))
    with with_grace(tmp_path, upstream, 30) as service, stream(service) as answer:
        answer.read_event()
        os.kill(service.pid, signal.SIGTERM)

        *chunks, done = answer.read_events()

        assert (len(chunks), done) == (30, b"[DONE]")
        assert answer.closes()
        assert service.terminate(SLACK) == 0
        assert statuses(service) == {"ok": 1}


def test_h3_a_stream_longer_than_the_grace_time_ends_with_an_error_event(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(ENDLESS)
    with with_grace(tmp_path, upstream) as service, stream(service) as answer:
        answer.read_event()
        os.kill(service.pid, signal.SIGTERM)
        began_at = time.monotonic()

        error = last_event(answer)["error"]

        assert time.monotonic() - began_at >= GRACE - RESERVE - 0.5
        assert (error["type"], error["code"]) == ("server_error", "server_shutdown")
        assert error["details"]["retryable"] is True
        assert service.terminate(SLACK) == 0
        assert not was_killed(service)
        (row,) = service.usage_rows()
        assert (row["status"], row["reason"]) == ("aborted_shutdown", "server_shutdown")
        assert (row["usage_source"], row["completion_tokens"] > 0) == ("estimated", True)


def test_h3_a_call_longer_than_the_grace_time_is_answered_with_an_error(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.hang(60))
    with with_grace(tmp_path, upstream) as service, ThreadPoolExecutor() as pool:
        call = pool.submit(chat, service)
        wait_until(lambda: upstream.requests, PATIENCE, "the call is at the upstream")

        assert service.terminate(GRACE + SLACK) == 0

        answer = call.result(PATIENCE)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (503, "SERVICE_ERROR")
        assert (error["details"]["reason"], error["details"]["retryable"]) == (
            "server_shutdown",
            True,
        )
        assert answer.headers["Connection"] == "close"
        assert statuses(service) == {"aborted_shutdown": 1}
        assert not was_killed(service)


def test_h3_a_call_that_waits_for_its_second_attempt_is_ended_too(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(429, headers=[("Retry-After", "9")]))
    with with_grace(tmp_path, upstream, 4) as service, ThreadPoolExecutor() as pool:
        call = pool.submit(chat, service)
        wait_until(lambda: upstream.requests, PATIENCE, "the call is at the upstream")

        assert service.terminate(4 + SLACK) == 0

        assert call.result(PATIENCE).json()["error"]["details"]["reason"] == "server_shutdown"
        assert statuses(service) == {"aborted_shutdown": 1}
        assert not was_killed(service)


def test_h3_a_client_that_does_not_read_cannot_hold_up_the_end(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([replies.chunk({"content": "x" * 65_536})] * 400))
    with with_grace(tmp_path, upstream) as service, stream(service):
        assert service.terminate(GRACE + SLACK) == 0

        assert not was_killed(service)
        assert statuses(service) == {"aborted_shutdown": 1}


def test_h4_probes_are_told_of_the_end_at_once_and_no_request_is_lost(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(ENDLESS)
    with with_grace(tmp_path, upstream) as service, stream(service):
        # The answers themselves would keep their connections open.
        told: list[tuple[str | None, str]] = []

        def probe(session: requests.Session) -> requests.Response:
            answer = session.get(f"{service.url}/readyz", timeout=PATIENCE)
            if answer.status_code == 503:
                checks = answer.json()["error"]["details"]["checks"]
                told.append((answer.headers.get("Connection"), checks["process"]))
            return answer

        with Load(probe, pause=0.01) as probes, Load(lambda s: chat(service, s)) as calls:
            calls.wait_for(20)
            os.kill(service.pid, signal.SIGTERM)
            loads = (probes, calls)
            wait_until(
                lambda: all("refused" in load.outcomes for load in loads),
                PATIENCE,
                "nobody listens any more",
            )

    assert set(told) == {("close", "shutting down")}
    assert set(probes.counts()) == {"200", "503", "refused"}
    assert set(calls.counts()) == {"200", "refused"}


def test_h4_a_connection_that_is_kept_alive_is_told_to_close(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.delayed(replies.completion(), 2))
    with (
        with_grace(tmp_path, upstream, 60) as service,
        requests.Session() as session,
        ThreadPoolExecutor() as pool,
    ):
        call = pool.submit(chat, service, session)
        wait_until(lambda: upstream.requests, PATIENCE, "the call is at the upstream")

        assert service.terminate(2 + SLACK) == 0

        assert call.result(PATIENCE).headers["Connection"] == "close"
