"""Section E of the fault matrix: clients that leave or read slowly take nothing from others."""

import http.client
import json
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.paced import EVENT_STREAM, Flood, Gated
from tests.support.peer import Peer, RecordedRequest
from tests.support.replies import Event, Reply, chunk
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import TruncatedMessageError, chunk_bytes, message_bytes
from tests.web.refusals import COMPLETIONS, good_body
from tests.web.streams import (
    HELLO,
    LO,
    PATIENCE,
    STOP,
    ask,
    frame,
    inside,
    parsed,
    row_of,
    rows_of_models,
    streaming_service,
)

MEBIBYTE = 1 << 20
FOR_EVER = 600.0


@pytest.fixture(scope="module")
def streaming_env() -> Mapping[str, str]:
    """Give clients little time to read."""
    return {"CLIENT_WRITE_TIMEOUT": "3"}


def let_go(upstream: ScriptedUpstream) -> None:
    """Wait until no call is left at the upstream."""
    wait_until(lambda: upstream.open_connections == 0, PATIENCE, "the upstream is let go")


# --- E1, E2: leaving a stream ---


@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(
    "upstream",
    [
        replies.sse([HELLO, *[LO] * 60_000], 0.01),
        replies.sse([HELLO], done=False, silence_s=FOR_EVER),
    ],
    ids=["in mid-stream", "while the upstream is silent"],
)
def test_a_client_that_leaves_ends_the_stream_at_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, upstream: Reply, *, with_reset: bool
) -> None:
    service_upstream.script(upstream)

    with ask(sound) as answer:
        assert parsed([answer.read_event()]) == [HELLO]
        answer.leave(with_reset=with_reset)
        let_go(service_upstream)
        row = row_of(sound, answer)

    assert (row["status"], row["attempts"]) == ("client_closed", 1)
    assert row["usage_source"] == "estimated"
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0


@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
def test_a_client_that_says_more_and_leaves_is_noticed(
    sound: Service, service_upstream: ScriptedUpstream, *, with_reset: bool
) -> None:
    service_upstream.script(replies.sse([HELLO], done=False, silence_s=FOR_EVER))

    with ask(sound) as answer:
        answer.read_event()
        answer.say(b"\r\n")  # nobody reads it while the answer is on its way
        answer.leave(with_reset=with_reset)
        let_go(service_upstream)
        assert row_of(sound, answer)["status"] == "client_closed"


# --- E2, E3: leaving before anything came ---


@pytest.mark.parametrize("is_streamed", [True, False], ids=["stream", "unary"])
@pytest.mark.parametrize(
    "upstream",
    [replies.hang(FOR_EVER), replies.sse([], done=False, silence_s=FOR_EVER)],
    ids=["no byte", "a head and no event"],
)
def test_a_client_that_leaves_before_the_answer_ends_the_call_at_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, upstream: Reply, *, is_streamed: bool
) -> None:
    service_upstream.script(upstream)
    model = f"leaver-{uuid4()}"

    with ask(sound, model=model, stream=is_streamed) as answer:
        wait_until(lambda: service_upstream.requests, PATIENCE, "the call reaches the upstream")
        answer.leave()
        let_go(service_upstream)

    [row] = rows_of_models(sound, model)
    assert (row["status"], row["attempts"]) == ("client_closed", 1)
    assert row["completion_tokens"] is None


def test_fifty_clients_that_leave_hold_nothing(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    silent = [replies.sse([HELLO], done=False, silence_s=FOR_EVER), replies.hang(FOR_EVER)]
    service_upstream.script(*[silent[number % 2] for number in range(50)])
    held = inside(sound)["held"]
    models = [f"leaver-{uuid4()}" for _ in range(50)]

    with ExitStack() as stack:
        answers = [stack.enter_context(ask(sound, model=model)) for model in models]
        wait_until(lambda: len(service_upstream.requests) == 50, PATIENCE, "all are there")
        seen = inside(sound)
        assert seen["watched"] >= 50
        assert seen["held"] >= 100  # each has two connections
        for answer in answers:
            answer.leave()
        let_go(service_upstream)

    wait_until(lambda: inside(sound)["watched"] == 0, PATIENCE, "nobody is watched")
    wait_until(lambda: inside(sound)["held"] <= held, PATIENCE, "all is closed")
    assert {row["status"] for row in rows_of_models(sound, *models)} == {"client_closed"}


# --- E4: never reading ---


def test_a_client_that_never_reads_its_stream_is_cut_off(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    upstream = Flood(frame(chunk({"content": "x" * 16_000})), 1_700)
    service_upstream.script(upstream)
    model = f"never-reading-{uuid4()}"

    with ask(sound, model=model, receive_buffer=4096) as answer:
        assert upstream.is_over.wait(PATIENCE)
        [row] = rows_of_models(sound, model)
        assert_cut(answer)

    assert upstream.sent_bytes < 1_700 * 16_000
    assert (row["status"], row["usage_source"]) == ("client_closed", "estimated")
    assert row["completion_tokens"] > 0


def test_a_client_that_never_reads_a_large_answer_is_cut_off(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.completion("x" * 20 * MEBIBYTE))

    with ask(sound, stream=False, receive_buffer=4096) as answer:
        assert answer.status == 200  # its end is on its way, and looked after
        wait_until(lambda: inside(sound)["watched"] == 0, PATIENCE, "the client is cut off")
        assert_cut(answer)


def assert_cut(answer: LiveAnswer) -> None:
    """Read what is left of an answer, and find that its end is missing."""
    with pytest.raises((TruncatedMessageError, ConnectionError)):
        answer.read_body()


# --- E1: whenever it leaves ---

COUNTED = {**chunk({}), "choices": [], "usage": dict(replies.GOOD_USAGE)}


@pytest.mark.parametrize(
    ("read", "left"),
    [([HELLO], [LO, STOP, COUNTED, "[DONE]"]), ([HELLO, STOP], [COUNTED, "[DONE]"])],
    ids=["in mid-stream", "before the usage"],
)
@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
def test_what_a_client_that_left_has_got_is_counted(
    sound: Service,
    service_upstream: ScriptedUpstream,
    read: list[Event],
    left: list[Event],
    *,
    with_reset: bool,
) -> None:
    """Many leave at the `finish_reason`; nobody gets out of being counted."""
    reply = Gated([b"".join(map(frame, read)), b"".join(map(frame, left))])
    service_upstream.script(reply)
    reply.let_go()
    with ask(sound) as answer:
        for _ in read:
            answer.read_event()
        answer.leave(with_reset=with_reset)
        let_go(service_upstream)

        row = row_of(sound, answer)

    assert (row["status"], row["reason"]) == ("client_closed", "client_closed")
    assert row["usage_source"] == "estimated"
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0


def test_a_client_that_has_read_the_usage_is_counted_by_it(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([HELLO, STOP, COUNTED], silence_s=FOR_EVER))
    with ask(sound, stream_options={"include_usage": True}) as answer:
        while not json.loads(answer.read_event()).get("usage"):
            pass
        answer.leave()
        row = row_of(sound, answer)

    assert (row["usage_source"], row["completion_tokens"]) == ("upstream", 2)


class Compressed:
    """A compressed stream that goes on for a minute, unless its client leaves."""

    def __init__(self) -> None:
        """Have sent nothing."""
        self.has_come_to_its_end = False

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write an event, flushed, again and again."""
        compressor = zlib.compressobj(wbits=31)
        headers = [*EVENT_STREAM, ("Content-Encoding", "gzip")]
        peer.send(message_bytes("HTTP/1.1 200 OK", headers, b""))
        for number in range(1_200):
            event = frame(LO if number else HELLO)
            compressed = compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
            peer.send(chunk_bytes(compressed))
            if not peer.stay_silent(0.05):
                return False
        self.has_come_to_its_end = True
        return False


@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
def test_a_client_that_leaves_ends_a_compressed_stream_at_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, *, with_reset: bool
) -> None:
    reply = Compressed()
    service_upstream.script(reply)
    with ask(sound) as answer:
        answer.read_event()
        answer.leave(with_reset=with_reset)
        let_go(service_upstream)

        row = row_of(sound, answer)

    assert not reply.has_come_to_its_end
    assert row["status"] == "client_closed"
    assert row["completion_tokens"] > 0


# --- E9 ---


def test_a_connection_that_the_service_has_closed_while_idle_is_made_anew(
    tmp_path: Path, service_upstream: ScriptedUpstream
) -> None:
    """The same with 75 s in place of 1 s would take longer than all the others together."""
    env = {"GUNICORN_CMD_ARGS": "--keep-alive 1"}
    with (
        streaming_service(tmp_path, service_upstream, **env) as service,
        requests.Session() as session,
        ask(service, stream=False) as bare,
    ):
        url = service.url + COMPLETIONS
        answers = [session.post(url, json=good_body(COMPLETIONS), timeout=PATIENCE)]
        assert json.loads(bare.read_body())["choices"]
        assert bare.closes()  # it was the first to be idle
        wait_until(lambda: not connections_to(service), PATIENCE, "the other is closed, too")
        answers.append(session.post(url, json=good_body(COMPLETIONS), timeout=PATIENCE))

        for answer in answers:
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "keep-alive"


def connections_to(service: Service) -> int:
    """Count the connections that the service has not closed."""
    port = f":{service.address[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(line[1].endswith(port) and line[3] == "01" for line in lines)


def test_a_thousand_requests_are_served_on_one_connection(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    connection = http.client.HTTPConnection(*sound.address, timeout=PATIENCE)
    connection.connect()
    the_one = connection.sock
    headers = {"Content-Type": "application/json"}

    for number in range(1_000):
        is_streamed = number % 10 == 0
        body = json.dumps({**good_body(COMPLETIONS), "stream": is_streamed})
        connection.request("POST", COMPLETIONS, body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        text = answer.read()
        assert text.endswith(b"data: [DONE]\n\n") if is_streamed else json.loads(text)["choices"]

    assert connection.sock is the_one
    connection.close()
    assert len(service_upstream.requests) == 1_000
    assert service_upstream.connections == 1
