"""gunicorn's gevent worker and logger, each with one thing put right."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker


class NoAccessLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """A logger without an access log: the application writes a line for each request itself.

    With `logconfig_dict` set, gunicorn makes up every access line (0.04 ms), wanted or not.
    """

    def access(self, *_: Any) -> None:
        """Write nothing."""


class DrainingGeventWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A gevent worker that ends as soon as its calls have ended.

    gunicorn 27 waits for every connection, those that are only kept alive included: SIGTERM would
    take all of `graceful_timeout` whenever a client keeps one open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take gunicorn's arguments."""
        super().__init__(*args, **kwargs)
        self._idle: dict[gevent.Timeout, gevent.Greenlet] = {}

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the wait for a connection's next request; gunicorn calls it around that wait."""
        timeout = gevent.Timeout(self.cfg.keepalive, False)  # noqa: FBT003  # gevent's signature
        self._idle[timeout] = gevent.getcurrent()
        try:
            with timeout:
                yield
        finally:
            del self._idle[timeout]

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to end, on SIGTERM."""
        super().handle_exit(sig, frame)
        for timeout in self._idle:
            gevent.get_hub().loop.run_callback(self._end_wait, timeout)

    def _end_wait(self, timeout: gevent.Timeout) -> None:
        # It may have got a request since. If not, its own time-out ends the wait.
        if timeout in self._idle:
            self._idle[timeout].throw(timeout)
