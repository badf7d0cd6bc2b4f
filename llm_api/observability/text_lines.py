"""Log lines for people who watch a terminal: what happened first, then the rest as name=value.

A line of a request opens with its outcome, so that a column of them can be read downwards:

    2026-11-30 03:12:31 INFO  200 POST /v1/chat/completions 1.24s qwen-plus@fast tokens=120+45 ...
"""

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from llm_api.domain.safe_text import made_printable
from llm_api.observability.logging import LineFormatter

# https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ 8.3.117
_RED, _YELLOW, _GREEN, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[0m"
_LEVEL_COLORS = {"WARNING": _YELLOW, "ERROR": _RED, "CRITICAL": _RED}
_STATUS_COLORS = {"2": _GREEN, "4": _YELLOW, "5": _RED}
# Those a request line opens with, and those that close a line, dimmed.
_OPENING = frozenset(["status", "method", "route", "path", "ms", "model", "upstream"])
_CLOSING = ("key", "address", "request_id", "call_id")
_TOKENS = frozenset(["prompt_tokens", "completion_tokens"])
_BARE = re.compile(r"[^\s\"'=\\]+")


class TextFormatter(LineFormatter):
    """Renders a record as a line of text, colored where that is wanted."""

    def __init__(self, secret_values: Iterable[str] = (), *, has_colors: bool = False) -> None:
        """Redact these secrets."""
        super().__init__(secret_values)
        self._has_colors = has_colors

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it on lines of its own."""
        fields: dict[str, Any] = self.redacted(self.fields_of(record))
        message = made_printable(self.redacted(record.getMessage()))
        is_request = message == "request" and "method" in fields
        told = self._request(fields) if is_request else self._call(fields, message)
        closing = [_pair(name, fields[name]) for name in _CLOSING if fields.get(name) is not None]
        # In the time of the place: whoever sits at a terminal compares with a clock on the wall.
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        level = self._colored(f"{record.levelname:<7}", _LEVEL_COLORS.get(record.levelname, ""))
        parts = [self._colored(time, _DIM), level, *told, self._colored(" ".join(closing), _DIM)]
        line = " ".join(filter(None, parts))
        if record.exc_info:
            trace = self.redacted(self.formatException(record.exc_info))
            line = "\n  ".join([line, *map(made_printable, trace.splitlines())])
        return line

    def _request(self, fields: Mapping[str, Any]) -> list[str]:
        status = str(fields["status"])
        shown = fields.get("path") or fields.get("route") or "?"
        return [
            self._colored(status, _STATUS_COLORS.get(status[:1], "")),
            made_printable(f"{fields['method']} {shown}"),
            _duration(fields["ms"]),
            *_model(fields),
            *self._others(fields, _OPENING),
        ]

    def _call(self, fields: Mapping[str, Any], message: str) -> list[str]:
        if message != "call":
            return [message, *self._others(fields, frozenset())]
        opening = [message, str(fields.get("route")), _duration(fields["ms"]), *_model(fields)]
        return [*map(made_printable, opening), *self._others(fields, _OPENING)]

    def _others(self, fields: Mapping[str, Any], opening: frozenset[str]) -> list[str]:
        """Write the other fields; the cause of a failure stands out."""
        shown = _merged(fields)
        written = {*opening, *_CLOSING}
        return [
            self._colored(_pair(name, value), _RED if name == "reason" else "")
            for name, value in shown.items()
            if name not in written and value is not None
        ]

    def _colored(self, text: str, color: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._has_colors and color and text else text


def _model(fields: Mapping[str, Any]) -> list[str]:
    model, upstream = fields.get("model"), fields.get("upstream")
    return [made_printable(f"{model}@{upstream}")] if model and upstream else []


def _merged(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Write tokens and money as people do, and leave a single attempt unsaid."""
    tokens = fields.get("prompt_tokens"), fields.get("completion_tokens")
    rest: dict[str, Any] = {}
    if tokens != (None, None):
        rest["tokens"] = "+".join("?" if count is None else str(count) for count in tokens)
    rest |= {name: value for name, value in fields.items() if name not in _TOKENS}
    if isinstance(cost := rest.get("cost"), dict):
        rest["cost"] = ",".join(f"{amount:.6f}{currency}" for currency, amount in cost.items())
    if isinstance(causes := rest.get("causes"), list):
        rest["causes"] = ",".join(map(str, causes))
    if rest.get("attempts") == 1:
        del rest["attempts"]
    return rest


def _pair(name: str, value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = made_printable(text)
    if isinstance(value, str) and not _BARE.fullmatch(text):
        text = orjson.dumps(text).decode()
    return f"{name}={text}"


def _duration(ms: float) -> str:
    return f"{ms:.0f}ms" if ms < 1000 else f"{ms / 1000:.2f}s"
