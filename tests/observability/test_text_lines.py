"""Lines for a terminal: the outcome first, nothing that moves the cursor, and no secrets."""

import contextvars
import logging
import os
import pty
import subprocess
import sys

import pytest

from llm_api.observability.logging import JsonFormatter, logging_config
from llm_api.observability.text_lines import TextFormatter
from llm_api.settings.settings import PROJECT_ROOT
from tests.support.tables import each

GOOD = {
    "method": "POST",
    "route": "/v1/chat/completions",
    "status": 200,
    "address": "10.0.0.7",
    "key": "key_1",
    "model": "qwen-plus",
    "upstream": "fast",
    "attempts": 1,
    "prompt_tokens": 120,
    "completion_tokens": 45,
    "cost": {"CNY": 0.00123},
    "ms": 1240.4,
}
FAILED = {
    **GOOD,
    "status": 502,
    "attempts": 2,
    "reason": "upstream_auth",
    "causes": ["upstream_error", "upstream_auth"],
    "upstream_said": "Incorrect API key provided: […]",
    "ms": 88,
}
LOG_ONE_LINE = (
    "import logging; from llm_api.observability.logging import configure_logging;"
    "configure_logging(log_format={!r}); logging.getLogger('t').warning('seen')"
)


def line_of(*secrets: str, message: str = "request", **fields: object) -> str:
    """Render a record without colors and without its time."""
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "t", **fields})
    # Outside of any request, whichever test was run before.
    line = contextvars.Context().run(TextFormatter(secrets).format, record)
    return line.split(" ", 2)[2]


def test_a_request_opens_with_its_outcome() -> None:
    assert line_of(**GOOD) == (
        "INFO    200 POST /v1/chat/completions 1.24s qwen-plus@fast tokens=120+45"
        " cost=0.001230CNY key=key_1 address=10.0.0.7"
    )


def test_a_failed_request_says_why() -> None:
    line = line_of(**FAILED)

    assert line.startswith("INFO    502 POST /v1/chat/completions 88ms qwen-plus@fast")
    assert " attempts=2 " in line
    assert "reason=upstream_auth causes=upstream_error,upstream_auth" in line
    assert 'upstream_said="Incorrect API key provided: […]"' in line


def test_any_other_line_is_its_message_and_fields() -> None:
    line = line_of(message="circuit opened", upstream="fast", model=None, wait_s=30.5)

    assert line == "INFO    circuit opened upstream=fast wait_s=30.5"


def test_a_call_behind_a_request_names_its_route() -> None:
    line = line_of(message="call", route="/api/v1/images/generate", ms=9000, outcome="ok")

    assert line == "INFO    call /api/v1/images/generate 9.00s outcome=ok"


@each("evil", ["a\nb", "a\r\nb", "\x1b[31m", "\u2028", "\u202e", "\0", "\ud800"])
def test_what_callers_choose_cannot_move_the_cursor(evil: str) -> None:
    fields = {**GOOD, "model": evil, "requested_model": evil, "path": evil, "key": evil}

    for line in (line_of(**fields), line_of(message=evil, model=evil)):
        assert line.isprintable()


def test_a_traceback_follows_line_by_line() -> None:
    try:
        int("\x1b[31mno number")
    except ValueError:
        line = line_of(message="unexpected error", exc_info=sys.exc_info())

    first, *others = line.splitlines()
    assert first == "INFO    unexpected error"
    assert others[0] == "  Traceback (most recent call last):"
    assert "ValueError" in others[-1]
    assert "\x1b" not in line


def test_secrets_are_blanked_out() -> None:
    line = line_of("sk-1", message="key sk-1", url="http://h?key=sk-1", causes=["sk-1"])

    assert "sk-1" not in line
    assert line.count("[redacted]") == 3


def test_colors_are_around_words_and_not_in_them() -> None:
    record = logging.makeLogRecord({"msg": "request", "levelname": "WARNING", **FAILED})

    line = TextFormatter(has_colors=True).format(record)

    assert "\x1b[31m502\x1b[0m" in line
    assert "\x1b[33mWARNING\x1b[0m" in line


@pytest.mark.parametrize(
    ("log_format", "is_json"), [("json", True), ("auto", True), ("text", False)]
)
def test_the_setting_decides_where_nobody_watches(log_format: str, *, is_json: bool) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOG_ONE_LINE.format(log_format)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stderr.startswith('{"time"') is is_json
    assert "\x1b" not in run.stderr


def test_a_terminal_gets_text() -> None:
    ours, its = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", LOG_ONE_LINE.format("auto")],
            cwd=PROJECT_ROOT,
            stdin=its,
            stdout=its,
            stderr=its,
            check=True,
        )
        seen = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(its)

    assert "\x1b[33mWARNING\x1b[0m seen" in seen


def test_json_is_the_format_of_other_programs() -> None:
    assert logging_config()["formatters"]["line"]["()"] is JsonFormatter
