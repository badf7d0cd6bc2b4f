"""Shows on a terminal that something goes on; elsewhere nothing is written."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

_FIRST_S = 1.0  # what is done sooner needs no progress
_EACH_S = 0.2
_SIGNS = "|/-\\"
_ERASE = "\r\x1b[K"


class Progress:
    """A line on standard error with the seconds gone by, which is erased at the end.

    A context manager. `label` may be changed meanwhile by `say`.
    """

    def __init__(self, label: str) -> None:
        """Show `label` from the second second on, where standard error is a terminal."""
        self._label = label
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Show it from now on."""
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Erase it."""
        self.end()

    def say(self, label: str) -> None:
        """Show another label."""
        self._label = label

    def end(self) -> None:
        """Erase the line, if there is one; what is written next begins at the left."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _show(self) -> None:
        began_at, count = time.monotonic(), 0
        if self._done.wait(_FIRST_S):
            return
        while True:
            seconds = time.monotonic() - began_at
            sign = _SIGNS[count % len(_SIGNS)]
            sys.stderr.write(f"{_ERASE}{sign} {self._label} {seconds:.0f} s")
            sys.stderr.flush()
            count += 1
            if self._done.wait(_EACH_S):
                break
        sys.stderr.write(_ERASE)
        sys.stderr.flush()
