"""A process under gevent that reads pictures: `python -m tests.pictures.beside_pictures`.

It prints one JSON object with what came of each use.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402  # gevent comes first
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from llm_api.pictures.facts import PictureError  # noqa: E402
from llm_api.pictures.pictures import Pictures  # noqa: E402
from llm_api.pictures.pool import ProcessPool  # noqa: E402
from llm_api.pictures.process import PictureProcess  # noqa: E402
from tests.pictures import making  # noqa: E402

SMALL = making.written(making.corners(), "PNG")
LARGE = making.written(making.noise((1500, 1500)), "PNG")
STARTED: list[PictureProcess] = []


def start() -> PictureProcess:
    """Start a process, and remember it."""
    STARTED.append(PictureProcess())
    return STARTED[-1]


def entry(processes: int) -> Pictures:
    """Return an entry with so many processes."""
    return Pictures(ProcessPool(processes, time_limit=60, queue_limit=60, start=start))


def turns_of_others() -> bool:
    """Whether a greenlet has turns while a picture waits for its process, which is stopped."""
    pictures = entry(1)
    pictures.convert(SMALL, "png")
    os.kill(STARTED[-1].pid, signal.SIGSTOP)
    waiting = gevent.spawn(pictures.convert, LARGE, "jpeg")
    turns = 0
    for _ in range(20):
        gevent.sleep(0.01)
        turns += not waiting.ready()
    os.kill(STARTED[-1].pid, signal.SIGCONT)
    answer = waiting.get(timeout=60)
    pictures.close()
    return turns == 20 and len(answer) > 0


def many_at_once() -> list[int]:
    """Convert twelve pictures at once; returns how many differ, and the number of processes."""
    pictures = entry(2)
    before = len(STARTED)
    calls = [gevent.spawn(pictures.convert, LARGE, "jpeg", quality) for quality in range(40, 52)]
    sizes = {len(call.get(timeout=60)) for call in calls}
    pictures.close()
    return [len(sizes), len(STARTED) - before]


def given_up() -> list[object]:
    """Give a call up from outside, and convert another picture."""
    pictures = entry(1)
    pictures.convert(SMALL, "png")
    os.kill(STARTED[-1].pid, signal.SIGSTOP)
    outcome: object = None
    try:
        with gevent.Timeout(0.1):
            pictures.convert(SMALL, "png")
    except gevent.Timeout as error:
        outcome = type(error).__name__
    kept = pictures.inspect(pictures.convert(SMALL, "webp")).media_type
    pictures.close()
    return [outcome, kept]


def killed() -> list[object]:
    """Kill the process in the middle of a picture, and convert the next."""
    pictures = entry(1)
    pictures.convert(SMALL, "png")
    os.kill(STARTED[-1].pid, signal.SIGSTOP)
    waiting = gevent.spawn(pictures.convert, LARGE, "jpeg")
    gevent.sleep(0.05)
    os.kill(STARTED[-1].pid, signal.SIGKILL)
    outcome: object = None
    try:
        waiting.get(timeout=60)
    except PictureError as error:
        outcome = error.defect
    kept = pictures.inspect(pictures.convert(SMALL, "webp")).media_type
    pictures.close()
    return [outcome, kept]


def main() -> None:
    """Do all of it."""
    # Processes are killed on purpose, which is logged, and gevent prints what a greenlet raises.
    logging.disable()
    gevent.get_hub().exception_stream = None
    found = {
        "turns": turns_of_others(),
        "many": many_at_once(),
        "given up": given_up(),
        "killed": killed(),
        "left": [one.pid for one in STARTED if Path(f"/proc/{one.pid}").exists()],
    }
    print(json.dumps(found))  # noqa: T201  # a program that prints


if __name__ == "__main__":
    main()
