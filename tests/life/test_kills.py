"""What is left when master or worker are killed, or stop answering."""

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.life.serving import (
    PATIENCE,
    Load,
    chat,
    get,
    prepared,
    statuses,
    wait_for_rows,
    wait_for_workers,
)
from tests.support import replies
from tests.support.processes import process_table
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

# Routes in which a worker is stuck: one that an exception ends, one that nothing ends but SIGKILL.
STUCK = """

@app.get("/spin")
def spin():
    while True:
        pass


@app.get("/deadlock")
def deadlock():
    import signal

    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    while True:
        pass
"""


def can_be_bound(address: tuple[str, int]) -> bool:
    """Whether nobody listens at an address."""
    with suppress(OSError), socket.create_server(address, reuse_port=False):
        return True
    return False


def lost(call: Callable[[], object]) -> None:
    """Make a call whose connection is cut."""
    with suppress(requests.RequestException):
        call()


def hanging_call(service: Service, upstream: ScriptedUpstream, pool: ThreadPoolExecutor) -> None:
    """Make a call that waits for its upstream, and will be cut."""
    before = len(upstream.requests)
    upstream.script(replies.hang(120))
    pool.submit(lost, lambda: chat(service))
    wait_until(lambda: len(upstream.requests) > before, PATIENCE, "the call is at the upstream")


def test_h6_a_killed_worker_is_replaced_and_the_others_do_not_notice(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with prepared(tmp_path, upstream, {"WEB_CONCURRENCY": "2"}) as service:
        killed, other = wait_for_workers(service, 2)

        os.kill(killed, signal.SIGKILL)

        wait_for_workers(service, 2, without={killed})
        assert other in service.worker_pids()
        with Load(lambda session: chat(service, session)) as load:
            load.wait_for(20)
        assert set(load.counts()) == {"200"}


def test_h6_the_rows_of_a_killed_worker_are_kept(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with prepared(tmp_path, upstream) as service, ThreadPoolExecutor() as pool:
        for _ in range(5):
            assert chat(service).status_code == 200
        hanging_call(service, upstream, pool)

        os.kill(service.worker_pids()[0], signal.SIGKILL)

        wait_for_rows(service, 6)
        assert statuses(service) == {"ok": 5, "killed": 1}


def test_h7_the_workers_of_a_killed_master_end_and_leave_the_port_free(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {"WEB_CONCURRENCY": "2"}
    with prepared(tmp_path, upstream, env) as service, ThreadPoolExecutor() as pool:
        workers = set(wait_for_workers(service, 2))
        assert chat(service).status_code == 200
        hanging_call(service, upstream, pool)

        service.kill()

        wait_until(lambda: not workers & {one.pid for one in process_table()}, 5, service.log)
        # The kernel takes the sockets of a process back a moment after it has ended.
        wait_until(lambda: can_be_bound(service.address), 5, service.log)
        service.start()
        wait_for_rows(service, 2)
        assert statuses(service) == {"ok": 1, "killed": 1}


@pytest.mark.parametrize("path", ["/spin", "/deadlock"])
def test_h8_a_worker_that_stands_still_is_ended_and_its_rows_are_kept(
    path: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {"GUNICORN_CMD_ARGS": "--timeout 2", "SHUTDOWN_GRACE": "4"}
    with (
        prepared(tmp_path, upstream, env, program=STUCK) as service,
        ThreadPoolExecutor() as pool,
    ):
        stuck = set(service.worker_pids())
        assert chat(service).status_code == 200
        hanging_call(service, upstream, pool)

        pool.submit(lost, lambda: get(service, path))

        wait_for_workers(service, 1, without=stuck)
        assert "WORKER TIMEOUT" in service.log()
        assert chat(service).status_code == 200
        wait_for_rows(service, 3)
        ended = "aborted_shutdown" if path == "/spin" else "killed"
        assert statuses(service) == {"ok": 2, ended: 1}
