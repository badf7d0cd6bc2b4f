"""A task is repeated by one thread until it is closed, whatever the task raises."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm_api.runtime.periodic_thread import PeriodicThread
from tests.support.waiting import wait_until

NAME = "periodic-test"
PATIENCE = 20.0
LONG = 3_600.0
Make = Callable[..., PeriodicThread]


class Task:
    """Counts its runs."""

    def __init__(self) -> None:
        """Begin with none."""
        self.runs = 0

    def __call__(self) -> None:
        """Run."""
        self.runs += 1


@pytest.fixture
def task() -> Task:
    """Make a task."""
    return Task()


@pytest.fixture
def make() -> Iterator[Make]:
    """Make threads that are closed after the test."""
    made: list[PeriodicThread] = []

    def build(task: Callable[[], None], interval: float = LONG) -> PeriodicThread:
        made.append(PeriodicThread(NAME, interval, task))
        return made[-1]

    yield build
    for thread in made:
        thread.close()


def running() -> int:
    """Count the threads that run."""
    return [thread.name for thread in threading.enumerate()].count(NAME)


def test_nothing_runs_before_the_start(make: Make, task: Task) -> None:
    make(task)

    assert (running(), task.runs) == (0, 0)


def test_the_task_runs_at_every_interval(make: Make, task: Task) -> None:
    make(task, 0.01).start()

    wait_until(lambda: task.runs >= 3, PATIENCE, "it runs again and again")


def test_many_starts_at_once_start_one_thread(
    make: Make, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_thread = threading.Thread.start

    def start_slowly(thread: threading.Thread) -> None:
        if thread.name == NAME:
            time.sleep(0.05)  # a time in which others come, too
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    periodic = make(task)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(periodic.start)

    assert running() == 1


@pytest.mark.parametrize("is_before", [True, False])
def test_a_thread_that_is_woken_runs_at_once(make: Make, task: Task, *, is_before: bool) -> None:
    periodic = make(task)
    if is_before:
        periodic.woken.set()
        periodic.start()
    else:
        periodic.start()
        periodic.woken.set()

    wait_until(lambda: task.runs == 1, PATIENCE, "it runs")
    assert not periodic.is_closing


def test_a_thread_that_is_woken_in_a_run_runs_again(make: Make) -> None:
    runs: list[int] = []

    def wake_itself() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            periodic.woken.set()

    periodic = make(wake_itself)
    periodic.woken.set()
    periodic.start()

    wait_until(lambda: len(runs) == 3, PATIENCE, "it has run for each of them")


def test_a_task_that_fails_is_logged_and_runs_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    def fail() -> None:
        runs.append(1)
        raise ValueError("nobody thought of it")

    make(fail, 0.01).start()

    wait_until(lambda: len(runs) >= 2, PATIENCE, "it runs again")
    first = caplog.records[0]
    assert (first.levelno, first.message) == (logging.ERROR, "background task failed")
    assert (vars(first)["task"], first.exc_info is not None) == (NAME, True)


def test_closing_ends_the_thread_however_long_it_waits(make: Make, task: Task) -> None:
    periodic = make(task)
    periodic.start()

    periodic.close()

    assert running() == 0


def test_closing_ends_a_pause_of_the_task(make: Make) -> None:
    pauses = threading.Event()

    def pause() -> None:
        pauses.set()
        periodic.pause(LONG)

    periodic = make(pause)
    periodic.woken.set()
    periodic.start()
    assert pauses.wait(PATIENCE)

    periodic.close()

    assert (running(), periodic.is_closing) == (0, True)


def test_closing_waits_for_a_run_in_progress_though_not_for_ever(make: Make) -> None:
    may_end, is_running = threading.Event(), threading.Event()

    def hang() -> None:
        is_running.set()
        may_end.wait(PATIENCE)

    periodic = make(hang)
    periodic.woken.set()
    periodic.start()
    assert is_running.wait(PATIENCE)

    periodic.close(timeout=0.01)

    assert running() == 1
    may_end.set()
    periodic.close()
    assert running() == 0


def test_a_task_may_close_its_own_thread(make: Make) -> None:
    def close() -> None:
        periodic.close()

    periodic = make(close)
    periodic.woken.set()
    periodic.start()

    wait_until(lambda: not running(), PATIENCE, "it has ended")


def test_what_is_closed_does_not_start(make: Make, task: Task) -> None:
    periodic = make(task)
    periodic.close()

    periodic.start()

    assert (running(), task.runs) == (0, 0)
