"""What a soak sends, what it reads of processes, and what it calls broken."""

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.soak import verdicts
from benchmarks.soak.__main__ import parse_arguments
from benchmarks.soak.mix import KINDS, MARK, calls
from benchmarks.soak.run import Plan
from benchmarks.soak.samples import (
    CHILD,
    MASTER,
    WORKER,
    ProcessSample,
    memory_of,
    sampled,
    sockets_to,
)
from benchmarks.soak.verdicts import Finding

ROLLUP = """\
5580a0000000-7ffd00000000 ---p 00000000 00:00 0    [rollup]
Rss:               10240 kB
Pss:                5120 kB
Private_Clean:      1024 kB
Private_Dirty:      2048 kB
"""
AT_REST = ProcessSample(
    "7@100", WORKER, 0, 90, 80, 70, descriptors=40, upstream_connections=5, threads=12
)
MARK_S = 600.0


def growing(*mib: float) -> list[ProcessSample]:
    """Return an hour of a worker, a sample every 100 s, whose memory changes evenly by turns."""
    return [
        replace(AT_REST, at=100.0 * number, rss_mib=mib[number * len(mib) // 36])
        for number in range(36)
    ]


def are_well(findings: Sequence[Finding]) -> list[bool]:
    """Return the verdicts alone."""
    return [one.is_well for one in findings]


def test_the_traffic_has_its_shares_and_soon_every_caller_and_model() -> None:
    secrets = [f"key-{number}" for number in range(50)]

    sent = list(islice(calls(secrets, 30), 1_000))

    assert Counter(one.kind for one in sent) == {
        name: kind.share * 10 for name, kind in KINDS.items() if kind.share
    }
    assert {one.headers["Authorization"] for one in sent} == {f"Bearer {one}" for one in secrets}
    assert len({one.kind for one in sent if one.headers["Authorization"] == "Bearer key-7"}) > 5
    words = {word for one in sent for word in one.body.split(b'"')}
    assert len({word for word in words if word.startswith(b"known-model-")}) == 20
    assert len({word for word in words if word.startswith(b"other-model-")}) == 10


def test_every_call_says_which_it_is() -> None:
    sent = list(islice(calls(["key"], 3), 200))

    marks = [MARK.findall(one.body) for one in sent]

    assert marks == [[(one.kind.encode(), b"%d" % n)] for n, one in enumerate(sent)]


def test_memory_is_read_in_mib() -> None:
    assert memory_of(ROLLUP) == (10, 5, 3)


def test_a_process_and_what_it_started_are_sampled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        samples = {one.process.split("@")[0]: one for one in sampled(os.getpid(), 1, 0)}
        child.communicate(b"\n")

    mine, other = samples[str(os.getpid())], samples[str(child.pid)]
    assert (mine.role, other.role) == (MASTER, CHILD)
    assert mine.rss_mib >= mine.pss_mib >= mine.private_mib > 1
    assert mine.descriptors >= 3
    assert mine.threads >= 1


@pytest.mark.parametrize(
    ("mib", "is_well"),
    [((90, 92), True), ((90, 96), False), ((90, 80), False), ((50, 90, 90, 90, 90, 90), False)],
)
def test_memory_may_change_by_a_twentieth_after_a_sixth(
    mib: tuple[float, ...], *, is_well: bool
) -> None:
    assert are_well(verdicts.memory(growing(*mib), MARK_S)) == [is_well]


def test_memory_of_the_first_sixth_may_grow() -> None:
    samples = [replace(one, rss_mib=40) if one.at < 100 else one for one in growing(90)]

    assert are_well(verdicts.memory(samples, MARK_S)) == [True]


def test_a_worker_that_was_replaced_is_broken() -> None:
    samples = growing(90)
    later = [replace(one, process="8@900") for one in samples[20:]]

    assert False in are_well(verdicts.memory([*samples[:20], *later], MARK_S))


def test_a_worker_that_ended_before_the_last_samples_is_broken() -> None:
    short = [replace(one, process="8@100") for one in growing(90)[:20]]

    assert are_well(verdicts.memory([*short, *growing(90)], MARK_S)) == [False, True]


@pytest.mark.parametrize(
    ("held", "is_well"),
    [
        ({"descriptors": AT_REST.descriptors + verdicts.KEPT_DESCRIPTORS}, True),
        ({"descriptors": AT_REST.descriptors + verdicts.KEPT_DESCRIPTORS + 1}, False),
        ({"threads": AT_REST.threads + verdicts.KEPT_THREADS + 1}, False),
        ({"upstream_connections": 10}, True),
        ({"upstream_connections": 11}, False),
    ],
)
def test_what_is_held_at_rest_stays_within_what_is_kept_open(
    held: dict[str, int], *, is_well: bool
) -> None:
    after = replace(AT_REST, **held)

    assert are_well(verdicts.at_rest([AT_REST], [after], 10)) == [is_well]


def test_connections_to_the_upstream_are_known_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            link = Path(f"/proc/self/fd/{client.fileno()}").readlink()

            assert sockets_to(port, Path("/proc/self/net/tcp").read_text()) == {str(link)}


def test_a_process_that_came_or_went_is_broken() -> None:
    assert are_well(verdicts.at_rest([AT_REST], [], 10)) == [False]
    assert are_well(verdicts.at_rest([], [AT_REST], 10)) == [False]


def test_the_most_of_descriptors_and_threads_is_bounded_by_the_calls() -> None:
    many = replace(AT_REST, descriptors=AT_REST.descriptors + 5_000)
    threads = replace(AT_REST, threads=AT_REST.threads + verdicts.POOLED_THREADS + 1)

    assert are_well(verdicts.bounds([AT_REST], [AT_REST], 10)) == [True]
    assert are_well(verdicts.bounds([many, AT_REST], [AT_REST], 10)) == [False]
    assert are_well(verdicts.bounds([threads, AT_REST], [AT_REST], 10)) == [False]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ({"ok": 5, "client_closed": 2}, [True, True]),
        ({"ok": 6, "client_closed": 1}, [False, False]),
        ({"ok": 5}, [False, True]),
        ({"ok": 5, "client_closed": 2, "killed": 1}, [True, False, True]),
    ],
)
def test_the_ledger_has_every_call_with_its_status(
    rows: dict[str, int], verdict: list[bool]
) -> None:
    reached = {"chat": 3, "rest": 2, "chat_left": 2}

    assert are_well(verdicts.accounts(reached, rows)) == verdict


def test_calls_without_an_answer_are_lost() -> None:
    assert are_well(verdicts.answers({"chat": {"200": 5}, "chat_left": {"left": 1}})) == [True]
    assert are_well(verdicts.answers({"chat": {"200": 5, "no answer: timeout": 1}})) == [False]


def test_an_hour_is_sampled_every_ten_seconds_and_compared_from_ten_minutes_on() -> None:
    assert (Plan(3_600, 15).pause, Plan(3_600, 15).mark) == (10, 600)
    assert (Plan(180, 15).pause, Plan(180, 15).mark) == (1, 30)


@pytest.mark.parametrize("options", [["--minutes", "0"], ["--rate", "-1"], ["--nice", "20"]])
def test_numbers_without_sense_are_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(options)
