"""Streamed responses under gunicorn: silences, clients that leave, and those who follow."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from openai import OpenAI

from tests.support.live import LiveAnswer
from tests.support.paced import Gated
from tests.support.raw import request_bytes
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.openai.responses.response_streams import events_in
from tests.web.refusals import JSON_TYPE
from tests.web.streams import HELLO, LO, PATIENCE, STOP, frame, inside, row_of, streaming_service

PATH = "/v1/responses"
# A follower looks every quarter of a second.
QUICK = Timings(silence=0.4, silence_check=0.1, retry_window=0.0)
EVENTS = [frame(HELLO), frame(LO), frame(STOP) + frame("[DONE]")]
BODY: Mapping[str, Any] = {"model": "scripted", "input": "Hi", "stream": True}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, service_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run a service that does not wait long in a silence."""
    directory = tmp_path_factory.mktemp("responses")
    with streaming_service(directory, service_upstream, timings=QUICK) as running:
        yield running


@pytest.fixture
def reply(service: Service, service_upstream: ScriptedUpstream) -> Gated:  # noqa: ARG001  # in this order
    """Let the next stream wait before each of its events."""
    service_upstream.clear()
    reply = Gated(EVENTS)
    service_upstream.script(reply)
    return reply


def asked(service: Service, *headers: tuple[str, str]) -> LiveAnswer:
    """Ask for a streamed response."""
    body = json.dumps(BODY).encode()
    head = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body))), *headers]
    return LiveAnswer(service.address, request_bytes("POST", PATH, head, body))


def read_until(answer: LiveAnswer, mark: bytes) -> bytes:
    """Read pieces until one has the mark; return all of them."""
    read = b""
    while mark not in read:
        piece = answer.read_piece()
        assert piece, read
        read += piece
    return read


def test_a_silence_is_filled_with_a_comment_that_clients_pass_over(
    service: Service, reply: Gated
) -> None:
    reply.let_go()
    with asked(service) as answer:
        read = read_until(answer, b": ping\n")
        reply.let_go(2)
        read += read_until(answer, b"event: response.completed")
        read += answer.read_body()

    assert not [line for line in read.split(b"\n\n") if line.startswith(b": ping")][1:]
    [item] = events_in(read)[-1]["response"]["output"]
    assert item["content"][0]["text"] == "Hello"


def test_the_sdk_s_helper_reads_a_stream_with_silences(service: Service, reply: Gated) -> None:
    reply.let_go()
    with (
        OpenAI(base_url="http://{}:{}/v1".format(*service.address), api_key="none") as client,
        client.responses.stream(model="scripted", input="Hi") as stream,
    ):
        for event in stream:
            if event.type == "response.output_text.delta":
                reply.let_go(2)
        response = stream.get_final_response()

    assert (response.status, response.output_text) == ("completed", "Hello")


def test_a_client_that_leaves_ends_the_call(
    service: Service, service_upstream: ScriptedUpstream, reply: Gated
) -> None:
    reply.let_go()
    with asked(service) as answer:
        read_until(answer, b"response.output_text.delta")
        answer.leave()
        wait_until(lambda: service_upstream.open_connections == 0, PATIENCE, "the call is ended")
        row = row_of(service, answer)

    assert (row["status"], row["usage_source"]) == ("client_closed", "estimated")
    assert inside(service)["watched"] == 0


def test_who_follows_a_stream_that_is_cut_reads_its_failure(
    service: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    reply = Gated(EVENTS[:2])  # and no end
    service_upstream.script(reply)
    key = ("Idempotency-Key", "a-cut-stream")
    reply.let_go()
    with asked(service, key) as first, asked(service, key) as second:
        begun = [read_until(one, b"response.output_text.delta") for one in (first, second)]
        reply.let_go(2)
        streams = [read + one.read_body() for read, one in zip(begun, (first, second), strict=True)]

    for stream in streams:
        events = events_in(stream)
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert len(service_upstream.requests) == 1


def test_who_follows_a_client_that_leaves_reads_the_whole(service: Service, reply: Gated) -> None:
    key = ("Idempotency-Key", "a-left-stream")
    reply.let_go()
    with asked(service, key) as first, asked(service, key) as second:
        read_until(first, b"response.output_text.delta")
        read = read_until(second, b"response.output_text.delta")
        first.leave()
        reply.let_go(2)
        read += second.read_body()

    assert events_in(read)[-1]["type"] == "response.completed"
