"""Several keys and addresses of one upstream share its load, and its limits."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from llm_api.domain.calls import ModelRequest, never
from llm_api.errors import ApiError
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.upstream.asker import PATIENT, described
from tests.upstream.team import (
    ALWAYS,
    BODY,
    Held,
    Team,
    TeamOf,
)


def keys_seen(upstream: ScriptedUpstream) -> Counter[str]:
    """Count the requests by their keys."""
    return Counter(str(request.header("Authorization")) for request in upstream.requests)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_keys_share_the_load_in_turn(
    upstream: ScriptedUpstream, team_of: TeamOf, count: int
) -> None:
    team = team_of(*[upstream.url] * count)

    for _ in range(12):
        team.ask()

    assert keys_seen(upstream) == {f"Bearer key-{n + 1}": 12 // count for n in range(count)}


@pytest.mark.parametrize("count", [2, 3])
def test_keys_share_the_load_of_simultaneous_calls(
    upstream: ScriptedUpstream, team_of: TeamOf, count: int
) -> None:
    team, gate = team_of(*[upstream.url] * count), threading.Event()
    upstream.script(*[Held(gate)] * 12)

    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(team.ask) for _ in range(12)]
        wait_until(lambda: len(upstream.requests) == 12, 30, "all have arrived")
        gate.set()
        assert [answer.result().text for answer in answers] == ["Hello"] * 12

    assert set(keys_seen(upstream).values()) == {12 // count}


def test_addresses_share_the_load_and_each_gets_its_own_key(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    for _ in range(10):
        pair.ask()

    assert keys_seen(upstream) == {"Bearer key-1": 5}
    assert keys_seen(other) == {"Bearer key-2": 5}


def test_the_one_with_fewer_calls_in_progress_gets_the_next(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    gate = threading.Event()
    upstream.script(Held(gate))

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pair.ask)
        wait_until(lambda: upstream.requests, 30, "the slow call has arrived")
        for _ in range(5):
            pair.ask()
        gate.set()
        slow.result()

    assert (len(upstream.requests), len(other.requests)) == (1, 5)


def test_a_second_attempt_goes_to_the_other_also_where_that_is_busier(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    gate = threading.Event()
    pair.ask()
    other.script(Held(gate))

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pair.ask)
        wait_until(lambda: other.requests, 30, "the slow call has arrived")
        upstream.script(ALWAYS["503"])
        assert pair.ask().text == "Hello"
        gate.set()
        slow.result()

    assert [line for line, _ in pair.attempts] == ["scripted/1", "scripted/2"]


def test_the_tries_name_the_lines(pair: Team, team_of: TeamOf, upstream: ScriptedUpstream) -> None:
    upstream.script(ALWAYS["503"])
    pair.ask()
    single = team_of(upstream.url)
    single.ask()

    assert pair.attempts == [("scripted/1", "upstream_unavailable"), ("scripted/2", None)]
    assert single.attempts == [("scripted", None)]


def test_a_read_time_out_is_not_repeated_at_the_other(
    team_of: TeamOf, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(replies.hang(20))
    team = team_of(upstream.url, other.url, timeouts=replace(PATIENT, first_byte=0.3))

    error = team.fail()

    assert described(error) == (504, "upstream_timeout", True)
    assert (team.attempts, other.requests) == ([("scripted/1", "upstream_timeout")], [])


@pytest.mark.parametrize(
    "reply",
    [
        replies.api_error(429, "limit_requests"),
        replies.api_error(429, "limit_requests", headers=[("Retry-After", "3600")]),
        replies.api_error(429, "insufficient_quota"),
        replies.json_reply(200, {"error": {"code": "Throttling", "message": "x"}}),
    ],
    ids=["plain", "long wait", "spent", "in a 200"],
)
def test_a_limit_of_one_key_goes_to_the_other_at_once(
    pair: Team, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.script(*[reply] * 5)

    texts = [pair.ask().text for _ in range(12)]

    assert texts == ["Hello"] * 12
    assert pair.pauses == []
    assert sum(call.attempt_count for call in pair.calls) == 12 + 5
    # Limiting is no illness: the key is not left out.
    assert pair.calls[-1].attempts[0].endpoint != pair.calls[-2].attempts[0].endpoint


@pytest.mark.parametrize(
    "reply",
    [
        replies.api_error(400, "InvalidParameter"),
        replies.api_error(400, "DataInspectionFailed"),
        replies.api_error(404, "ModelNotFound"),
        replies.json_reply(200, {"choices": []}),
    ],
    ids=["parameter", "filter", "model", "no choices"],
)
def test_what_the_other_would_answer_as_well_is_not_asked_twice(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream, reply: Reply
) -> None:
    upstream.script(reply)

    pair.fail()

    assert (pair.calls[-1].attempt_count, other.requests) == (1, [])


def test_the_budget_bounds_the_repeats_at_other_keys(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(429, "limit_requests")] * 200)
    errors = []
    for _ in range(200):
        with suppress(ApiError):
            pair.ask()
            continue
        errors.append(pair.calls[-1].attempt_count)

    hits = len(upstream.requests) + len(other.requests)
    assert 200 + 10 < hits <= 200 * 1.2
    assert len(errors) + hits - 200 == len(upstream.requests)
    assert set(errors) == {1}


def test_a_stream_that_does_not_begin_goes_to_the_other(
    pair: Team, upstream: ScriptedUpstream
) -> None:
    upstream.script(ALWAYS["503"])
    call = pair.client.new_call(never, lambda: None, is_streamed=True)

    stream = pair.client.stream("asked", ModelRequest("asked", BODY), call)
    chunks = [chunk for batch in stream for chunk in batch]

    assert b"Hel" in b"".join(chunks)
    assert [attempt.endpoint for attempt in call.attempts] == ["scripted/1", "scripted/2"]


def test_a_stream_that_breaks_off_does_not(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    hello = replies.chunk({"content": "Hel"})
    upstream.script(replies.sse([hello], done=False, silence_s=0.2, ending="reset"))
    call = pair.client.new_call(never, lambda: None, is_streamed=True)
    batches = iter(pair.client.stream("asked", ModelRequest("asked", BODY), call))

    next(batches)
    with pytest.raises(ApiError) as raised:
        list(batches)

    assert raised.value.reason == "upstream_truncated"
    assert (call.attempt_count, other.requests) == (1, [])


def test_closing_closes_the_connections_of_all(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    for _ in range(2):
        pair.ask()
    assert (upstream.open_connections, other.open_connections) == (1, 1)

    pair.client.close()

    wait_until(lambda: not upstream.open_connections, 10, "the first is closed")
    wait_until(lambda: not other.open_connections, 10, "the second is closed")
