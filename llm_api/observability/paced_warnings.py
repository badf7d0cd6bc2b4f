"""Warnings of an outage, as many as somebody can read.

When an upstream fails, so may hundreds of calls a second, for thousands of models and callers. Of
each kind of warning a few are written in a minute; the next one says how many were not.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

AT_MOST = 5
INTERVAL_S = 60.0


@dataclass(slots=True)
class _Minute:
    """What was written of one kind of warning since a time."""

    began_at: float
    written: int = 0
    unwritten: int = 0


class PacedWarnings:
    """Writes warnings to a logger, of each kind at most `AT_MOST` in `INTERVAL_S`.

    A kind is a message, its cause and its scope: circuits of single callers, of which an outage
    opens many, must not keep it unsaid that the circuit of all has opened.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """Write nothing yet; `clock` returns seconds that never go back."""
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, object, object], _Minute] = {}  # causes are words of ours

    def warn(self, message: str, about: Mapping[str, object]) -> None:
        """Write a warning with its fields, or count it; `about` has `cause` and `scope`, if any.

        `unwritten` says how many of its kind were only counted since the last that was written.
        """
        kind = message, about.get("cause"), about.get("scope")
        with self._lock:
            now = self._clock()
            minute = self._minutes.get(kind)
            if minute is None or now - minute.began_at >= INTERVAL_S:
                unwritten = 0 if minute is None else minute.unwritten
                minute = self._minutes[kind] = _Minute(now, unwritten=unwritten)
            if minute.written >= AT_MOST:
                minute.unwritten += 1
                return
            minute.written += 1
            unwritten, minute.unwritten = minute.unwritten, 0
        self._logger.warning(
            message, extra={**about, "unwritten": unwritten} if unwritten else dict(about)
        )
