"""A program that plays a worker: it has a picture read, prints the process's id, and waits."""

import os
import signal
import sys
import time

from llm_api.pictures.pictures import Pictures
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess
from tests.pictures import making


def main() -> None:
    """Print the id and wait to be killed."""
    started: list[PictureProcess] = []

    def start() -> PictureProcess:
        started.append(PictureProcess())
        return started[-1]

    pictures = Pictures(ProcessPool(1, time_limit=60, queue_limit=1, start=start))
    pictures.convert(making.written(making.corners(), "PNG"), "jpeg")
    if sys.argv[1] == "stopped":
        os.kill(started[0].pid, signal.SIGSTOP)
    print(started[0].pid, flush=True)  # noqa: T201  # a program that prints
    time.sleep(60)


if __name__ == "__main__":
    main()
