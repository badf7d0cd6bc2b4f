"""Workers are replaced, by a reload or after so many requests, and no caller notices."""

import os
import signal
import time
from pathlib import Path

from tests.life.serving import (
    PATIENCE,
    Load,
    chat,
    get,
    prepared,
    statuses,
    stream,
    wait_for_rows,
    wait_for_workers,
)
from tests.support import replies
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

WORKERS = 2


def long_stream(seconds: int) -> replies.Reply:
    """Stream a piece every tenth of a second."""
    pieces = [replies.chunk({"content": "la "})] * (seconds * 10)
    return replies.sse([*pieces, replies.chunk({}, finish_reason="stop")], 0.1)


def reload(service: Service) -> None:
    """Send SIGHUP, and wait until all workers are new ones."""
    old = set(wait_for_workers(service, WORKERS))
    os.kill(service.pid, signal.SIGHUP)
    wait_for_workers(service, WORKERS, without=old)


def test_h5_a_reload_under_load_loses_no_request(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {"WEB_CONCURRENCY": str(WORKERS)}
    with prepared(tmp_path, upstream, env) as service:
        # Together about 50 calls a second.
        fresh = Load(lambda session: chat(service, session), callers=3, pause=0.1)
        kept = Load(lambda session: chat(service, session), callers=3, pause=0.1, keeps_alive=True)
        with fresh, kept:
            for _ in range(2):
                fresh.wait_for(15)
                reload(service)
                kept.wait_for(15)

        asked = len(fresh.outcomes) + len(kept.outcomes)
        assert fresh.counts() + kept.counts() == {"200": asked}
        wait_for_rows(service, asked)
        assert statuses(service) == {"ok": asked}


def test_h5_a_stream_goes_on_while_the_service_is_reloaded(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(long_stream(6))
    env = {"WEB_CONCURRENCY": str(WORKERS)}
    with prepared(tmp_path, upstream, env) as service, stream(service) as answer:
        old = set(wait_for_workers(service, WORKERS))
        os.kill(service.pid, signal.SIGHUP)
        # One of the old ones still has the stream.
        wait_until(lambda: len(set(service.worker_pids()) - old) == WORKERS, PATIENCE, service.log)

        assert chat(service).status_code == 200
        assert answer.read_events()[-1] == b"[DONE]"
        wait_for_workers(service, WORKERS, without=old)


def test_h5_a_reload_with_wrong_settings_leaves_the_service_as_it_is(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with prepared(tmp_path, upstream) as service:
        workers = service.worker_pids()
        (tmp_path / "project" / ".env").write_text("UPSTREAM_TOTAL_TIMEOUT=never\n")

        os.kill(service.pid, signal.SIGHUP)

        wait_until(lambda: "UPSTREAM_TOTAL_TIMEOUT must be" in service.log(), PATIENCE, service.log)
        # The master goes on with its work: it takes another signal.
        os.kill(service.pid, signal.SIGUSR1)
        wait_until(lambda: "Handling signal: usr1" in service.log(), PATIENCE, service.log)
        assert service.worker_pids() == workers
        assert chat(service).status_code == 200


def test_h11_a_stream_outlives_the_requests_that_its_worker_may_answer(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    # Longer than a worker may be silent, and than the grace time.
    upstream.script(long_stream(8))
    arguments = {"GUNICORN_CMD_ARGS": "--max-requests 20 --timeout 3", "SHUTDOWN_GRACE": "3"}
    env = {**arguments, "WEB_CONCURRENCY": str(WORKERS)}
    with prepared(tmp_path, upstream, env) as service, stream(service) as answer:
        first = set(wait_for_workers(service, WORKERS))
        with Load(lambda _: get(service, "/healthz"), callers=2, pause=0.03) as load:
            events = answer.read_events()
            wait_until(lambda: not first & set(service.worker_pids()), PATIENCE, service.log)

        assert (len(events), events[-1]) == (82, b"[DONE]")
        assert set(load.counts()) == {"200"}
        assert "TIMEOUT" not in service.log()
        assert statuses(service) == {"ok": 1}


def test_h11_a_lone_worker_lets_its_successor_begin_within_the_grace_time(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(long_stream(60))
    env = {"GUNICORN_CMD_ARGS": "--max-requests 5", "SHUTDOWN_GRACE": "5"}
    with prepared(tmp_path, upstream, env) as service, stream(service) as answer:
        began_at = time.monotonic()
        with Load(lambda session: chat(service, session), callers=2) as load:
            load.wait_for(20)

        assert time.monotonic() - began_at < PATIENCE
        assert set(load.counts()) == {"200"}
        assert b"server_shutdown" in answer.read_events()[-1]
        wait_for_rows(service, len(load.outcomes) + 1)
        assert statuses(service)["aborted_shutdown"] == 1
