"""Log lines are written by a thread; who logs never waits, and learns of what was dropped."""

import logging
import os
import time
from collections.abc import Iterator

import pytest

from llm_api.observability.log_queue import QueueHandler
from tests.support.waiting import wait_until

PATIENCE = 20.0
PIPE_BYTES = 65_536
Pipe = tuple[int, int]
# From 3.12 on Python warns of a fork beside threads; the master of gunicorn does just that.
FORKS = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe whose reading end does not wait."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def said(text: str) -> logging.LogRecord:
    """Make a record."""
    return logging.makeLogRecord({"msg": text, "name": "test"})


def read(reading: int) -> str:
    """Read what is in the pipe."""
    try:
        return os.read(reading, 1 << 20).decode()
    except BlockingIOError:
        return ""


def read_until(reading: int, last: str) -> list[str]:
    """Read lines until one of them has come."""
    seen = ""

    def has_come() -> bool:
        nonlocal seen
        seen += read(reading)
        return seen.endswith(last + "\n")

    wait_until(has_come, PATIENCE, lambda: seen[-500:])
    return seen.splitlines()


def test_lines_arrive_in_their_order(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1])

    for number in range(200):
        handler.handle(said(f"line {number}"))

    assert read_until(pipe[0], "line 199") == [f"line {number}" for number in range(200)]


def test_a_flush_waits_for_the_lines(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1])
    handler.handle(said("the last one"))

    handler.flush()

    assert read(pipe[0]) == "the last one\n"


def test_a_full_pipe_holds_up_nobody(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1], max_lines=1_000)
    began_at = time.monotonic()

    for _ in range(5_000):
        handler.handle(said("x" * 1_000))

    assert time.monotonic() - began_at < PATIENCE
    assert handler.dropped > 0
    handler.flush()  # ends, although nothing can be written


def test_dropped_lines_are_told_by_the_next_that_finds_room(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1], max_lines=100)
    handler.setFormatter(logging.Formatter("%(message)s %(lines)s", defaults={"lines": ""}))
    for _ in range(400):
        handler.handle(said("x" * 1_000))
    wait_until(lambda: read(pipe[0]) == "" and handler._writer.waiting == 0, PATIENCE, "it is read")

    handler.handle(said("again"))

    (notice, again) = read_until(pipe[0], "again ")
    assert notice == f"log lines dropped: standard error was not read {handler.dropped}"
    assert again == "again "


@FORKS
def test_a_child_writes_its_own_lines_and_not_those_of_its_parent(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1])
    handler.handle(said("the parent's"))
    pid = os.fork()
    if not pid:
        handler.handle(said("the child's"))
        handler.flush()
        os._exit(0)

    os.waitpid(pid, 0)
    handler.flush()

    assert sorted(read(pipe[0]).splitlines()) == ["the child's", "the parent's"]


@FORKS
def test_lines_of_several_processes_stay_whole(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1])
    children = []
    for name in "abc":
        if not (pid := os.fork()):
            for _ in range(50):
                handler.handle(said(name * 300))
            handler.flush()
            os._exit(0)
        children.append(pid)

    for pid in children:
        os.waitpid(pid, 0)

    lines = read(pipe[0]).splitlines()
    assert sorted(lines) == sorted([name * 300 for name in "abc"] * 50)


def test_a_line_longer_than_the_pipe_arrives_whole(pipe: Pipe) -> None:
    handler = QueueHandler(pipe[1])

    handler.handle(said("y" * (3 * PIPE_BYTES)))
    handler.handle(said("end"))

    assert read_until(pipe[0], "end")[0] == "y" * (3 * PIPE_BYTES)


def test_a_pipe_without_a_reader_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = QueueHandler(writing)

    handler.handle(said("to nobody"))
    handler.flush()

    assert handler._writer.waiting == 0
    os.close(writing)
