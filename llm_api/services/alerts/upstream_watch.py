"""Notices what becomes of upstreams: circuits that open and close, refused keys and accounts.

It listens to the warnings that `upstream/resilience/endpoint_health.py` logs: operators read the
same there, and what is logged is paced and scrubbed already.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from llm_api.services.alerts.alert_service import Alert

LOGGER = "llm_api.upstream.resilience.endpoint_health"
# By the message of the log line.
_TYPES = {
    "circuit opened": "circuit.opened",
    "circuit closed": "circuit.closed",
    "upstream key refused": "upstream.key_refused",
    "upstream account refused": "upstream.account_refused",
}
# A circuit that opens for one of these says so of the account, too.
_TROUBLE = {
    "upstream_auth": "upstream.key_refused",
    "upstream_account": "upstream.account_refused",
}
_FIELDS = ("upstream", "model", "cause", "upstream_status", "upstream_said", "wait_s")
# Each worker has circuits of its own: what several of them notice at about the same time is one.
_CIRCUITS_AGAIN = timedelta(minutes=1)
_ACCOUNTS_AGAIN = timedelta(hours=1)


class UpstreamWatch(logging.Handler):
    """Makes alerts of log records."""

    def __init__(self, notice: Callable[[Alert], None]) -> None:
        """Give alerts to `notice`, which must not block: locks of circuits are held."""
        super().__init__(logging.WARNING)
        self._notice = notice

    def listen(self) -> None:
        """Listen from now on."""
        logging.getLogger(LOGGER).addHandler(self)

    def close(self) -> None:
        """Listen no longer."""
        logging.getLogger(LOGGER).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Notice what a record says, if it is of all callers."""
        said = vars(record)
        if said.get("scope") is None:
            for alert in _alerts(str(record.msg), said):
                self._notice(alert)


def _alerts(message: str, said: dict[str, Any]) -> Iterator[Alert]:
    found = [_TYPES[message]] if message in _TYPES else []
    trouble = _TROUBLE.get(str(said.get("cause")))
    if found and trouble is not None and trouble not in found:
        found.append(trouble)
    data = {name: said[name] for name in _FIELDS if said.get(name) is not None}
    for kind in found:
        if kind.startswith("circuit."):
            subject = f"{data.get('upstream')}\0{data.get('model')}"
            yield Alert(kind, subject, data, _CIRCUITS_AGAIN)
        else:
            yield Alert(kind, str(data.get("upstream")), data, _ACCOUNTS_AGAIN)
