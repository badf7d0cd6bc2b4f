"""Request ids and structured logs: one JSON object a line on standard error.

A log line is a fixed message plus fields (`logger.info("call ended", extra={"status": 200})`). It
never holds a prompt, an answer or an image, and configured secrets are blanked out of every line.
"""

import logging
import logging.config
import secrets
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What logging itself puts on a record; anything else came in through `extra`.
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def new_request_id() -> str:
    """Make a request id, remember it for the log lines of this request, and return it."""
    request_id = "req_" + secrets.token_hex(12)
    _request_id.set(request_id)
    return request_id


def current_request_id() -> str | None:
    """Return the id of the request that is being answered, if one is."""
    return _request_id.get()


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON, without the given secrets."""

    def __init__(self, secret_values: Iterable[str] = ()) -> None:
        """Take the secrets to blank out, such as upstream keys."""
        super().__init__()
        self._secrets = [value for value in secret_values if value]

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; values that JSON lacks are written as text."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := _request_id.get()) is not None:
            line["request_id"] = request_id
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # OPT_NON_STR_KEYS: a field's value may be a dict that a library made.
        text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


def logging_config(secret_values: Sequence[str] = ()) -> dict[str, Any]:
    """Return the dictionary for `logging.config`; gunicorn's own lines go the same way."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, "secret_values": list(secret_values)}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            # One line a request is ours (web/hooks.py); gunicorn must not add another.
            "gunicorn.access": {"level": "CRITICAL", "propagate": True},
            "gunicorn.error": {"level": "INFO", "propagate": True},
            "urllib3": {"level": "ERROR", "propagate": True},
            # It announces every use of the database at INFO.
            "alembic": {"level": "WARNING", "propagate": True},
        },
    }


def configure_logging(secret_values: Sequence[str] = ()) -> None:
    """Send log lines to standard error as JSON, unless that is set up already."""
    if not any(isinstance(h.formatter, JsonFormatter) for h in logging.root.handlers):
        logging.config.dictConfig(logging_config(secret_values))
