"""A worker whose file descriptors or memory run out answers or lets wait, and recovers."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import requests

from tests.life.serving import (
    CHAT,
    HELLO,
    PATIENCE,
    Load,
    chat,
    cpu_seconds,
    prepared,
    statuses,
    wait_for_rows,
    wait_for_workers,
)
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

FEW_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
"""
# Sizes of mappings and not of memory in use: threads take some, too.
LITTLE_MEMORY = """
import resource
from pathlib import Path

_pages = int(Path("/proc/self/statm").read_text().split()[0])
_most = _pages * resource.getpagesize() + (160 << 20)
resource.setrlimit(resource.RLIMIT_AS, (_most, _most))
"""
# A call that could not start a thread to connect counts as `upstream_error`, reason `overloaded`.
SOUND = {"ok", "error", "upstream_error", "aborted_shutdown", "killed"}
BIG = 30 << 20


@contextmanager
def idle_connections(service: Service, count: int) -> Iterator[None]:
    """Hold connections on which nothing is ever asked."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(service.address, timeout=PATIENCE))
        yield


def share_of_a_core(pid: int, seconds: float) -> float:
    """Measure how much of a core a process uses."""
    used, began_at = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - used) / (time.monotonic() - began_at)


def test_h9_with_few_descriptors_connections_wait_and_nothing_is_lost(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with prepared(tmp_path, upstream, conf=FEW_DESCRIPTORS) as service:
        (worker,) = service.worker_pids()
        with idle_connections(service, 100):
            assert share_of_a_core(worker, 2) < 0.25
        with Load(lambda session: chat(service, session), callers=60) as load:
            load.wait_for(300)

        assert set(load.counts()) == {"200"}
        assert service.worker_pids() == [worker]
        [warning] = [line for line in service.log_records() if line["level"] != "INFO"]
        assert "ulimit -n" in warning["message"]  # said at the start, and nothing was amiss later
        wait_for_rows(service, len(load.outcomes))
        assert statuses(service) == {"ok": len(load.outcomes)}


def test_h9_without_a_free_descriptor_calls_are_refused_and_the_worker_recovers(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    # More connections than descriptors, because the operator says so.
    env = {"GUNICORN_CMD_ARGS": "--worker-connections 1000"}
    with prepared(tmp_path, upstream, env, conf=FEW_DESCRIPTORS) as service:
        assert chat(service).status_code == 200
        (worker,) = service.worker_pids()
        with idle_connections(service, 100):
            wait_until(lambda: "no file descriptor" in service.log(), PATIENCE, service.log)
            assert share_of_a_core(worker, 2) < 0.25
        with Load(lambda session: chat(service, session), callers=60) as load:
            load.wait_for(300)

        wait_until(lambda: chat(service).status_code == 200, PATIENCE, service.log)
        assert set(load.counts()) <= {"200", "503"}
        assert service.worker_pids() == [worker]
        assert "Traceback" not in service.log()


def test_h10_without_memory_calls_fail_the_worker_is_replaced_and_no_row_is_spoiled(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.answer_with(big_if_asked) for _ in range(200)])
    env = {"SHUTDOWN_GRACE": "4"}
    with prepared(tmp_path, upstream, env, program=LITTLE_MEMORY) as service:
        first = set(service.worker_pids())
        with Load(lambda session: ask_for_much(service, session), callers=3) as load:
            load.wait_for(6)

        # Memory can be missing at any place, so that some connections end without an answer.
        assert load.counts()["503"] > 0
        wait_for_workers(service, 1, without=first)
        wait_until(lambda: chat(service).status_code == 200, PATIENCE, service.log)
        wait_until(lambda: statuses(service)["ok"] > 0, PATIENCE, service.log)
        assert set(statuses(service)) <= SOUND
        assert is_whole(service)


def big_if_asked(request: RecordedRequest) -> replies.Reply:
    """Answer with a lot of text where the caller asks for it."""
    return replies.completion("x" * BIG if request.json.get("max_tokens") == 7 else "small")


def ask_for_much(service: Service, session: requests.Session) -> requests.Response:
    """Make a call whose answer is big."""
    return session.post(service.url + CHAT, json=HELLO | {"max_tokens": 7}, timeout=PATIENCE)


def is_whole(service: Service) -> bool:
    """Let SQLite look over its file."""
    path = service.env["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    return bool(found == "ok")
