"""What every answer says of itself in its headers."""

import re

import pytest
from flask.testing import FlaskClient

from llm_api.web.lifecycle import _duration
from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body

TIMING = re.compile(
    r"queue;dur=\d+\.\d, upstream;dur=(\d+\.\d)(, first_token;dur=\d+\.\d)?, own;dur=\d+\.\d"
)


@pytest.mark.parametrize("path", CHATS)
def test_an_answer_says_where_its_time_went(
    client: FlaskClient, upstream: ScriptedUpstream, path: str
) -> None:
    upstream.script(replies.delayed(replies.completion(), 0.2))

    headers = client.post(path, json=good_body(path)).headers

    spent = TIMING.fullmatch(headers["Server-Timing"])
    assert spent is not None
    assert float(spent[1]) >= 200
    assert int(headers["openai-processing-ms"]) >= 200
    assert headers["x-request-id"] == headers["request-id"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/api/v1/llm/chat"])
def test_answers_without_an_upstream_say_so_too(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["Server-Timing"].startswith("queue;dur=0.0, upstream;dur=0.0, own;dur=")
    assert headers["openai-processing-ms"].isdecimal()


def test_an_answer_says_how_far_the_limit_is(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    client = app_of(upstream_env | {"RATE_LIMIT": "3/minute;100/day"}).test_client()

    answers = [client.post(COMPLETIONS, json=good_body(COMPLETIONS)) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    left = [answer.headers["x-ratelimit-remaining-requests"] for answer in answers]
    assert left == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"3"}
    for answer in answers:
        assert re.fullmatch(r"(\d+m)?\d+s|\d+ms", answer.headers["x-ratelimit-reset-requests"])


def test_a_refusal_gives_its_wait_in_milliseconds_too(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | {"RATE_LIMIT": "1/hour"}).test_client()
    client.get("/v1/models")

    headers = client.get("/v1/models").headers

    assert int(headers["retry-after-ms"]) == 1000 * int(headers["Retry-After"])


@pytest.mark.parametrize(("limit", "should_retry"), [("1/year", "false"), ("1/minute", None)])
def test_a_refusal_that_lasts_longer_than_sdks_wait_tells_them_not_to_repeat(
    app_of: AppOf, upstream_env: dict[str, str], limit: str, should_retry: str | None
) -> None:
    client = app_of(upstream_env | {"RATE_LIMIT": limit}).test_client()
    while (answer := client.get("/v1/models")).status_code == 200:
        pass

    assert answer.status_code == 429
    wait = int(answer.headers["Retry-After"])  # the time it takes, however long
    assert wait >= 1
    assert (wait > 60) == (should_retry == "false")
    assert answer.headers.get("x-should-retry") == should_retry


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wait", "should_retry"), [("20", None), ("60", None), ("61", "false"), ("3600", "false")]
)
def test_an_upstream_that_wants_to_be_left_alone_longer_than_sdks_wait_is(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    status: int,
    wait: str,
    should_retry: str | None,
) -> None:
    upstream.script(*[replies.api_error(status, headers=[("Retry-After", wait)])] * 2)
    bodies = [good_body(COMPLETIONS) | {"stream": is_streamed} for is_streamed in (True, False)]

    answers = [client.post(COMPLETIONS, json=body) for body in bodies]

    for answer in answers:
        assert answer.status_code == status
        assert int(answer.headers["Retry-After"]) == int(wait)
        assert answer.headers.get("x-should-retry") == should_retry
    assert len(upstream.requests) == 2


def test_the_probes_have_no_limit_to_speak_of(client: FlaskClient) -> None:
    assert "x-ratelimit-limit-requests" not in client.get("/healthz").headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (-1, "0ms"),
        (0.012, "12ms"),
        (1, "1s"),
        (1.2, "2s"),
        (61, "1m1s"),
        (360, "6m0s"),
        (3_600, "1h0m0s"),
        (86_399.5, "24h0m0s"),
    ],
)
def test_a_time_is_written_as_openai_does(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


def test_an_error_of_the_upstream_says_how_long_it_took(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(503)] * 2)

    answer = client.post(CHAT, json=good_body(CHAT))

    spent = TIMING.fullmatch(answer.headers["Server-Timing"])
    assert answer.status_code == 503
    assert spent is not None
    assert float(spent[1]) > 0
