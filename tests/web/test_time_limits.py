"""A client that says how long it will wait shortens its call, and never lengthens it."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHATS, COMPLETIONS, good_body

LONG = 20.0  # much longer than any time-out below


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("header", ["X-Request-Timeout", "x-stainless-read-timeout"])
def test_a_call_ends_when_its_client_stops_waiting(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, header: str
) -> None:
    upstream.script(replies.hang(LONG))

    answer = client.post(path, json=good_body(path), headers={header: "0.3"})

    assert answer.status_code == 504
    assert len(upstream.requests) == 1


def test_a_stream_ends_when_its_client_stops_waiting(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    hello = replies.chunk({"content": "Hel"})
    upstream.script(replies.sse([hello], done=False, silence_s=LONG))
    body = good_body(COMPLETIONS) | {"stream": True}

    answer = client.post(COMPLETIONS, json=body, headers={"X-Request-Timeout": "0.5"})

    assert b"upstream_timeout" in answer.data


def test_the_time_between_two_events_does_not_end_a_stream(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    events = [replies.chunk({"content": "a"})] * 4
    upstream.script(replies.sse([*events, replies.chunk({}, finish_reason="stop")], 0.2))
    body = good_body(COMPLETIONS) | {"stream": True}

    answer = client.post(COMPLETIONS, json=body, headers={"x-stainless-read-timeout": "0.3"})

    assert answer.data.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "nan", "inf", "1e999", "99999"])
def test_a_limit_that_is_none_changes_nothing(
    client: FlaskClient, upstream: ScriptedUpstream, text: str
) -> None:
    upstream.script(replies.delayed(replies.completion(), 0.1))

    answer = client.post(
        COMPLETIONS, json=good_body(COMPLETIONS), headers={"X-Request-Timeout": text}
    )

    assert answer.status_code == 200


def test_a_client_cannot_wait_longer_than_the_service(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.hang(LONG))
    client = app_of(upstream_env | {"UPSTREAM_TOTAL_TIMEOUT": "0.3"}).test_client()

    answer = client.post(
        COMPLETIONS, json=good_body(COMPLETIONS), headers={"X-Request-Timeout": "9"}
    )

    assert answer.status_code == 504
