"""One upstream behind its client, over real sockets: what comes back, and how each fault ends."""

import gzip
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from llm_api.domain.calls import TokenUsage
from llm_api.upstream.behavior import UpstreamBehavior
from tests.support import replies
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import response_bytes
from tests.upstream.asker import KEY, PATIENT, PROMPT, STREAMED, Asker, described

AskerOf = Callable[..., Asker]

MEBIBYTE = 1 << 20
JSON = [("Content-Type", "application/json")]
HEAD = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
GOOD_CHOICE = {
    "index": 0,
    "message": {"role": "assistant", "content": "Hello"},
    "finish_reason": "stop",
}
GOOD_BODY = json.dumps({**HEAD, "choices": [GOOD_CHOICE]}).encode()
SLOW_RESPONSE = response_bytes(200, GOOD_BODY + b" " * 9_000, JSON)
GOOD_RESPONSE = response_bytes(200, GOOD_BODY, JSON)
BAD_RESPONSE = (502, "upstream_bad_response", True)
TIMEOUT = (504, "upstream_timeout", True)
HELLO = replies.chunk({"content": "Hel"})
HURRIED = replace(PATIENT, total=0.5)


def body_reply(body: bytes, *headers: tuple[str, str]) -> Reply:
    return replies.Whole(response_bytes(200, body, [*JSON, *headers]))


def test_an_answer_is_kept_byte_for_byte(upstream: ScriptedUpstream, asker: Asker) -> None:
    head = b'{ "id" : "c",\n"object": "chat.completion", "created": 1, "model": "m", '
    end = b' "index": 0, "finish_reason": "stop"} ],\n "x": 1.0 }'
    body = head + b'"choices":[ {"message":{"content":"\\u732b \xe7\x8c\xab"},' + end
    upstream.script(body_reply(body))

    completion = asker.ask()

    assert completion.body == body
    assert completion.text == "猫 猫"


def test_the_tokens_are_those_the_upstream_counted(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(replies.completion(usage={"prompt_tokens": 11, "completion_tokens": 3}))

    completion = asker.ask()

    assert completion.usage == TokenUsage(11, 3, "upstream")


def test_a_chunked_answer_is_read_whole(upstream: ScriptedUpstream, asker: Asker) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [GOOD_BODY[:20], GOOD_BODY[20:], b""]
    chunks = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces)
    upstream.script(replies.raw_reply(head.encode() + chunks))

    completion = asker.ask()

    assert completion.body == GOOD_BODY


def test_an_answer_that_ends_with_its_connection_is_read_whole(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    upstream.script(replies.raw_reply(head + GOOD_BODY), replies.completion("again"))

    first, second = asker.ask(), asker.ask()

    assert first.body == GOOD_BODY
    assert (second.text, asker.attempts) == ("again", 1)


def test_an_answer_compressed_unasked_is_inflated(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(body_reply(gzip.compress(GOOD_BODY), ("Content-Encoding", "gzip")))

    completion = asker.ask()

    assert completion.body == GOOD_BODY


def test_tool_calls_without_content_are_an_answer(upstream: ScriptedUpstream, asker: Asker) -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function"}],
    }
    upstream.script(replies.json_reply(200, {"choices": [{"message": message}]}))

    completion = asker.ask()

    assert completion.text == ""
    assert completion.document["choices"][0]["message"] == message


def test_the_asked_model_and_the_parameters_arrive(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    asker.ask(model="some-model", temperature=0.7, vendor_field={"深": [1]})

    assert upstream.requests[0].path == "/v1/chat/completions"
    assert upstream.requests[0].json == {
        "model": "some-model",
        "messages": [{"role": "user", "content": PROMPT}],
        "temperature": 0.7,
        "vendor_field": {"深": [1]},
    }


def test_the_default_cap_is_sent_where_the_caller_set_none(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    asker = asker_of(behavior=UpstreamBehavior("scripted", default_max_tokens=99))

    asker.ask()

    assert upstream.requests[0].json["max_tokens"] == 99


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_cap_of_the_caller_stays(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    asker = asker_of(behavior=UpstreamBehavior("scripted", default_max_tokens=99))

    asker.ask(**{name: 5})

    caps = {key: value for key, value in upstream.requests[0].json.items() if "max_" in key}
    assert caps == {name: 5}


Fault = tuple[Reply, tuple[int, str, bool]]

ENDED_AT_ONCE: dict[str, Fault] = {
    "html": (body_reply(b"<html>no</html>"), BAD_RESPONSE),
    "empty": (body_reply(b""), BAD_RESPONSE),
    "broken json": (body_reply(GOOD_BODY[:-3]), BAD_RESPONSE),
    "not an object": (body_reply(b'["choices"]'), BAD_RESPONSE),
    "no choices": (replies.json_reply(200, {"id": "x"}), BAD_RESPONSE),
    "empty choices": (replies.json_reply(200, {"choices": []}), BAD_RESPONSE),
    "choices no list": (replies.json_reply(200, {"choices": {"0": {}}}), BAD_RESPONSE),
    "choice no object": (replies.json_reply(200, {"choices": ["x"]}), BAD_RESPONSE),
    "message null": (replies.json_reply(200, {"choices": [{"message": None}]}), BAD_RESPONSE),
    "not utf-8": (body_reply(b'{"choices":[{"message":{"content":"\xff"}}]}'), BAD_RESPONSE),
    "invalid gzip": (body_reply(GOOD_BODY, ("Content-Encoding", "gzip")), BAD_RESPONSE),
    "not http": (replies.raw_reply(b"SSH-2.0-OpenSSH_9.2\r\n"), BAD_RESPONSE),
    "bad chunk": (
        replies.raw_reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        (502, "upstream_disconnected", True),
    ),
    "cut body": (
        replies.raw_reply(GOOD_RESPONSE[:-5]),
        (502, "upstream_disconnected", True),
    ),
    "cut chunked body": (
        replies.raw_reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"),
        (502, "upstream_disconnected", True),
    ),
    "400": (replies.api_error(400, "invalid_parameter"), (400, "upstream_rejected", False)),
    "filtered by DashScope": (
        replies.api_error(400, "DataInspectionFailed"),
        (400, "content_filtered", False),
    ),
    "filtered by Ark": (
        replies.api_error(400, "SensitiveContentDetected.Violence"),
        (400, "content_filtered", False),
    ),
    "arrearage": (replies.api_error(400, "Arrearage"), (502, "upstream_account", False)),
    "overdue": (replies.api_error(403, "AccountOverdueError"), (502, "upstream_account", False)),
    "401": (replies.api_error(401, "invalid_api_key"), (502, "upstream_auth", False)),
    "403": (replies.api_error(403, "AccessDenied"), (502, "upstream_auth", False)),
    "404": (replies.api_error(404, "model_not_found"), (404, "model_not_found", False)),
    "overflow 400": (
        replies.api_error(400, error_type="exceed_context_size_error"),
        (400, "context_length_exceeded", False),
    ),
    "overflow 500": (
        replies.api_error(500, error_type="exceed_context_size_error"),
        (400, "context_length_exceeded", False),
    ),
    "429 spent": (
        replies.api_error(429, "insufficient_quota"),
        (429, "upstream_rate_limited", False),
    ),
    "501 in html": (
        replies.raw_reply(response_bytes(501, b"<html>")),
        (502, "upstream_error", True),
    ),
}


# The circuit breaker opens at once: every other call would be refused as well.
REFUSING_US = {"arrearage", "overdue", "401", "403"}


@pytest.mark.parametrize("name", sorted(REFUSING_US))
def test_an_upstream_that_refuses_us_is_left_alone(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    upstream.script(ENDED_AT_ONCE[name][0])
    asker.fail()

    error = asker.fail()

    assert described(error) == (503, "circuit_open", True)
    assert (asker.attempts, len(upstream.requests)) == (0, 1)
    assert error.retry_after is not None
    assert 27 <= error.retry_after <= 33


@pytest.mark.parametrize("name", ENDED_AT_ONCE)
def test_these_faults_are_told_after_one_attempt(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    reply, expected = ENDED_AT_ONCE[name]
    upstream.script(reply)

    error = asker.fail()

    assert described(error) == expected
    assert (asker.attempts, len(upstream.requests)) == (1, 1)


@pytest.mark.parametrize("name", sorted(ENDED_AT_ONCE.keys() - REFUSING_US))
def test_after_a_fault_the_next_call_succeeds(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    upstream.script(ENDED_AT_ONCE[name][0])
    asker.fail()

    completion = asker.ask()

    assert completion.text == "Hello"


REPEATED: dict[str, Fault] = {
    "close": (replies.close_before_answer(), (502, "upstream_disconnected", True)),
    "reset": (replies.reset_before_answer(), (502, "upstream_disconnected", True)),
    "408": (replies.api_error(408, "RequestTimeOut"), TIMEOUT),
    "429": (replies.api_error(429, "limit_requests"), (429, "upstream_rate_limited", True)),
    "429 allocation": (
        replies.api_error(429, "Throttling.AllocationQuota"),
        (429, "upstream_rate_limited", True),
    ),
    "500": (replies.api_error(500), (502, "upstream_error", True)),
    "502": (replies.api_error(502), (502, "upstream_error", True)),
    "503": (replies.api_error(503), (503, "upstream_unavailable", True)),
    "504": (replies.api_error(504), TIMEOUT),
    "loading": (
        replies.api_error(503, message="Loading model", error_type="unavailable_error"),
        (503, "upstream_starting", True),
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_these_faults_are_told_after_two_attempts(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    reply, expected = REPEATED[name]
    upstream.script(reply, reply, reply)

    error = asker.fail()

    assert described(error) == expected
    assert (asker.attempts, len(upstream.requests)) == (2, 2)


@pytest.mark.parametrize("name", REPEATED)
def test_these_faults_are_repaired_by_the_second_attempt(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    upstream.script(REPEATED[name][0], replies.completion("second"))

    completion = asker.ask()

    assert completion.text == "second"
    assert upstream.requests[0].body == upstream.requests[1].body


def test_a_repeat_follows_one_short_pause(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.api_error(503))

    asker.ask()

    assert len(asker.pauses) == 1
    assert 0 <= asker.pauses[0] <= 0.25


def test_the_first_attempt_is_told_once(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.api_error(503))

    asker.ask()

    assert asker.first_attempts == 1


def test_a_closed_port_is_tried_twice(asker_of: AskerOf) -> None:
    with closed_port() as port:
        asker = asker_of(f"http://{LOOPBACK}:{port}/v1")

        error = asker.fail()

    assert described(error) == (503, "upstream_unreachable", True)
    assert asker.attempts == 2


def test_an_address_that_never_accepts_is_given_up(asker_of: AskerOf) -> None:
    with socket.create_server((LOOPBACK, 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):  # the queue's one place
            url = f"http://{LOOPBACK}:{address[1]}/v1"
            asker = asker_of(url, timeouts=replace(PATIENT, connect=0.2))

            error = asker.fail()

    assert described(error) == (504, "connect_timeout", True)
    assert asker.attempts == 2


def test_an_untrusted_certificate_is_refused(asker_of: AskerOf, self_signed_url: str) -> None:
    asker = asker_of(self_signed_url)

    error = asker.fail()

    assert described(error) == (502, "upstream_tls", False)


def test_silence_is_a_time_out_and_not_repeated(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.hang(20))
    asker = asker_of(timeouts=replace(PATIENT, first_byte=0.2))

    error = asker.fail()

    assert described(error) == TIMEOUT
    assert len(upstream.requests) == 1


def test_silence_in_the_middle_of_a_body_is_a_time_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.dribble(GOOD_RESPONSE, 20, chunk=len(GOOD_RESPONSE) - 5))
    asker = asker_of(timeouts=replace(PATIENT, idle=0.2))

    error = asker.fail()

    assert described(error) == TIMEOUT
    assert len(upstream.requests) == 1


def test_an_idle_connection_that_was_closed_is_no_error(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    asker.ask()
    upstream.close_connections()
    wait_until(lambda: upstream.open_connections == 0, 20, "the upstream closed its side")

    completion = asker.ask()

    assert (completion.text, asker.attempts) == ("Hello", 1)


def test_an_idle_connection_on_which_the_upstream_spoke_is_not_used(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    forged = response_bytes(200, GOOD_BODY.replace(b"Hello", b"Forged"), JSON)
    upstream.script(replies.Whole(GOOD_RESPONSE + forged))
    asker.ask()

    completion = asker.ask()

    assert completion.text == "Hello"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(upstream: ScriptedUpstream, asker: Asker, status: int) -> None:
    with ScriptedUpstream() as other:
        upstream.script(replies.redirect(status, f"{other.url}/chat/completions"))

        error = asker.fail()

        assert described(error) == (502, "upstream_redirect", False)
        assert (len(upstream.requests), other.connections) == (1, 0)


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_a_compression_bomb_is_too_large(
    upstream: ScriptedUpstream, asker: Asker, layers: int
) -> None:
    upstream.script(replies.gzip_bomb(200 * MEBIBYTE, layers=layers))

    error = asker.fail()

    assert described(error) == (502, "upstream_too_large", False)
    assert len(upstream.requests) == 1


def test_a_compression_bomb_takes_little_memory(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.gzip_bomb(200 * MEBIBYTE))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    asker.fail()

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before <= 64 * MEBIBYTE


def test_a_configured_model_that_is_missing_is_a_fault_of_the_service(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(replies.api_error(404, "model_not_found"))

    error = asker.fail(model_was_named=False)

    assert described(error) == (502, "upstream_model_missing", False)


@pytest.mark.parametrize(
    ("embedded", "expected"),
    [
        ({"code": "data_inspection_failed"}, (400, "content_filtered", False)),
        ({"code": "Arrearage"}, (502, "upstream_account", False)),
        (
            {"code": 400, "type": "exceed_context_size_error"},
            (400, "context_length_exceeded", False),
        ),
        ({"code": 429, "message": "slow down"}, (429, "upstream_rate_limited", True)),
        ({"code": "invalid_api_key"}, (502, "upstream_auth", False)),
        ({"code": "AuthenticationError"}, (502, "upstream_auth", False)),
        ({"code": "model_not_found"}, (404, "model_not_found", False)),
        ({"code": "Throttling.RateQuota"}, (429, "upstream_rate_limited", True)),
        ({"code": "insufficient_quota"}, (429, "upstream_rate_limited", False)),
        ({"message": "it broke"}, (502, "upstream_error", True)),
        ("it broke", (502, "upstream_error", True)),
    ],
    ids=str,
)
def test_an_error_inside_an_answer_is_mapped_by_its_code(
    upstream: ScriptedUpstream, asker: Asker, embedded: Any, expected: tuple[int, str, bool]
) -> None:
    upstream.script(replies.json_reply(200, {"error": embedded}))

    error = asker.fail()

    assert described(error) == expected
    assert len(upstream.requests) == 1


def test_a_native_error_body_with_status_200_is_an_error(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    native = {"code": "DataInspectionFailed", "message": "no", "request_id": "1"}
    upstream.script(replies.json_reply(200, native))

    error = asker.fail()

    assert described(error) == (400, "content_filtered", False)


@pytest.mark.parametrize("name", [*ENDED_AT_ONCE, *REPEATED])
def test_no_error_repeats_what_the_upstream_was_sent(
    upstream: ScriptedUpstream, asker: Asker, name: str
) -> None:
    upstream.script(*[(ENDED_AT_ONCE | REPEATED)[name][0]] * 2)

    error = asker.fail()

    assert KEY not in error.message
    assert PROMPT not in error.message


def test_an_error_text_of_the_upstream_is_not_passed_on(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    text = f"account 210042, endpoint ep-2026-x, key {KEY}, prompt {PROMPT}"
    upstream.script(replies.api_error(400, "InvalidParameter", text))

    error = asker.fail()

    assert all(word not in error.message for word in ("210042", "ep-2026", KEY, PROMPT))


def test_a_body_that_dribbles_ends_at_the_total_time_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.dribble(SLOW_RESPONSE, 0.1, chunk=100))
    asker = asker_of(timeouts=HURRIED)
    started_at = time.monotonic()

    error = asker.fail()

    assert described(error) == TIMEOUT
    assert time.monotonic() - started_at >= 0.5


def test_headers_that_dribble_end_at_the_total_time_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.dribble(GOOD_RESPONSE, 0.1, chunk=1))
    asker = asker_of(timeouts=HURRIED)
    started_at = time.monotonic()

    error = asker.fail()

    assert described(error) == TIMEOUT
    assert time.monotonic() - started_at >= 0.5


def test_a_stream_that_dribbles_ends_at_the_total_time_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.sse([HELLO] * 400, 0.05))
    asker = asker_of(behavior=STREAMED, timeouts=HURRIED)
    started_at = time.monotonic()

    error = asker.fail()

    assert described(error) == TIMEOUT
    assert time.monotonic() - started_at >= 0.5


def test_a_call_over_its_time_is_not_repeated(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.delayed(replies.api_error(503), 0.4))
    asker = asker_of(timeouts=replace(PATIENT, total=0.3))

    asker.fail()

    assert len(upstream.requests) == 1


def test_a_call_over_its_time_closes_its_connection(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.hang(30))

    asker_of(timeouts=HURRIED).fail()

    wait_until(lambda: upstream.open_connections == 0, 1, "the connection is closed")


@pytest.mark.parametrize(
    "reply",
    [
        replies.hang(30),
        replies.dribble(GOOD_RESPONSE, 0.3),
        replies.dribble(SLOW_RESPONSE, 0.2, chunk=100),
        replies.sse([HELLO] * 200, 0.2),
        replies.sse([HELLO] * 9_000, 0.002),
    ],
    ids=["silent", "headers", "body", "stream", "fast stream"],
)
def test_an_abandoned_call_closes_its_connection_within_a_second(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply
) -> None:
    upstream.script(reply)
    gone = threading.Event()
    with ThreadPoolExecutor() as pool:
        failing = pool.submit(asker.fail, is_disconnected=gone.is_set)
        wait_until(lambda: upstream.requests, 20, "the upstream was asked")

        gone.set()

        wait_until(lambda: upstream.open_connections == 0, 1, "the connection is closed")
        assert described(failing.result(5)) == (499, "client_closed", False)


def test_an_abandoned_call_is_not_repeated(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.hang(30))

    asker.fail(is_disconnected=lambda: bool(upstream.requests))

    assert len(upstream.requests) == 1


@pytest.fixture
def occupied(upstream: ScriptedUpstream, asker_of: AskerOf) -> Iterator[tuple[Asker, Asker]]:
    """Make two askers of one client with one place, and let the first hold the place."""
    first = asker_of(behavior=UpstreamBehavior("scripted", max_concurrency=1, queue_timeout=0.3))
    second = asker_of()
    second.client = first.client
    release = threading.Event()

    def wait_and_answer(_: object) -> Reply:
        release.wait(20)
        return replies.completion("first")

    upstream.script(replies.answer_with(wait_and_answer))
    with ThreadPoolExecutor() as pool:
        pool.submit(first.ask)
        wait_until(lambda: upstream.requests, 20, "the place is taken")
        yield first, second
        release.set()


def test_a_call_that_finds_no_place_is_turned_away(occupied: tuple[Asker, Asker]) -> None:
    _, second = occupied
    started_at = time.monotonic()

    error = second.fail()

    assert described(error) == (503, "overloaded", True)
    assert error.retry_after == 1
    assert time.monotonic() - started_at >= 0.3


def test_a_call_that_finds_no_place_attempts_nothing(
    upstream: ScriptedUpstream, occupied: tuple[Asker, Asker]
) -> None:
    _, second = occupied

    second.fail()

    assert (second.attempts, second.first_attempts) == (0, 0)
    assert len(upstream.requests) == 1


def test_a_call_waits_for_a_place(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    upstream.script(replies.delayed(replies.completion(), 0.3))
    asker = asker_of(behavior=UpstreamBehavior("scripted", max_concurrency=1, queue_timeout=20))

    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(asker.ask) for _ in range(3)]

    assert [answer.result().text for answer in answers] == ["Hello"] * 3


def test_a_call_whose_client_left_while_it_waited_is_not_made(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.delayed(replies.completion(), 0.5))
    asker = asker_of(behavior=UpstreamBehavior("scripted", max_concurrency=1, queue_timeout=20))
    with ThreadPoolExecutor() as pool:
        pool.submit(asker.ask)
        wait_until(lambda: upstream.requests, 20, "the place is taken")

        error = asker.fail(is_disconnected=lambda: True)

    assert described(error) == (499, "client_closed", False)
    assert len(upstream.requests) == 1


def test_at_most_so_many_calls_run_at_once(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    upstream.script(*[replies.delayed(replies.completion(), 0.1)] * 8)
    asker = asker_of(behavior=UpstreamBehavior("scripted", max_concurrency=2, queue_timeout=20))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: asker.ask(), range(8)))

    assert upstream.connections <= 2


@pytest.mark.parametrize("name", ["html", "400", "cut body"])
def test_a_failed_call_gives_its_place_back(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    upstream.script(ENDED_AT_ONCE[name][0])
    asker = asker_of(behavior=UpstreamBehavior("scripted", max_concurrency=1, queue_timeout=0))
    asker.fail()

    completion = asker.ask()

    assert completion.text == "Hello"


def test_an_always_streamed_upstream_is_asked_for_a_stream_with_usage(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    asker_of(behavior=STREAMED).ask(stream=False)

    assert upstream.requests[0].json["stream"] is True
    assert upstream.requests[0].json["stream_options"] == {"include_usage": True}


PUT_TOGETHER = {
    "id": "chatcmpl-scripted",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "scripted",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello 猫"},
            "finish_reason": "stop",
        }
    ],
    "usage": dict(replies.GOOD_USAGE),
}


def test_a_stream_is_put_together_to_one_completion(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.completion_stream("Hel", "lo ", "猫"))

    completion = asker_of(behavior=STREAMED).ask()

    assert completion.document == PUT_TOGETHER
    assert json.loads(completion.body) == PUT_TOGETHER
    assert completion.usage == TokenUsage(5, 2, "upstream")


def test_two_interleaved_choices_are_kept_apart(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    parts = [(1, "x", None), (0, "a", None), (1, "y", "length"), (0, "b", "stop")]
    events = [
        {"choices": [{"index": at, "delta": {"content": text}, "finish_reason": reason}]}
        for at, text, reason in parts
    ]
    upstream.script(replies.sse(events))

    completion = asker_of(behavior=STREAMED).ask()

    choices = [
        (c["index"], c["message"]["content"], c["finish_reason"])
        for c in completion.document["choices"]
    ]
    assert choices == [(0, "ab", "stop"), (1, "xy", "length")]


def test_done_does_not_complete_a_stream_without_a_finish_reason(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    """llama-cpp-python drops one request for the next with it."""
    upstream.script(replies.sse([replies.chunk({"content": "Hi"})]))

    assert described(asker_of(behavior=STREAMED).fail()) == (502, "upstream_truncated", True)


def test_a_finish_reason_completes_a_stream_without_done(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    last = replies.chunk({"content": "Hi"}, finish_reason="length")
    upstream.script(replies.sse([last], done=False))

    completion = asker_of(behavior=STREAMED).ask()

    assert (completion.text, completion.document["choices"][0]["finish_reason"]) == ("Hi", "length")


def test_an_upstream_that_streams_unasked_is_understood(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(replies.completion_stream("Hel", "lo"))

    completion = asker.ask()

    assert completion.text == "Hello"


def test_an_always_streamed_upstream_may_answer_whole(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.completion("whole"))

    completion = asker_of(behavior=STREAMED).ask()

    assert completion.text == "whole"


BAD_STREAMS: dict[str, Fault] = {
    "ended early": (replies.sse([HELLO], done=False), (502, "upstream_truncated", True)),
    "closed": (
        replies.sse([HELLO], done=False, ending="close"),
        (502, "upstream_disconnected", True),
    ),
    "reset": (
        replies.sse([HELLO], done=False, ending="reset"),
        (502, "upstream_disconnected", True),
    ),
    "reasoning cut": (
        replies.sse([replies.chunk({"reasoning_content": "Let me"})], done=False),
        (502, "upstream_truncated", True),
    ),
    "no event": (replies.sse([], done=False), BAD_RESPONSE),
    "only done": (replies.sse([]), BAD_RESPONSE),
    "broken json": (replies.sse([HELLO, '{"choices": [']), BAD_RESPONSE),
    "nan": (replies.sse([HELLO, '{"choices": [], "x": NaN}']), BAD_RESPONSE),
    "no object": (replies.sse([HELLO, "[1]"]), BAD_RESPONSE),
    "choices no list": (replies.sse([HELLO, {"choices": "x"}]), BAD_RESPONSE),
    "choice no object": (replies.sse([HELLO, {"choices": [7]}]), BAD_RESPONSE),
    "index no number": (replies.sse([HELLO, {"choices": [{"index": "0"}]}]), BAD_RESPONSE),
    "error event": (
        replies.sse([HELLO, {"error": {"message": "it broke", "code": 500}}]),
        (502, "upstream_error", True),
    ),
    "overflow event": (
        replies.sse([{"error": {"type": "exceed_context_size_error", "code": 400}}]),
        (400, "context_length_exceeded", False),
    ),
    "giant event": (replies.sse(["x" * (32 * MEBIBYTE + 1)]), (502, "upstream_too_large", False)),
    "400 before": (
        replies.api_error(400, error_type="exceed_context_size_error"),
        (400, "context_length_exceeded", False),
    ),
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_these_streams_are_errors_after_one_attempt(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    reply, expected = BAD_STREAMS[name]
    upstream.script(reply)
    asker = asker_of(behavior=STREAMED)

    error = asker.fail()

    assert described(error) == expected
    assert len(upstream.requests) == 1


def test_after_a_bad_stream_the_next_call_succeeds(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(*[reply for reply, _ in BAD_STREAMS.values()])
    asker = asker_of(behavior=STREAMED)
    for _ in BAD_STREAMS:
        asker.fail()

    completion = asker.ask()

    assert (completion.text, asker.attempts) == ("Hello", 1)


@pytest.mark.parametrize("event", ["x" * (MEBIBYTE + 1), '{"choices": [', "[1]"])
def test_a_bad_stream_that_goes_on_closes_its_connection(
    upstream: ScriptedUpstream, asker_of: AskerOf, event: str
) -> None:
    upstream.script(replies.sse([HELLO, event], done=False, silence_s=20))

    asker_of(behavior=STREAMED).fail()

    wait_until(lambda: upstream.open_connections == 0, 1, "the connection is closed")


def test_silence_in_the_middle_of_a_stream_is_a_time_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.sse([HELLO], done=False, silence_s=20))
    asker = asker_of(behavior=STREAMED, timeouts=replace(PATIENT, idle=0.2))

    error = asker.fail()

    assert described(error) == TIMEOUT


def test_a_compressed_stream_is_inflated(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    text = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")]
    upstream.script(replies.Whole(response_bytes(200, gzip.compress(text), headers)))

    completion = asker_of(behavior=STREAMED).ask()

    assert completion.text == "Hi"


def test_a_compression_bomb_in_a_stream_is_too_large(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    bomb = gzip.compress((b":" + b"p" * 1021 + b"\n\n") * 100 * 1024)
    headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")]
    upstream.script(replies.Whole(response_bytes(200, bomb, headers)))

    error = asker_of(behavior=STREAMED).fail()

    assert described(error) == (502, "upstream_too_large", False)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (replies.models("scripted"), "ok"),
        (replies.api_error(404), "ok"),
        (replies.api_error(401), "upstream_auth"),
        (replies.api_error(403), "upstream_auth"),
        (replies.api_error(500), "upstream_error"),
        (replies.api_error(503), "upstream_error"),
        (replies.close_before_answer(), "upstream_disconnected"),
        (replies.hang(20), "upstream_timeout"),
    ],
    ids=["models", "no list", "401", "403", "500", "503", "closed", "silent"],
)
def test_the_probe_says_in_a_word_how_the_upstream_is(
    upstream: ScriptedUpstream, asker_of: AskerOf, reply: Reply, expected: str
) -> None:
    upstream.script(reply)
    asker = asker_of(timeouts=replace(PATIENT, first_byte=0.3))

    state = asker.client.probe()

    assert state == expected


def test_the_probe_says_that_a_closed_port_is_unreachable(asker_of: AskerOf) -> None:
    with closed_port() as port:
        state = asker_of(f"http://{LOOPBACK}:{port}/v1").client.probe()

    assert state == "upstream_unreachable"


def test_the_probe_of_the_bundled_model_says_that_it_is_starting(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.api_error(503, message="Loading model"))
    traits = UpstreamBehavior("local", serves_one_model=True, probe_path="/health")

    state = asker_of(behavior=traits).client.probe()

    assert state == "starting"
    assert upstream.requests[0].path == "/health"


def test_an_upstream_that_does_not_read_meets_the_total_time_out(asker_of: AskerOf) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        asker = asker_of(f"http://{LOOPBACK}:{deaf.getsockname()[1]}/v1", timeouts=HURRIED)
        error = asker.fail(user="x" * 30_000_000)

    assert described(error) == (504, "upstream_timeout", True)


def test_a_call_that_was_refused_at_once_may_be_repeated_by_the_client(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(replies.json_reply(429, {}, [("Retry-After", "30")]))

    assert not asker.fail().retries_exhausted


@pytest.mark.parametrize(
    "reply",
    [
        replies.raw_reply(GOOD_RESPONSE[:-5]),
        body_reply(b"<html>"),
        replies.json_reply(200, {"choices": []}),
        replies.sse([HELLO], done=False),
        replies.sse([HELLO]),
        replies.json_reply(
            200, {"choices": [{"finish_reason": "error", "error": {"code": 502}, "message": {}}]}
        ),
    ],
    ids=["broken off", "no JSON", "no choices", "cut", "cut with a mark", "failed in the middle"],
)
def test_what_may_have_been_paid_for_is_not_repeated_by_the_client(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply
) -> None:
    upstream.script(reply)

    error = asker.fail()

    assert (error.retryable, error.retries_exhausted) == (True, True)


def test_a_call_that_was_repeated_is_spent(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.api_error(503), replies.api_error(503))

    assert asker.fail().retries_exhausted
