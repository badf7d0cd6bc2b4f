"""Logs are one JSON object a line, name their request, and hold neither secrets nor prompts."""

import contextlib
import contextvars
import logging
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from llm_api.observability.logging import JsonFormatter, current_request_id, new_request_id
from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CANARY = "canary-5f0c2a"
CHAT = "/api/v1/llm/chat"
OPTIMIZE = "/api/v1/llm/optimize-prompt"
COMPLETIONS = "/v1/chat/completions"


def line_of(*secrets: str, message: str = "done", **fields: object) -> str:
    """Render one record."""
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "t", **fields})
    return JsonFormatter(secrets).format(record)


def logged(**fields: object) -> dict[str, Any]:
    """Render one record without secrets and read it back."""
    entry: dict[str, Any] = orjson.loads(line_of(**fields))
    return entry


@pytest.fixture
def service(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Service]:
    """Run the service from a copy, so that its spool is below the test's folder."""
    with own_service(tmp_path, fast_upstream(upstream.url)) as running:
        yield running


def post(service: Service, path: str, body: object) -> requests.Response:
    """Post JSON."""
    with requests.Session() as session:
        return session.post(service.url + path, json=body, timeout=10)


def lines_of(service: Service, route: str) -> list[dict[str, Any]]:
    """Read the log lines of a route's requests."""
    return [one for one in service.log_records() if one.get("route") == route]


def said(text: str, **fields: object) -> dict[str, object]:
    """Make the body of a chat call."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def test_a_record_is_an_object_with_its_fields() -> None:
    entry = logged(message="call ended", status=200)

    assert (entry["message"], entry["status"]) == ("call ended", 200)
    assert (entry["level"], entry["logger"]) == ("INFO", "t")
    assert entry["time"].endswith("+00:00")


@pytest.mark.parametrize("evil", ["a\nb", "a\r\nb", "\x1b[31m", "\u2028", "\u0085", "\0"])
def test_a_line_break_in_a_field_stays_within_the_line(evil: str) -> None:
    line = line_of(message=f"m{evil}m", model=evil)

    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line
    assert orjson.loads(line)["model"] == evil


def test_a_traceback_stays_within_the_line() -> None:
    try:
        int("no number")
    except ValueError:
        line = line_of(exc_info=sys.exc_info())

    assert "\n" not in line
    assert "ValueError" in orjson.loads(line)["exception"]


@pytest.mark.parametrize("value", [{1, 2}, {1: "a"}, b"bytes", 2**70, float("nan"), object()])
def test_a_value_that_json_lacks_is_written_as_text(value: object) -> None:
    entry = logged(value=value)

    assert "value" in entry


def test_a_lone_surrogate_does_not_lose_the_line() -> None:
    entry = logged(message="done", model="\ud800")

    assert entry["message"] == "done"


def test_a_line_names_its_request() -> None:
    def in_a_request() -> tuple[str, dict[str, Any]]:
        return new_request_id(), logged()

    request_id, entry = contextvars.copy_context().run(in_a_request)

    assert entry["request_id"] == request_id
    assert request_id.startswith("req_")


def test_a_line_outside_a_request_names_none() -> None:
    entry = contextvars.Context().run(logged)

    assert "request_id" not in entry
    assert contextvars.Context().run(current_request_id) is None


def test_a_secret_is_blanked_out_wherever_it_stands() -> None:
    line = line_of(
        "sk-1", "sk-2", message="key sk-1", url="http://h?key=sk-2", deep={"a": ["sk-1"]}
    )

    assert "sk-" not in line
    assert line.count("[redacted]") == 3


@pytest.mark.parametrize("secret", ['sk"1', "sk\\1", "sk/1"])
def test_a_secret_that_json_escapes_is_blanked_out(secret: str) -> None:
    entry = orjson.loads(line_of(secret, message=f"key {secret}"))

    assert entry["message"] == "key [redacted]"


@pytest.mark.parametrize("secret", ["200", '"', "level", "e", "null"])
def test_a_short_secret_leaves_the_line_whole(secret: str) -> None:
    entry = orjson.loads(line_of(secret, message="m", status=200, reason=None))

    assert entry["status"] == 200
    assert {"time", "level", "logger", "message", "reason"} <= set(entry)


def test_an_answer_and_its_log_line_have_the_same_id(service: Service) -> None:
    answer = post(service, CHAT, said("hello"))

    wait_until(lambda: lines_of(service, CHAT), 10, service.log)
    (line,) = lines_of(service, CHAT)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["message"], line["status"]) == ("request", 200)


def test_every_line_of_command_and_service_is_json(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with own_service(tmp_path, fast_upstream(upstream.url), schema="migrated") as service:
        post(service, "/nowhere", {})

        assert service.terminate(10) == 0

    lines = service.log().splitlines()
    assert len(service.log_records()) >= 3
    assert [x for x in lines if not x.startswith("{")] == ["The database has the current schema."]


def test_prompts_and_answers_are_kept_nowhere(
    service: Service, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(*[replies.completion(f"{CANARY} said") for _ in range(3)])
    answers = [
        post(service, CHAT, said(CANARY)),
        post(service, COMPLETIONS, said(CANARY, model="scripted", user=CANARY)),
        post(service, OPTIMIZE, {"prompt": CANARY, "type": "image"}),
    ]
    wait_until(lambda: service.usage_count() == 3, 10, service.log)

    leaks = files_with(CANARY, tmp_path)

    assert [CANARY in answer.text for answer in answers] == [True] * 3
    assert {Path(name).suffix for name in files_with("req_", tmp_path)} >= {".log", ".jsonl"}
    assert leaks == set()


def test_the_texts_of_refused_and_failed_calls_are_kept_nowhere(
    service: Service, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(replies.api_error(400, "bad", f"You said {CANARY}"))
    upstream.script(*[replies.raw_reply(CANARY.encode())] * 2)
    wrong = {"messages": [{"role": CANARY, "content": CANARY}], CANARY: CANARY}
    bodies = [said(CANARY), said(CANARY), wrong, {"prompt": CANARY, "type": CANARY}]

    statuses = [post(service, CHAT, body).status_code for body in bodies]

    assert statuses[0] == HTTPStatus.BAD_REQUEST
    assert statuses[1] == HTTPStatus.BAD_GATEWAY
    wait_until(lambda: service.usage_count() == 2, 10, service.log)
    assert files_with(CANARY, tmp_path) == set()


def files_with(text: str, folder: Path) -> set[str]:
    """Name the files below the folder, sources of the copy left out, that hold the text."""
    found = set()
    for path in folder.rglob("*"):
        # A file of the spool goes when it is empty.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.suffix != ".py" and text.encode() in path.read_bytes():
                found.add(path.name)
    return found
