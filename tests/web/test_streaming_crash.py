"""D20 of the fault matrix: a fault of our own in mid-stream is told, and everything given back."""

import json
import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.observability.logging import JsonFormatter
from llm_api.upstream.answers.chunks import StreamedAnswer
from tests.conftest import UsageRowsOf
from tests.support.paced import Gated
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import COMPLETIONS, good_body, read_refusal
from tests.web.streams import HELLO, STOP, frame


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the last chunk of an answer meet a fault in our own code."""
    take = StreamedAnswer.take

    def crash(answer: StreamedAnswer, event: bytes) -> bytes | None:
        return take(answer, event) if b"stop" not in event else b"%d" % (1 // 0)

    # Patched although it is ours: there is no other way to a fault that nobody knows of.
    monkeypatch.setattr(StreamedAnswer, "take", crash)


@pytest.fixture
def stream(crashing: None, client: FlaskClient, upstream: ScriptedUpstream) -> tuple[dict, bytes]:  # noqa: ARG001  # it crashes
    """Return headers and body of a stream that met the fault after its first event."""
    reply = Gated([frame(HELLO), frame(STOP), frame("[DONE]")])
    upstream.script(reply)
    reply.let_go()
    body = {**good_body(COMPLETIONS), "stream": True}
    with client.post(COMPLETIONS, json=body, buffered=False) as answer:
        reply.let_go(2)
        return dict(answer.headers), answer.data


def test_a_fault_of_our_own_is_the_last_event(stream: tuple[dict, bytes]) -> None:
    headers, body = stream

    first, last, end = body.split(b"\n\n")

    assert json.loads(first.removeprefix(b"data: ")) == HELLO
    assert end == b""
    told = {**headers, "Content-Type": "application/json"}
    error = read_refusal(COMPLETIONS, 200, told, last.removeprefix(b"data: "))
    assert error.verdict == (200, "SERVICE_ERROR", "internal_error", False)


def test_a_fault_of_our_own_is_one_error_in_the_log_with_the_request_s_id(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    caplog.set_level(logging.INFO)
    # All tests of the process share the handler: what it writes with has to be given back.
    monkeypatch.setattr(caplog.handler, "formatter", JsonFormatter())

    headers, _ = request.getfixturevalue("stream")

    lines = [json.loads(line) for line in caplog.text.splitlines()]
    [error] = [line for line in lines if line["level"] == "ERROR"]
    assert error["request_id"] == headers["x-request-id"]
    assert "ZeroDivisionError" in error["exception"]
    assert [line["reason"] for line in lines if line["message"] == "request"] == ["internal_error"]


def test_a_fault_of_our_own_gives_everything_back(
    app: Flask, client: FlaskClient, usage_rows_of: UsageRowsOf, request: pytest.FixtureRequest
) -> None:
    services = app.extensions["llm_api"]
    limit = services.catalogue.route(None).upstream.endpoints.limit
    free = limit.free

    request.getfixturevalue("stream")

    assert [row["status"] for row in usage_rows_of(app)] == ["error"]
    assert limit.free == free
    assert services.watch.watched == 0
    assert client.post(COMPLETIONS, json=good_body(COMPLETIONS)).status_code == 200
