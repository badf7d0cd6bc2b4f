"""The end of a worker, without a service: tests/life has the rest."""

import signal
from types import SimpleNamespace

from llm_api.runtime.drain import Drain
from llm_api.server.gunicorn_worker import DrainingGeventWorker


def test_a_worker_that_ends_is_not_killed_by_what_tells_it_to_retire() -> None:
    before = signal.getsignal(DrainingGeventWorker.RETIRES_ON)
    worker = DrainingGeventWorker.__new__(DrainingGeventWorker)
    worker.sockets, worker.alive = [], True
    worker.cfg = SimpleNamespace(workers=2)
    worker.drain = Drain(1)
    worker._ends_at, worker._connections = float("inf"), {}
    signal.signal(worker.RETIRES_ON, worker._retire)
    try:
        worker._retire()
        worker.run()
        handler = signal.getsignal(worker.RETIRES_ON)
    finally:
        signal.signal(worker.RETIRES_ON, before)

    # Python gives any other handler back the default when it ends.
    assert handler is signal.SIG_IGN
