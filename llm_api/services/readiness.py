"""Says whether everything that a call needs is there."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from llm_api.domain.calls import never

_GOOD_KEPT_S = 5.0
_BAD_KEPT_S = 1.0
_DEAR_KEPT_S = 60.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of each part, a word each; `is_ready` if all of them are `ok`.

    Those that are `beside` count for nothing: most calls do without them.
    """

    checks: dict[str, str] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether calls can be answered."""
        return all(state == "ok" for name, state in self.checks.items() if name not in self.beside)


class Seldom:
    """Asks a part that is dear to ask once a minute, or sooner where something was wrong."""

    def __init__(self, ask: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        """Ask nothing yet."""
        self._ask, self._clock = ask, clock
        self._last, self._asked_at = "", float("-inf")

    def __call__(self) -> str:
        """Return the state of the part."""
        kept_s = _DEAR_KEPT_S if self._last == "ok" else _GOOD_KEPT_S
        if self._clock() - self._asked_at >= kept_s:
            self._last, self._asked_at = self._ask(), self._clock()
        return self._last


class ReadinessService:
    """Asks every part; an answer is kept for a while, so that probes cannot load the upstream."""

    def __init__(
        self,
        checks: dict[str, Callable[[], str]],
        clock: Callable[[], float] = time.monotonic,
        is_ending: Callable[[], bool] = never,
        beside: Collection[str] = (),
    ) -> None:
        """Check the parts with one function each, which returns `ok`, `starting` or what is wrong.

        `is_ending` says whether the process is shutting down; then nothing else is checked. The
        parts that are named in `beside` are shown, and a process is ready without them.
        """
        self._beside = frozenset(beside)
        self._checks = checks
        self._clock = clock
        self._is_ending = is_ending
        self._lock = threading.Lock()
        self._last = Readiness(dict.fromkeys(checks, "starting"))
        self._asked_at = float("-inf")

    def check(self) -> Readiness:
        """Return the state now, or that of at most 5 s ago (1 s where something was wrong)."""
        if self._is_ending():
            return Readiness({"process": "shutting down"})
        with self._lock:
            kept_s = _GOOD_KEPT_S if self._last.is_ready else _BAD_KEPT_S
            if self._clock() - self._asked_at < kept_s:
                return self._last
            states = {name: ask() for name, ask in self._checks.items()}
            self._last = Readiness(states, self._beside)
            self._asked_at = self._clock()
            return self._last

    def report(self, name: str) -> threading.Thread:
        """Ask one part in the background, and log what is wrong with it; return the thread.

        For the start of a process, which waits for nothing.
        """
        thread = threading.Thread(target=self._report, args=[name], daemon=True)
        thread.start()
        return thread

    def _report(self, name: str) -> None:
        if (state := self._checks[name]()) != "ok":
            logger.error("the service is not ready: %s", state, extra={"part": name})
