"""A broken key or address of one upstream costs no caller an answer while another one works."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.upstream.asker import PATIENT, described
from tests.upstream.team import (
    ALWAYS,
    HITS_UNTIL_OPEN,
    IN_A_ROW,
    MANY,
    OPEN_S,
    REASONS,
    Gathering,
    GatheringPolicy,
    Held,
    Team,
    TeamOf,
    broken_address,
)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("kind", REASONS)
def test_one_that_is_broken_costs_no_caller_an_answer(
    team_of: TeamOf,
    upstream: ScriptedUpstream,
    other: ScriptedUpstream,
    kind: str,
    *,
    is_first: bool,
) -> None:
    hasty = replace(PATIENT, connect=0.5)
    with broken_address(kind, upstream) as broken:
        urls = [broken, other.url] if is_first else [other.url, broken]
        team = team_of(*urls, timeouts=hasty)
        texts = [team.ask().text for _ in range(14)]

    assert texts == ["Hello"] * 14
    failed = [call.attempts for call in team.calls if call.attempt_count > 1]
    assert all(len(tries) == 2 for tries in failed)
    assert len(failed) == HITS_UNTIL_OPEN.get(kind, IN_A_ROW)
    assert {tries[0].reason for tries in failed} == {REASONS[kind]}
    assert all(tries[0].endpoint != tries[1].endpoint for tries in failed)
    # The other key is not at fault: nothing is waited for.
    assert team.pauses == []
    assert len(other.requests) == 14


@pytest.mark.parametrize("kind", ALWAYS)
def test_one_that_is_left_out_is_tried_again_when_its_time_is_over(
    pair: Team, upstream: ScriptedUpstream, kind: str
) -> None:
    upstream.script(*[ALWAYS[kind]] * MANY)
    for _ in range(14):
        pair.ask()
    seen = [len(upstream.requests)]

    for seconds in (OPEN_S - 1, 1, 2 * OPEN_S - 1, 1):  # the second wait is twice as long
        pair.pass_time(seconds)
        for _ in range(4):
            assert pair.ask().text == "Hello"
        seen.append(len(upstream.requests))
    upstream.clear()
    pair.pass_time(4 * OPEN_S)
    attempts = [(pair.ask(), pair.calls[-1].attempt_count)[1] for _ in range(6)]

    assert [count - seen[0] for count in seen[1:]] == [0, 1, 1, 2]
    assert attempts == [1] * 6
    assert len(upstream.requests) == 3


def test_the_probe_of_a_broken_one_is_one_call_also_when_many_come_at_once(
    team_of: TeamOf, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    team, gate = team_of(upstream.url, other.url), threading.Event()
    upstream.script(ALWAYS["401"])
    team.ask()
    upstream.clear()
    upstream.script(*[Held(gate)] * MANY)
    team.pass_time(OPEN_S)

    with ThreadPoolExecutor(8) as pool:
        probe = pool.submit(team.ask)
        wait_until(lambda: upstream.requests, 30, "the probe has arrived")
        answers = [pool.submit(team.ask) for _ in range(7)]
        assert [answer.result().text for answer in answers] == ["Hello"] * 7
        gate.set()
        probe.result()

    assert (len(upstream.requests), len(other.requests)) == (1, 8)


def test_two_calls_that_see_a_probe_due_in_one_moment_both_get_an_answer(
    team_of: TeamOf, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    team = team_of(upstream.url, other.url, policy=GatheringPolicy)
    upstream.script(ALWAYS["401"])
    team.ask()
    team.pass_time(OPEN_S)
    Gathering.barrier = Barrier(2)
    try:
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(team.ask) for _ in range(2)]
            texts = [answer.result().text for answer in answers]
    finally:
        Gathering.barrier = None

    assert texts == ["Hello", "Hello"]


@pytest.mark.parametrize("kind", ["401", "503"])
def test_where_all_are_broken_the_error_is_told(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream, kind: str
) -> None:
    for server in (upstream, other):
        server.script(*[ALWAYS[kind]] * MANY)

    error = pair.fail()

    expected = {
        "401": (502, "upstream_auth", False),
        "503": (503, "upstream_unavailable", True),
    }
    assert described(error) == expected[kind]
    assert error.retries_exhausted
    assert pair.attempts == [("scripted/1", REASONS[kind]), ("scripted/2", REASONS[kind])]
    for _ in range(20):
        pair.fail()
        assert pair.calls[-1].attempt_count <= 2
    assert len(upstream.requests) == len(other.requests) == HITS_UNTIL_OPEN[kind]


def test_where_all_are_left_out_none_is_asked(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(ALWAYS["401"])
    other.script(ALWAYS["401"])
    pair.fail()
    pair.pass_time(3)

    error = pair.fail()

    assert described(error) == (503, "circuit_open", True)
    assert (error.retry_after, pair.attempts) == (OPEN_S - 3, [])


def test_the_last_one_that_works_is_repeated_with_a_pause(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(ALWAYS["401"])
    pair.ask()
    other.script(ALWAYS["503"])

    assert pair.ask().text == "Hello"

    assert [line for line, _ in pair.attempts] == ["scripted/2"] * 2
    assert sum(pair.pauses) == pytest.approx(0.25)


def test_a_look_at_the_upstream_goes_to_one_that_works(
    pair: Team, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(ALWAYS["401"], ALWAYS["401"])
    pair.ask()

    assert [pair.client.probe() for _ in range(3)] == ["ok"] * 3
    assert len(other.requests) == 4
