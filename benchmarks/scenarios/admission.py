"""Too many calls: what a service goes on serving, and what it costs to refuse the others.

The upstream takes the same time for every call, and the service lets so many in at once: so its
capacity is known. Calls come at even intervals, first as many as it can serve, then three times as
many.
"""

import contextlib
import dataclasses
import http.client
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.generator import percentile_ms
from benchmarks.harness.load import loading, run_load, written
from benchmarks.harness.measure import (
    BUSY_CONNECTIONS,
    CHAT,
    MS_A_SECOND,
    SETTLE_SECONDS,
    Target,
    checked_load,
    costed_load,
    generator_checked,
    load_of,
)
from benchmarks.harness.open_loop import Answer, OpenLoad
from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.programs import service_program, slow_upstream_program, upgrade_database
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running

PLACES = 20
SERVICE_SECONDS = 1.0
CAPACITY = PLACES / SERVICE_SECONDS
OVERLOAD = 3
LOAD_SECONDS = 8.0
# Of each load, what was sent in the first moments is left out: the places are still free.
FILLING_SECONDS = 2.0
WARM_UP_SECONDS = 1.0
COST_SECONDS = 1.0
HOLDING_SECONDS = 600.0
MIN_GOODPUT = 0.8
MAX_REFUSAL = 0.1


@dataclasses.dataclass(frozen=True)
class LoadShedder:
    """The figures over all rounds; a ratio is that of one round."""

    rounds: int
    capacity: float
    goodput_at_capacity: Figure
    goodput_overloaded: Figure
    goodput_ratio: Figure
    refused_p95_ms: Figure
    refusal_to_service: Figure
    refusal_cpu_ms: Figure
    call_cpu_ms: Figure
    cpu_ratio: Figure

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        ratio = 1 / self.goodput_ratio.median
        return [
            BudgetLine(f"best goodput to that at {OVERLOAD}x", 1 / MIN_GOODPUT, ratio),
            BudgetLine("refused p95 to service time", MAX_REFUSAL, self.refusal_to_service.median),
        ]


@dataclasses.dataclass(frozen=True)
class Round:
    """One pass: good answers a second at both loads, and what a refusal takes."""

    at_capacity: float
    overloaded: float
    refused_p95_ms: float
    refusal_cpu_ms: float
    call_cpu_ms: float


def measure_admission(root: Path, directory: Path, rounds: int) -> LoadShedder:
    """Return the figures of some rounds; BenchmarkError if a call had no answer, or a wrong one."""
    with contextlib.ExitStack() as stack:
        crowded = start(root, directory / "crowded", stack, SERVICE_SECONDS, PLACES)
        full = start(root, directory / "full", stack, HOLDING_SECONDS, 1)
        free = start(root, directory / "free", stack, 0.0, 1_000)
        checked_load(Target(crowded, CHAT), connections=PLACES, seconds=WARM_UP_SECONDS)
        checked_load(Target(free, CHAT), connections=BUSY_CONNECTIONS, seconds=WARM_UP_SECONDS)
        measured = [measure_round(crowded, full, free) for _ in range(rounds)]
    return admission_figures(measured)


def start(
    root: Path,
    directory: Path,
    stack: contextlib.ExitStack,
    service_seconds: float,
    places: int,
) -> Server:
    """Return a service with so many places, before an upstream that takes so long."""
    directory.mkdir()
    upstream_port, port = free_ports(2)
    upstream = slow_upstream_program(upstream_port, service_seconds, directory)
    stack.enter_context(running(upstream))
    settings = {"MAX_CALLS_IN_PROGRESS": str(places)}
    program = service_program(root, port, upstream_port, directory, settings)
    upgrade_database(program)
    return stack.enter_context(running(program))


@contextlib.contextmanager
def held_call(full: Server) -> Iterator[None]:
    """Let a call hold the only place of a service while the block runs."""
    connection = http.client.HTTPConnection("127.0.0.1", full.port)
    with contextlib.closing(connection):
        connection.request("POST", CHAT.path, CHAT.body, {"Content-Type": "application/json"})
        time.sleep(SETTLE_SECONDS)
        yield


def measure_round(crowded: Server, full: Server, free: Server) -> Round:
    """Measure once."""
    at_capacity = answers(crowded, CAPACITY)
    overloaded = answers(crowded, OVERLOAD * CAPACITY)
    refused = sorted(answer.seconds for answer in overloaded if not answer.is_good)
    if not refused:
        raise BenchmarkError("nothing was refused under overload", crowded.log)
    _, call_cpu_ms = costed_load(
        Target(free, CHAT), connections=BUSY_CONNECTIONS, seconds=COST_SECONDS
    )
    return Round(
        at_capacity=goodput(at_capacity),
        overloaded=goodput(overloaded),
        refused_p95_ms=percentile_ms(refused, 0.95),
        refusal_cpu_ms=cpu_ms_of_refusals(full),
        call_cpu_ms=call_cpu_ms,
    )


def answers(service: Server, calls_a_second: float) -> list[Answer]:
    """Return the answers of a load, but for those of its first moments."""
    load = OpenLoad(
        port=service.port,
        path=CHAT.path,
        body=CHAT.body,
        connections=PLACES,
        seconds=LOAD_SECONDS,
        calls_a_second=calls_a_second,
    )
    with generator_checked(Target(service, CHAT)), loading(load, "open_loop") as process:
        found = [Answer(**fields) for fields in json.loads(written(process, load.seconds))]
    for answer in found:
        if not answer.is_good and answer.reason != "overloaded":
            reason = f"a call was answered with status {answer.status} {answer.reason}"
            raise BenchmarkError(reason, service.log)
    begin = found[0].sent_at + FILLING_SECONDS
    return [answer for answer in found if answer.sent_at >= begin]


def goodput(found: Sequence[Answer]) -> float:
    """Return the good answers of a second."""
    return sum(answer.is_good for answer in found) / (LOAD_SECONDS - FILLING_SECONDS)


def cpu_ms_of_refusals(full: Server) -> float:
    """Return the CPU milliseconds that a service spends on each call that it refuses."""
    target = Target(full, CHAT)
    time.sleep(SETTLE_SECONDS)
    before = tree_cpu_seconds(full.pid)
    with held_call(full), generator_checked(target):
        load = load_of(target, connections=BUSY_CONNECTIONS, seconds=COST_SECONDS)
        result = run_load(load, CHAT.generator)
    time.sleep(SETTLE_SECONDS)
    spent = tree_cpu_seconds(full.pid) - before
    if result.failures != result.requests or " 503 " not in result.first_failure:
        raise BenchmarkError("a full service served a call", full.log)
    return spent * MS_A_SECOND / result.requests


def admission_figures(rounds: Sequence[Round]) -> LoadShedder:
    """Return the medians and ranges over all rounds."""
    service_ms = SERVICE_SECONDS * MS_A_SECOND
    return LoadShedder(
        rounds=len(rounds),
        capacity=CAPACITY,
        goodput_at_capacity=figure([each.at_capacity for each in rounds]),
        goodput_overloaded=figure([each.overloaded for each in rounds]),
        goodput_ratio=figure(
            [each.overloaded / max(each.at_capacity, each.overloaded) for each in rounds]
        ),
        refused_p95_ms=figure([each.refused_p95_ms for each in rounds]),
        refusal_to_service=figure([each.refused_p95_ms / service_ms for each in rounds]),
        refusal_cpu_ms=figure([each.refusal_cpu_ms for each in rounds]),
        call_cpu_ms=figure([each.call_cpu_ms for each in rounds]),
        cpu_ratio=figure([each.refusal_cpu_ms / each.call_cpu_ms for each in rounds]),
    )


def admission_table(report: LoadShedder) -> str:
    """Return the aligned table."""
    rows = [
        ["good answers a second at capacity", str(report.goodput_at_capacity)],
        [f"good answers a second at {OVERLOAD}x", str(report.goodput_overloaded)],
        ["refused p95 ms", str(report.refused_p95_ms)],
        ["CPU ms a refusal", str(report.refusal_cpu_ms)],
        ["CPU ms a chat call", str(report.call_cpu_ms)],
        ["their ratio", str(report.cpu_ratio)],
    ]
    return aligned(rows)
