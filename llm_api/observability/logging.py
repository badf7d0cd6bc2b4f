"""Request ids and structured logs: a line of JSON each on standard error, or of text for people.

A log line is a fixed message plus fields (`logger.info("call ended", extra={"status": 200})`). It
never contains a prompt, a completion or an image; configured secrets and API keys are redacted.
"""

import json
import logging
import logging.config
import os
import random
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import is_dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from llm_api.domain.key_format import PREFIX, without_keys

STDERR = 2
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What logging itself puts on a record; anything else came in through `extra`.
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def new_request_id() -> str:
    """Make a request id, set it for the log lines of this request, and return it."""
    # Unique, and no secret, so that nothing may rely on it: `secrets` asks the kernel for each.
    request_id = f"req_{random.getrandbits(96):024x}"
    _request_id.set(request_id)
    return request_id


def log_as(request_id: str) -> None:
    """Set the id of the log lines that this thread writes: work that goes on behind a request."""
    _request_id.set(request_id or None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered, if one is."""
    return _request_id.get()


class LineFormatter(logging.Formatter):
    """Renders a record as one line, without the given secrets."""

    def __init__(self, secret_values: Iterable[str] = ()) -> None:
        """Redact these secrets, such as upstream keys, besides anything that looks like a key."""
        super().__init__()
        self._secrets: set[str] = set()
        self._marks: set[str] = {PREFIX}  # a line without any of them has no secret
        self.add_secrets(secret_values)

    def add_secrets(self, secret_values: Iterable[str]) -> None:
        """Redact these too."""
        for value in filter(None, secret_values):
            self._secrets.add(value)
            self._marks |= {value, orjson.dumps(value)[1:-1].decode()}

    def fields_of(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what a record says by name, the request first; secrets are still in it."""
        said = {n: value for n, value in vars(record).items() if n not in _STANDARD_FIELDS}
        request_id = _request_id.get()
        return said if request_id is None else {"request_id": request_id, **said}

    def redacted(self, value: Any) -> Any:
        """Redact the secrets in a value and in everything inside it."""
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "[redacted]")
            return without_keys(value) if PREFIX in value else value
        if isinstance(value, dict):
            return {str(key): self.redacted(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.redacted(inner) for inner in value]
        return value if _is_plain(value) else self.redacted(str(value))


class JsonFormatter(LineFormatter):
    """Renders a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; values that JSON lacks are written as text."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # To look through the line once takes a third of looking through each of its values.
        text = _quick_json(line)
        if text is not None and not any(mark in text for mark in self._marks):
            return text
        written = ("time", "level", "logger")  # by us: a secret can be as short as a part of them
        return _json({n: v if n in written else self.redacted(v) for n, v in line.items()})


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float) or is_dataclass(value)


def _quick_json(line: dict[str, Any]) -> str | None:
    """Return JSON, or None where a value of the line is none."""
    try:
        return orjson.dumps(line).decode()
    except TypeError:
        return None


def _json(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:  # an integer over 64 bits, or half a character: Python's own can write both
        text = json.dumps(line, default=str, ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()


def logging_config(secret_values: Sequence[str] = (), log_format: str = "json") -> dict[str, Any]:
    """Return the dictionary for `logging.config`, for the application and for gunicorn.

    Args:
        secret_values: what is redacted in every line.
        log_format: `json`, `text`, or `auto` for colored text where standard error is a terminal,
            and JSON elsewhere.
    """
    formatter: dict[str, Any] = {"()": JsonFormatter}
    is_terminal = log_format == "auto" and os.isatty(STDERR)
    if is_terminal or log_format == "text":
        formatter = {"()": f"{__package__}.text_lines.TextFormatter", "has_colors": is_terminal}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {**formatter, "secret_values": list(secret_values)}},
        "handlers": {
            "stderr": {
                "class": "llm_api.observability.log_queue.QueueHandler",
                "formatter": "line",
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            # One line a request is ours (web/lifecycle.py); gunicorn must not add another.
            "gunicorn.access": {"level": "CRITICAL", "propagate": True},
            "gunicorn.error": {"level": "INFO", "propagate": True},
            "urllib3": {"level": "ERROR", "propagate": True},
            # Its warnings of rejected batches contain the database's host, name and user.
            "psycopg": {"level": "ERROR", "propagate": True},
            # SQLAlchemy logs lost connections of our pools under their module's name, at INFO, with
            # the server's name.
            "llm_api.storage.sql.pool": {"level": "WARNING", "propagate": True},
            # It logs every use of the database at INFO.
            "alembic": {"level": "WARNING", "propagate": True},
        },
    }


def configure_logging(secret_values: Sequence[str] = (), log_format: str = "json") -> None:
    """Log to standard error; where that is set up already, only add the secrets.

    The arguments are those of `logging_config`.
    """
    # No line says where in the code or in which thread it was written; 6 µs of CPU a line. As in
    # https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    formatters = [h.formatter for h in logging.root.handlers]
    known = [formatter for formatter in formatters if isinstance(formatter, LineFormatter)]
    for formatter in known:
        formatter.add_secrets(secret_values)
    if not known:
        logging.config.dictConfig(logging_config(secret_values, log_format))
