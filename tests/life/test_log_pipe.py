"""A log whose reader has stopped holds up no request, and is complete when it reads again."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.life.serving import PATIENCE, Load, get, prepared, wait_for_workers
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

STALL_S = 6.0
_PIPE_BYTES = 4_096
# The harness sends both to a file; this is what a container's runtime does.
_INTO_PIPE = """
import os

if not os.environ.get("IS_IN_PIPE"):
    os.environ["IS_IN_PIPE"] = "yes"
    _pipe = os.open({path!r}, os.O_WRONLY)
    os.dup2(_pipe, 1)
    os.dup2(_pipe, 2)
    os.close(_pipe)
"""


class Reader:
    """The reading end of a pipe, which reads when it is told to."""

    def __init__(self, path: Path) -> None:
        """Make a pipe that is soon full."""
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._seen = b""

    def text(self) -> str:
        """Read what there is, and return all that was read so far."""
        try:
            while piece := os.read(self._descriptor, 65_536):
                self._seen += piece
        except BlockingIOError:
            pass
        return self._seen.decode()

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._descriptor)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Make the pipe."""
    made = Reader(tmp_path / "log.pipe")
    yield made
    made.close()


@pytest.fixture
def service(
    tmp_path: Path,
    upstream: ScriptedUpstream,
    reader: Reader,  # noqa: ARG001  # without it, opening the pipe waits
) -> Iterator[Service]:
    """Run a service that writes its log into the pipe."""
    conf = _INTO_PIPE.format(path=str(tmp_path / "log.pipe"))
    with prepared(tmp_path, upstream, conf=conf) as running:
        yield running


def slowest_in(service: Service, seconds: float) -> tuple[float, int]:
    """Ask for so long; return how long the slowest answer took, and how many there were."""
    with Load(lambda _: get(service, "/healthz"), callers=2, pause=0.005) as load:
        time.sleep(seconds)
    assert set(load.counts()) == {"200"}
    return load.slowest, len(load.outcomes)


def test_h15_a_log_that_nobody_reads_holds_up_no_request(service: Service, reader: Reader) -> None:
    usual, _ = slowest_in(service, 2)

    slowest, count = slowest_in(service, STALL_S)

    assert count > 100
    # A worker that waits for the pipe answers nothing for all of that time.
    assert slowest < max(2 * usual, STALL_S / 4)
    wait_until(lambda: reader.text().count('"/healthz"') >= count, PATIENCE, "all lines are there")


def test_h15_a_service_whose_log_nobody_reads_ends(service: Service, reader: Reader) -> None:
    slowest_in(service, 2)

    assert service.terminate(PATIENCE) == 0

    assert '"/healthz"' in reader.text()


def test_h15_new_workers_write_their_lines_and_all_write_their_last(
    service: Service, reader: Reader
) -> None:
    old = set(service.worker_pids())
    os.kill(service.pid, signal.SIGHUP)
    wait_for_workers(service, 1, without=old)
    before = reader.text().count('"/healthz"')

    assert get(service, "/healthz").status_code == 200
    assert service.terminate(PATIENCE) == 0

    assert reader.text().count('"/healthz"') == before + 1
    assert reader.text().count("Worker exiting") == 2
    assert "Shutting down: Master" in reader.text().splitlines()[-1]
