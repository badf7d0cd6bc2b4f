"""What befalls the service: a worker is killed every two seconds, and the database goes away."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tests.support.servers import PostgresServer
from tests.support.service import Service

KILL_INTERVAL = 2.0


class Killer:
    """Kills a random worker at even intervals."""

    def __init__(self, service: Service, seed: str) -> None:
        """Kill nobody yet."""
        self._service = service
        self._chance = random.Random(f"{seed}-killer")  # noqa: S311  # a simulation
        self._is_over = threading.Event()
        self.killed: list[int] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Kill while the block runs."""
        with ThreadPoolExecutor(1) as pool:
            killing = pool.submit(self._kill_on)
            try:
                yield
            finally:
                self._is_over.set()
            killing.result()

    def _kill_on(self) -> None:
        while not self._is_over.wait(KILL_INTERVAL):
            worker = self._chance.choice(sorted(self._service.worker_pids()))
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(worker, signal.SIGKILL)
                self.killed.append(worker)


@contextmanager
def database_away(database: PostgresServer) -> Iterator[None]:
    """Stop the database, and start it again after the block."""
    database.stop()
    try:
        yield
    finally:
        database.start()
