"""Who asks again while the first answer is on its way gets an answer, whatever the first does."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.repeats import IdempotencyKey
from llm_api.services.idempotency import IdempotencyService, Recording
from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.paced import Gated
from tests.support.raw import request_bytes
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import COMPLETIONS, JSON_TYPE, good_body, read_refusal
from tests.web.streams import (
    DONE,
    HELLO,
    LO,
    PATIENCE,
    STOP,
    frame,
    inside,
    parsed,
    streaming_service,
    text_of,
)

EVENTS = [frame(HELLO), frame(LO), frame(STOP) + frame(DONE.decode())]
RETRIED = {"x-stainless-retry-count": "1"}


def asked(service: Service, headers: Mapping[str, str], **fields: object) -> LiveAnswer:
    """Ask for a chat completion, a streamed one unless the fields say otherwise."""
    body = json.dumps({**good_body(COMPLETIONS), "stream": True, **fields}).encode()
    length = ("Content-Length", str(len(body)))
    head = [("Host", "service"), JSON_TYPE, length, *headers.items()]
    return LiveAnswer(service.address, request_bytes("POST", COMPLETIONS, head, body))


@pytest.fixture
def key() -> dict[str, str]:
    """Name a request like no other."""
    return {"Idempotency-Key": str(uuid4())}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Wait elsewhere."""
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.fixture
def gated(sound: Service, service_upstream: ScriptedUpstream) -> Gated:  # noqa: ARG001  # in this order
    """Let the next stream wait before each of its events."""
    reply = Gated(EVENTS)
    service_upstream.script(reply)
    return reply


def let_go(upstream: ScriptedUpstream) -> None:
    """Wait until no call is left at the upstream."""
    wait_until(lambda: upstream.open_connections == 0, PATIENCE, "the upstream is let go")


def no_longer_watched(service: Service) -> bool:
    """Tell whether the service waits for nobody."""
    return inside(service)["watched"] == 0


# --- in mid-stream ---


def test_a_stream_goes_on_for_who_follows_when_the_first_leaves(
    sound: Service, service_upstream: ScriptedUpstream, gated: Gated, key: Mapping[str, str]
) -> None:
    gated.let_go()
    with asked(sound, key) as first, asked(sound, key) as second:
        assert first.read_event() == second.read_event()
        first.leave()
        gated.let_go(2)

        assert text_of([EVENTS[0][6:-2], *second.read_events()]) == "Hello"
    assert len(service_upstream.requests) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first first", "follower first"])
def test_a_stream_ends_at_the_upstream_when_all_who_wait_have_left(
    sound: Service,
    service_upstream: ScriptedUpstream,
    gated: Gated,
    key: Mapping[str, str],
    order: tuple[int, int],
) -> None:
    """Nothing is written meanwhile: a silent client is looked at, too."""
    gated.let_go()
    with asked(sound, key) as first, asked(sound, key) as second:
        both = first, second
        for one in both:
            one.read_event()
        for number in order:
            both[number].leave()
            inside(sound)  # one after the other

        let_go(service_upstream)
    wait_until(lambda: no_longer_watched(sound), PATIENCE, "nothing is held")


def test_a_follower_that_leaves_does_not_end_the_stream_of_the_first(
    sound: Service, gated: Gated, key: Mapping[str, str]
) -> None:
    gated.let_go()
    with asked(sound, key) as first, asked(sound, key) as second:
        events = [first.read_event()]
        second.read_event()
        second.leave()
        gated.let_go(2)

        assert text_of(events + first.read_events()) == "Hello"


@pytest.mark.parametrize("leaves", [True, False], ids=["first leaves", "first stays"])
def test_a_cut_stream_ends_with_an_error_for_who_follows(
    sound: Service, service_upstream: ScriptedUpstream, key: Mapping[str, str], *, leaves: bool
) -> None:
    reply = Gated([frame(HELLO), frame(LO)])  # and no end
    service_upstream.script(reply)
    reply.let_go()
    with asked(sound, key) as first, asked(sound, key) as second:
        first.read_event()
        second.read_event()
        if leaves:
            first.leave()
        reply.let_go()

        *chunks, last = parsed(second.read_events())

    assert chunks == [LO]
    # The event is that of the first, whose request id it names.
    assert last["error"]["code"] == "upstream_truncated"


def test_a_repeat_of_a_stream_that_was_left_is_answered(
    sound: Service, service_upstream: ScriptedUpstream, key: Mapping[str, str]
) -> None:
    """As SDKs do after a time-out; whenever the repeat comes, it gets no error of the first."""
    for _ in range(8):
        service_upstream.script(replies.sse([HELLO], done=False, silence_s=600))
        with asked(sound, key) as first:
            first.read_event()
            first.leave()
        with asked(sound, key) as second:
            assert second.status == 200
            events = iter(second.read_event, b"")
            # It has joined the call before the end of the first was noticed, or it is the first.
            assert json.loads(next(events))["choices"]
        let_go(service_upstream)
        service_upstream.clear()


# --- before the answer ---


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize("headers", ["key", "retry"])
def test_a_repeat_does_not_get_that_the_first_left_during_a_pause(
    sound: Service,
    service_upstream: ScriptedUpstream,
    key: Mapping[str, str],
    headers: str,
    *,
    is_streamed: bool,
) -> None:
    """In the pause before the second attempt there is no socket to shut."""
    first_ones = key if headers == "key" else {"x-stainless-retry-count": "0"}
    second_ones = key if headers == "key" else RETRIED
    fields = {"stream": is_streamed, "user": str(uuid4())}
    busy = replies.api_error(503, headers=[("Retry-After", "2")])
    service_upstream.script(busy)
    with asked(sound, first_ones, **fields) as first:
        wait_until(lambda: service_upstream.requests, PATIENCE, "the call reaches the upstream")
        first.leave()
    with asked(sound, second_ones, **fields) as second:
        assert second.status == 200
        assert b"Hel" in second.read_body()


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_repeat_does_not_get_that_the_first_left_before_the_answer(
    sound: Service,
    service_upstream: ScriptedUpstream,
    pool: ThreadPoolExecutor,
    key: Mapping[str, str],
    *,
    is_streamed: bool,
) -> None:
    service_upstream.script(replies.hang(600))
    with asked(sound, key, stream=is_streamed) as first:
        wait_until(lambda: service_upstream.requests, PATIENCE, "the call reaches the upstream")
        first.leave()
        let_go(service_upstream)

        with asked(sound, key, stream=is_streamed) as second:
            reading: Future[bytes] = pool.submit(second.read_body)
            assert b"Hel" in reading.result(PATIENCE)
            assert second.status == 200


@pytest.fixture
def unreachable() -> Iterator[str]:
    """Give the address of a listener that takes no connection: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        host, port = listener.getsockname()
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.settimeout(0)
            client.connect_ex((host, port))
            waiting.append(client)
        yield f"http://{host}:{port}/v1"
        for client in waiting:
            client.close()


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_repeat_does_not_get_that_the_first_left_while_connecting(
    tmp_path: Any,
    upstream: ScriptedUpstream,
    unreachable: str,
    key: Mapping[str, str],
    *,
    is_streamed: bool,
) -> None:
    env = {
        "FAST_LLM_API_URL": unreachable,
        "CIRCUIT_BREAKER": "false",
        "UPSTREAM_CONNECT_TIMEOUT": "1.5",
    }
    with streaming_service(tmp_path, upstream, **env) as service:
        with asked(service, key, stream=is_streamed) as first:
            wait_until(lambda: inside(service)["places"] < 1_024, PATIENCE, "it has its place")
            first.leave()
        inside(service)
        with asked(service, key, stream=is_streamed) as second:
            assert second.status in {503, 504}
            told = json.loads(second.read_body())["error"]["code"]
            assert told in {"connect_timeout", "upstream_unreachable"}
        wait_until(lambda: inside(service)["places"] == 1_024, PATIENCE, "the place is given back")


# --- what a retry without a key gets ---

LARGE = 300 << 10


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_answer_of_more_than_256_kib_is_made_anew_without_a_key(
    sound: Service, service_upstream: ScriptedUpstream, *, is_streamed: bool
) -> None:
    text = "x" * LARGE
    good = replies.completion_stream(text) if is_streamed else replies.completion(text)
    service_upstream.script(good, good)
    fields = {"stream": is_streamed, "user": str(uuid4())}

    for headers in ({"x-stainless-retry-count": "0"}, RETRIED):
        with asked(sound, headers, **fields) as answer:
            assert text in answer.read_body().decode()
            assert answer.header("idempotent-replayed") is None

    assert len(service_upstream.requests) == 2


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_answer_of_more_than_256_kib_is_kept_with_a_key(
    sound: Service, service_upstream: ScriptedUpstream, key: Mapping[str, str], *, is_streamed: bool
) -> None:
    text = "x" * LARGE
    service_upstream.script(
        replies.completion_stream(text) if is_streamed else replies.completion(text)
    )

    for replayed in (None, "true"):
        with asked(sound, key, stream=is_streamed) as answer:
            assert text in answer.read_body().decode()
            assert answer.header("idempotent-replayed") == replayed

    assert len(service_upstream.requests) == 1


def test_a_retry_joins_a_stream_that_is_small_so_far(sound: Service, gated: Gated) -> None:
    fields = {"user": str(uuid4())}
    gated.let_go()
    with asked(sound, {"x-stainless-retry-count": "0"}, **fields) as first:
        opening = first.read_event()
        with asked(sound, RETRIED, **fields) as second:
            assert second.read_event() == opening
            gated.let_go(2)
            assert first.read_events() == second.read_events()


# --- without a socket ---


@pytest.mark.parametrize("pieces", [[], [frame(HELLO)], [frame(HELLO), frame(STOP)]], ids=len)
def test_a_stream_that_is_not_whole_ends_with_an_error_for_who_follows(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]
) -> None:
    """However it came that the rest is missing: silence would be taken for the answer's end."""
    identity = IdempotencyKey("key", "fingerprint", joins=True, keep_s=60, max_bytes=4 << 20)
    recording = Recording(identity)
    recording.begin("text/event-stream", {})
    for piece in pieces:
        recording.append(piece)
    recording.end()
    monkeypatch.setattr(IdempotencyService, "join", lambda *_: (recording, False))

    answer = client.post(
        COMPLETIONS,
        json=good_body(COMPLETIONS) | {"stream": True},
        headers={"Idempotency-Key": "k"},
    )

    *before, last = [event + b"\n\n" for event in answer.data.removesuffix(b"\n\n").split(b"\n\n")]
    assert before == pieces
    headers = {**answer.headers, "Content-Type": "application/json"}
    error = read_refusal(COMPLETIONS, 200, headers, last.removeprefix(b"data: "))
    assert (error.reason, error.is_retryable) == ("upstream_truncated", True)


class Crash(Exception):
    """A fault that nobody knows of."""


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_fault_of_our_own_after_the_answer_leaves_nothing_to_wait_for(
    app: Flask, client: FlaskClient, *, is_streamed: bool
) -> None:
    crashes = iter([True])

    @app.after_request
    def crash_once(response: Any) -> Any:
        if next(crashes, False):
            raise Crash
        return response

    def post() -> Any:
        body = good_body(COMPLETIONS) | {"stream": is_streamed}
        headers = {"Idempotency-Key": "k"}
        return client.post(COMPLETIONS, json=body, headers=headers, buffered=True)

    answers = [post()]
    # Not in a pool, which would wait for it for ever.
    again = threading.Thread(target=lambda: answers.append(post()), daemon=True)
    again.start()
    again.join(PATIENCE)

    assert [answer.status_code for answer in answers] == [500, 200]
    assert "Hel" in answers[1].text


def test_a_fault_of_our_own_ends_the_stream_that_it_discards(
    app: Flask, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([HELLO], done=False, silence_s=PATIENCE))
    kept = []  # no collector of garbage closes what the test holds

    @app.after_request
    def crash(response: Any) -> Any:
        kept.append(response)
        if len(kept) == 1:
            raise Crash
        return response

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"stream": True})

    assert answer.status_code == 500
    wait_until(lambda: not upstream.open_connections, PATIENCE / 2, "the upstream is let go")


def test_a_failed_request_s_times_are_not_told_to_who_follows(
    sound: Service, service_upstream: ScriptedUpstream, key: dict[str, str]
) -> None:
    service_upstream.script(replies.delayed(replies.api_error(400, "invalid_value"), 1.0))
    with asked(sound, key, stream=False) as first:
        wait_until(lambda: inside(sound)["places"] < 1_024, PATIENCE, "it has its place")
        with asked(sound, key, stream=False) as second:
            statuses = [first.status, second.status]
            told = [str(answer.header("server-timing")) for answer in (first, second)]

    assert statuses == [400, 400]
    assert ["upstream;dur=0.0" in text for text in told] == [False, True]
