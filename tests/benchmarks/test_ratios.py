"""Ratios are taken within rounds, and only of what every round has measured."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.harness.figures import Figure
from benchmarks.harness.generator import request_bytes
from benchmarks.harness.load import Load
from benchmarks.harness.measure import CHAT, STREAM, Contender, Target, targets_of
from benchmarks.harness.ratios import Ratio, budget, measured, within
from benchmarks.harness.servers import BenchmarkError, Server
from benchmarks.run import attempt
from benchmarks.scenarios.calls import of_a_peer

HALF = Ratio("half", "cpu_ms", "service chat", "before chat", 0.5)


@dataclass(frozen=True)
class Sample:
    """A figure of a target."""

    cpu_ms: float


def round_of(service: float, before: float) -> dict[str, Sample]:
    """Return one round of two targets."""
    return {"service chat": Sample(service), "before chat": Sample(before)}


def server(name: str, *, is_peer: bool = False) -> Server:
    """Return a server that does not run."""
    return Server(name, 1, 1, Path("/no/log"), is_peer)


def test_a_slow_round_slows_both_sides_of_its_ratio() -> None:
    rounds = [round_of(1, 2), round_of(30, 50), round_of(2, 4)]

    assert measured([HALF], rounds) == {"half": Figure(0.5, 0.5, 0.6)}


def test_a_target_that_was_not_measured_has_no_ratio() -> None:
    rounds = [round_of(1, 2), {"service chat": Sample(1)}]

    assert measured([HALF], rounds) == {}
    assert budget([HALF], {}) == []


def test_a_ratio_to_nothing_is_no_success() -> None:
    assert within(HALF, round_of(1, 0)) == float("inf")


@pytest.mark.parametrize(("median", "verdict"), [(0.5, "ok"), (0.51, "over")])
def test_a_ratio_is_held_against_its_limit(median: float, verdict: str) -> None:
    [line] = budget([HALF], {"half": Figure(median, 0, 9)})

    assert (line.figure, line.limit, line.verdict) == ("half", 0.5, verdict)


def test_a_round_visits_the_same_call_of_all_servers_before_the_next_call() -> None:
    one = Contender(server("one"), [CHAT, STREAM], [])
    two = Contender(server("two"), [CHAT], [])

    labels = [target.label for target in targets_of([one, two])]

    assert labels == ["one chat", "two chat", "one stream"]


def test_only_a_peer_may_fail() -> None:
    error = BenchmarkError("no answer\nHTTP/1.1 500\nmore", Path("/no/log"))

    assert of_a_peer(error, Target(server("p", is_peer=True), CHAT)) == "no answer HTTP/1.1 500"
    with pytest.raises(BenchmarkError):
        of_a_peer(error, Target(server("service"), CHAT))


def test_a_part_that_fails_leaves_the_others_their_figures() -> None:
    failures: dict[str, str] = {}

    def failing() -> int:
        raise BenchmarkError("no disk", Path("/no/log"))

    assert attempt("scale", failures, failing) is None
    assert attempt("calls", failures, lambda: 7) == 7
    assert failures == {"scale": "no disk"}


def test_headers_of_a_load_are_sent() -> None:
    load = Load(1, "/", "{}", 1, 1.0, headers={"Authorization": "Bearer k"})

    head, _, body = request_bytes(load).partition(b"\r\n\r\n")

    assert head.endswith(b"\r\nAuthorization: Bearer k")
    assert body == b"{}"
