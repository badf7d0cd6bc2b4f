"""Sends alerts to the addresses of operators, each once over all workers.

An alert is a webhook: a task of its own, signed and repeated as those of jobs are
(`services/tasks/webhooks.py`). Its id is a digest of what it is about, so that of all workers that
notice the same only one can store it.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import LRUCache

from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.storage import StoreError

logger = logging.getLogger(__name__)

_INTERVAL_S = 5.0
_MAX_WAITING = 1_000  # alerts that wait for the database
_MAX_KNOWN = 10_000  # ids of alerts that are stored


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that operators want to be told of.

    Attributes:
        type: such as `circuit.opened`.
        subject: what it is about: of the same type and subject one alert is sent.
        data: JSON, without secrets and prompts.
        again_after: another one is sent after it, or after twice the time; None: never.
        until: for so long it is remembered that it was sent; None: for two days.
    """

    type: str
    subject: str
    data: Mapping[str, Any]
    again_after: timedelta | None = None
    until: datetime | None = None


class AlertService:
    """Takes alerts from everywhere, and stores them as webhooks from a thread of its own."""

    def __init__(
        self,
        urls: Sequence[str],
        webhooks: Webhooks,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        interval: float = _INTERVAL_S,
    ) -> None:
        """Send to `urls`, by `webhooks`; `now` is the time in UTC.

        `interval` is how many seconds pass between two looks at what was noticed.
        """
        self._urls = urls
        self._webhooks = webhooks
        self._now = now
        self._waiting: deque[Alert] = deque(maxlen=_MAX_WAITING)
        self._stored: LRUCache[str, bool] = LRUCache(_MAX_KNOWN)
        self._looks: list[Callable[[], None]] = []
        self._closers: list[Callable[[], None]] = []
        self._thread = PeriodicThread("alerts", interval, self.work)

    def look_by(self, look: Callable[[], None]) -> None:
        """Have something looked for at every interval; `look` may raise StoreError."""
        self._looks.append(look)

    def close_with(self, close: Callable[[], None]) -> None:
        """Have something closed with it."""
        self._closers.append(close)

    def notice(self, alert: Alert) -> None:
        """Queue an alert, which is sent soon; it blocks nobody."""
        self._waiting.append(alert)
        self.start()

    def start(self) -> None:
        """Look at the interval from now on, if there is anybody to tell.

        The thread must belong to the worker.
        """
        if self._urls and not self._thread.is_started:
            self._thread.start()

    def work(self) -> None:
        """Store what was noticed; what the database does not take now waits for the next time."""
        try:
            for look in self._looks:
                look()
            while self._waiting:
                self.send(self._waiting[0])
                self._waiting.popleft()
        except StoreError as error:
            logger.warning("alerts wait for the database", extra={"cause": str(error)})

    def send(self, alert: Alert) -> None:
        """Store an alert for each address, unless it was; raises StoreError."""
        now = self._now()
        for url in self._urls:
            ids = _ids(alert, url, now)
            if any(one in self._stored for one in ids):
                continue
            message = {"type": alert.type, "timestamp": now.isoformat(), "data": alert.data}
            if not any(map(self._webhooks.has, ids)):
                self._webhooks.write(ids[0], url, message, until=alert.until)
            self._stored[ids[0]] = True

    def close(self) -> None:
        """End the thread; what waits is stored by the next worker that notices it."""
        for close in self._closers:
            close()
        self._thread.close()


def _ids(alert: Alert, url: str, now: datetime) -> list[str]:
    """Return the id of an alert, and that of the one before, which would be too early for it."""
    if alert.again_after is None:
        return [_id(alert, url, "")]
    number = int(now.timestamp() // alert.again_after.total_seconds())
    return [_id(alert, url, str(number)), _id(alert, url, str(number - 1))]


def _id(alert: Alert, url: str, number: str) -> str:
    text = f"{alert.type}\0{alert.subject}\0{url}\0{number}"
    return f"alert_{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
