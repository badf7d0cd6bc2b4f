"""A picture that kills or stalls its reader costs itself only, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_api.pictures import wire
from llm_api.pictures.facts import PictureError, PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess, ProcessEnded
from tests.pictures import making
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

PICTURE = making.written(making.corners(), "PNG")


@dataclass
class Started:
    """Starts processes for a pool, and remembers them."""

    kind: type[PictureProcess] = PictureProcess
    all: list[PictureProcess] = field(default_factory=list)

    def __call__(self) -> PictureProcess:
        """Start one."""
        self.all.append(self.kind())
        return self.all[-1]


@pytest.fixture
def started() -> Started:
    return Started()


@pytest.fixture
def make(started: Started) -> Iterator[Callable[..., Pictures]]:
    """Return what makes an entry with limits of a test's own."""
    made: list[Pictures] = []

    def one(processes: int = 1, *, time_limit: float = 30, queue_limit: float = 30) -> Pictures:
        pool = ProcessPool(processes, time_limit=time_limit, queue_limit=queue_limit, start=started)
        made.append(Pictures(pool))
        return made[-1]

    yield one
    for pictures in made:
        pictures.close()


def wait_for(fact: Callable[[], object]) -> None:
    """Wait for a fact that comes about soon."""
    wait_until(fact, 20, "what was waited for did not happen")


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stopped(started: Started) -> PictureProcess:
    """Stop the last process from running, as a picture would that keeps it busy."""
    last = started.all[-1]
    os.kill(last.pid, signal.SIGSTOP)
    return last


def test_nothing_is_started_before_the_first_picture(
    make: Callable[..., Pictures], started: Started
) -> None:
    make().inspect(PICTURE)

    assert started.all == []


def test_one_process_serves_one_picture_after_the_other(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make(2)

    results = {pictures.convert(PICTURE, "jpeg") for _ in range(3)}

    assert (len(results), len(started.all)) == (1, 1)


def test_a_picture_that_takes_too_long_is_refused_and_its_process_ends(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make(time_limit=3)
    pictures.convert(PICTURE, "png")
    stopped(started)

    with pytest.raises(PictureError, match="takes more than 20 s to read"):
        pictures.convert(PICTURE, "png")

    wait_for(lambda: not is_running(started.all[-1].pid))


def test_a_process_that_is_busy_at_the_end_ends_behind_its_picture() -> None:
    answers = threading.Event()

    class Slow(PictureProcess):
        def ask(self, *request: Any) -> Any:
            is_asked.set()
            answers.wait(20)
            return super().ask(*request)

    is_asked, started = threading.Event(), Started(Slow)
    pool = ProcessPool(1, time_limit=30, queue_limit=30, start=started)
    caller = threading.Thread(target=Pictures(pool).convert, args=[PICTURE, "png"])
    caller.start()
    is_asked.wait(20)

    pool.close()
    answers.set()

    caller.join(20)
    wait_for(started.all[0].is_reaped)


def test_the_next_picture_is_read_by_another_process(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make()
    pictures.convert(PICTURE, "png")
    dying = stopped(started)
    killer = threading.Timer(0.2, os.kill, (dying.pid, signal.SIGKILL))
    killer.start()

    with pytest.raises(PictureError) as raised:
        pictures.prepare(
            PICTURE, field="mask", max_bytes=9999, max_pixels=9999, max_side=99, keeps_alpha=True
        )

    assert (raised.value.field, raised.value.defect) == ("mask", "too_costly")
    assert "has ended the program that reads" in raised.value.problem
    assert pictures.inspect(pictures.convert(PICTURE, "webp")).media_type == "image/webp"
    assert len(started.all) == 2


def test_a_process_that_died_between_two_pictures_costs_none(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make()
    pictures.convert(PICTURE, "png")
    os.kill(started.all[0].pid, signal.SIGKILL)
    wait_for(lambda: not is_running(started.all[0].pid))

    assert pictures.convert(PICTURE, "png")
    assert len(started.all) == 2


def test_a_picture_that_stalls_holds_up_no_other(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make(2, time_limit=60)
    pictures.convert(PICTURE, "png")
    slow = stopped(started)
    lost: list[Exception] = []
    thread = threading.Thread(target=_convert, args=(pictures, lost))
    thread.start()
    wait_for(lambda: not pictures._pool._idle)

    assert [len(pictures.convert(PICTURE, "jpeg")) > 0 for _ in range(3)] == [True] * 3
    assert len(started.all) == 2
    os.kill(slow.pid, signal.SIGKILL)
    thread.join()
    assert [type(error) for error in lost] == [PictureError]


def _convert(pictures: Pictures, lost: list[Exception]) -> None:
    try:
        pictures.convert(PICTURE, "png")
    except PictureError as error:
        lost.append(error)


def test_who_waits_too_long_for_a_turn_is_told_to_try_again(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make(1, queue_limit=0.1)
    pictures.convert(PICTURE, "png")
    busy = stopped(started)
    lost: list[Exception] = []
    thread = threading.Thread(target=_convert, args=(pictures, lost))
    thread.start()
    wait_for(lambda: not pictures._pool._idle)

    with pytest.raises(PicturesUnavailable, match="Too many pictures wait"):
        pictures.convert(PICTURE, "png")

    os.kill(busy.pid, signal.SIGKILL)
    thread.join()


def test_a_process_that_cannot_start_is_no_fault_of_the_picture() -> None:
    def fail() -> PictureProcess:
        raise OSError(24, "Too many open files")

    pictures = Pictures(ProcessPool(1, time_limit=1, queue_limit=1, start=fail))

    with pytest.raises(PicturesUnavailable, match="cannot start"):
        pictures.convert(PICTURE, "png")


def test_a_picture_that_takes_too_much_memory_is_refused_by_the_same_process(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make()

    with pytest.raises(PictureError) as raised:
        pictures.convert(making.bitmap_png(16_384, 16_384), "jpeg")

    assert raised.value.problem == (
        "takes more memory than there is for one picture. Send a smaller one."
    )
    assert pictures.convert(PICTURE, "png")
    assert len(started.all) == 1


def test_a_process_has_nothing_of_its_worker(
    make: Callable[..., Pictures], started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAST_LLM_API_KEY", "sk-secret")
    readable, writable = os.pipe()
    os.set_inheritable(readable, True)  # noqa: FBT003  # the library's
    make().convert(PICTURE, "png")

    process_folder = Path(f"/proc/{started.all[0].pid}")
    assert {one.name for one in (process_folder / "fd").iterdir()} == {"0", "1", "2"}
    assert b"secret" not in (process_folder / "environ").read_bytes()
    os.close(readable)
    os.close(writable)


def test_a_process_has_limits(make: Callable[..., Pictures], started: Started) -> None:
    make().convert(PICTURE, "png")

    limits = Path(f"/proc/{started.all[0].pid}/limits").read_text().splitlines()
    found = {line[:25].strip(): line[25:].split()[:2] for line in limits}
    assert found["Max address space"] == ["1073741824", "1073741824"]
    assert found["Max open files"] == ["3", "3"]
    assert found["Max file size"] == ["0", "0"]


def test_a_process_runs_behind_its_worker(make: Callable[..., Pictures], started: Started) -> None:
    """Where there are fewer processors than work, chat does not wait for pictures."""
    make().convert(PICTURE, "png")

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, started.all[0].pid) == min(own + 10, 19)


def test_a_process_ends_when_its_entry_is_closed(
    make: Callable[..., Pictures], started: Started
) -> None:
    pictures = make()
    pictures.convert(PICTURE, "png")

    pictures.close()

    assert not Path(f"/proc/{started.all[0].pid}").exists()


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_process_ends_with_a_worker_that_was_killed(*, is_stopped: bool) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.pictures.worker", "stopped" if is_stopped else "idle"],
        cwd=REPOSITORY_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    assert is_running(pid)

    worker.kill()
    worker.wait()
    worker.stdout.close()
    if is_stopped:
        os.kill(pid, signal.SIGCONT)

    wait_for(lambda: not is_running(pid))


def test_a_process_whose_worker_is_gone_ends_in_the_middle_of_its_work() -> None:
    """It does not read meanwhile; so an alarm ends it, a second after it began in this test."""
    ellipse = {"kind": "ellipse", "place": [0, 0, 4000, 4000], "fill": "#ff0000"}
    items = [{**ellipse, "outline": None, "line": 1}] * 20_000
    drawing = {"width": 4000, "height": 4000, "background": "#ffffff", "items": items}
    alone = PictureProcess()

    with pytest.raises(ProcessEnded):
        alone.ask({"do": "draw", **drawing, "seconds": -4}, b"", 100)

    wait_for(lambda: not is_running(alone.pid))
    alone.end()
    assert alone.is_reaped()


def test_an_answer_that_is_none_ends_its_process(
    make: Callable[..., Pictures], started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = make()
    pictures.convert(PICTURE, "png")
    monkeypatch.setattr(wire, "MAX_BODY_BYTES", 10)

    with pytest.raises(PictureError, match="has ended the program"):
        pictures.convert(PICTURE, "png")

    wait_for(lambda: not is_running(started.all[0].pid))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_head_that_is_no_object_is_no_head(text: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.head_of(text)
