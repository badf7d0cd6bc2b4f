"""Section D of the fault matrix: upstreams that are silent, or slow, for too long."""

from collections.abc import Mapping

import pytest

from tests.support import replies
from tests.support.paced import EVENT_STREAM
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import message_bytes
from tests.web.streams import (
    HELLO,
    LO,
    PATIENCE,
    ask,
    broken,
    error_event,
    parsed,
    plain_error,
    row_of,
)

FOR_EVER = 600.0
HEAD = message_bytes("HTTP/1.1 200 OK", EVENT_STREAM, b"")
TIMEOUT = (504, "SERVICE_ERROR", "upstream_timeout", True)


@pytest.fixture(scope="module")
def streaming_env() -> Mapping[str, str]:
    """Let the upstream take little time."""
    return {
        "UPSTREAM_FIRST_BYTE_TIMEOUT": "1.5",
        "UPSTREAM_IDLE_TIMEOUT": "1.5",
        "UPSTREAM_STREAM_TIMEOUT": "3",
    }


# --- D2: before the first event ---


@pytest.mark.parametrize(
    "silence",
    [
        replies.hang(FOR_EVER),
        replies.sse([], done=False, silence_s=FOR_EVER),
        replies.dribble(HEAD + b"7\r\n: wait\n\r\n" * 10_000, 0.1, 12),
    ],
    ids=["no byte", "a head and no event", "nothing but comments"],
)
def test_silence_before_the_first_event_is_a_plain_error(
    sound: Service, service_upstream: ScriptedUpstream, silence: Reply
) -> None:
    service_upstream.script(silence)

    with ask(sound) as answer:
        assert plain_error(answer).verdict == TIMEOUT
        row = row_of(sound, answer)

    wait_until(lambda: service_upstream.open_connections == 0, PATIENCE, "the upstream is let go")
    assert (row["status"], row["attempts"]) == ("timeout", 1)


# --- D10 ---


def test_silence_in_mid_stream_ends_it_with_an_error(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([HELLO, LO], done=False, silence_s=FOR_EVER))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO, LO], "upstream_timeout")
        row = row_of(sound, answer)

    wait_until(lambda: service_upstream.open_connections == 0, PATIENCE, "the upstream is let go")
    assert (row["status"], row["reason"]) == ("timeout", "upstream_timeout")
    assert (row["attempts"], row["usage_source"]) == (1, "estimated")


# --- D12 ---


def test_a_drip_that_outlives_the_total_time_ends_with_an_error(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([HELLO, *[LO] * 10_000], 0.1))

    with ask(sound) as answer:
        first, *_, last = answer.read_events()
        row = row_of(sound, answer)

    wait_until(lambda: service_upstream.open_connections == 0, PATIENCE, "the upstream is let go")
    assert parsed([first]) == [HELLO]
    assert error_event(answer, last).reason == "upstream_timeout"
    assert (row["status"], row["usage_source"]) == ("timeout", "estimated")
    assert row["completion_tokens"] > 1
