"""gunicorn's settings of a project, with a sampler of the worker's main thread.

`BENCH_CONF` is the project's own gunicorn.conf.py, `BENCH_SAMPLES` the file that the samples are
written to when the worker ends: CPU seconds by stack of files, and those of all other threads.
"""

import collections
import json
import os
import pathlib
import runpy
import signal
import time
from types import FrameType
from typing import Any

INTERVAL_S = 0.001
DEPTH = 60
OWN = runpy.run_path(os.environ["BENCH_CONF"])
globals().update({name: value for name, value in OWN.items() if not name.startswith("__")})


class Sampler:
    """Adds up the CPU time between two signals for the stack that the second one interrupts."""

    def __init__(self) -> None:
        """Sample nothing yet."""
        self.stacks: collections.Counter[str] = collections.Counter()
        self.other_threads = 0.0
        self._main = self._process = 0.0

    def start(self, *_: object) -> None:
        """Sample from now on."""
        self._main, self._process = time.thread_time(), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def sample(self, _: int, frame: FrameType | None) -> None:
        """Take a sample."""
        main, process = time.thread_time(), time.process_time()
        files: list[str] = []
        while frame is not None and len(files) < DEPTH:
            files.append(frame.f_code.co_filename)
            frame = frame.f_back
        spent = main - self._main
        self.stacks["\n".join(files)] += spent  # type: ignore[assignment]  # seconds, not counts
        self.other_threads += process - self._process - spent
        self._main, self._process = main, process

    def write(self, file: pathlib.Path) -> None:
        """End sampling, and write the sums."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_text(json.dumps({"stacks": self.stacks, "other_threads": self.other_threads}))


sampler = Sampler()


def post_worker_init(worker: Any) -> None:
    """Start sampling on SIGUSR2: what went before is no part of it."""
    OWN["post_worker_init"](worker)
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.signal(signal.SIGUSR2, sampler.start)


def worker_exit(server: Any, worker: Any) -> None:
    """Write the samples."""
    sampler.write(pathlib.Path(os.environ["BENCH_SAMPLES"]))
    OWN["worker_exit"](server, worker)
