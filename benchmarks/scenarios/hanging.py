"""A hanging upstream: what its waiting calls cost the calls to another one that is well.

A round measures the healthy model alone, and again while calls to the other one hang, so that both
see the same minute of the machine.
"""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import ill_upstream
from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.load import LoadResult, loading, written
from benchmarks.harness.measure import (
    CHAT,
    MESSAGES,
    SETTLE_SECONDS,
    Target,
    checked,
    checked_load,
    generator_checked,
    load_of,
)
from benchmarks.harness.programs import (
    ill_upstream_program,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from benchmarks.scenarios.calls import warm_up

HANGING_CALLS = 64
HEALTHY_CONNECTIONS = 1
HEALTHY_SECONDS = 1.5
# Each hanging connection sends one call, because its answer comes long after the load's end.
HANGING_SECONDS = 0.01
BEGIN_TIMEOUT = 5.0
BEGIN_PAUSE = 0.02
MAX_RATIO = 1.5
HEALTHY = dataclasses.replace(
    CHAT,
    name="healthy model",
    body=json.dumps({"model": "healthy-model", "messages": MESSAGES, "temperature": 0.7}),
)
HANGING = dataclasses.replace(CHAT, name="hanging model")


@dataclasses.dataclass(frozen=True)
class Hanging:
    """The healthy model's latency before and during, and the ratios of the rounds."""

    calls: int
    rounds: int
    before_p50_ms: Figure
    during_p50_ms: Figure
    p50_ratio: Figure
    before_p99_ms: Figure
    during_p99_ms: Figure
    p99_ratio: Figure

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        return [
            BudgetLine("healthy model's p50 ratio", MAX_RATIO, self.p50_ratio.median),
            BudgetLine("healthy model's p99 ratio", MAX_RATIO, self.p99_ratio.median),
        ]


def measure_hanging(root: Path, directory: Path, rounds: int) -> Hanging:
    """Return the figures of some rounds; BenchmarkError if a call failed or did not hang."""
    with contextlib.ExitStack() as stack:
        ill, service = start_servers(root, directory / "hanging", stack)
        healthy = Target(service, HEALTHY)
        warm_up([healthy, Target(service, HANGING)], HEALTHY_SECONDS)
        before, during = [], []
        for _ in range(rounds):
            before.append(measure_healthy(healthy))
            with hanging_calls(Target(service, HANGING), ill):
                during.append(measure_healthy(healthy))
    return hanging_figures(before, during)


def start_servers(
    root: Path, directory: Path, stack: contextlib.ExitStack
) -> tuple[Server, Server]:
    """Return the upstream that can hang, and the service before it and a healthy one."""
    directory.mkdir()
    ill_port, healthy_port, service_port = free_ports(3)
    settings = {
        "JUDGE_LLM_API_URL": f"http://127.0.0.1:{healthy_port}/v1",
        "JUDGE_LLM_API_KEY": "bench-key",
        "JUDGE_LLM_MODEL": "healthy-model",
        # As many as hang: the hanging model has no place left.
        "UPSTREAM_CONCURRENCY": str(HANGING_CALLS),
    }
    ill = stack.enter_context(running(ill_upstream_program(ill_port, directory)))
    stack.enter_context(running(upstream_program(healthy_port, 1.0, directory)))
    program = service_program(root, service_port, ill_port, directory, settings)
    upgrade_database(program)
    return ill, stack.enter_context(running(program))


def measure_healthy(target: Target) -> LoadResult:
    """Return the latency of the healthy model's calls."""
    time.sleep(SETTLE_SECONDS)
    return checked_load(target, connections=HEALTHY_CONNECTIONS, seconds=HEALTHY_SECONDS)


@contextlib.contextmanager
def hanging_calls(target: Target, ill: Server) -> Iterator[None]:
    """Let calls hang while the block runs; after it, their upstream answers all of them."""
    ill_upstream.become(ill.port, ill_upstream.SILENT)
    load = load_of(target, connections=HANGING_CALLS, seconds=HANGING_SECONDS)
    with generator_checked(target), loading(load, target.route.generator) as process:
        wait_until_all_hang(ill)
        yield
        waiting = ill_upstream.waiting(ill.port)
        ill_upstream.become(ill.port, ill_upstream.WELL)
        result = checked(target, LoadResult(**json.loads(written(process, load.seconds))))
    if not waiting == result.requests == HANGING_CALLS:
        reason = f"{waiting} of {HANGING_CALLS} calls hung to the end"
        raise BenchmarkError(reason, target.server.log)


def wait_until_all_hang(ill: Server) -> None:
    """Return once the upstream has every call; BenchmarkError if it does not get them."""
    give_up_at = time.monotonic() + BEGIN_TIMEOUT
    while (waiting := ill_upstream.waiting(ill.port)) < HANGING_CALLS:
        if time.monotonic() > give_up_at:
            reason = f"{waiting} of {HANGING_CALLS} calls reached the hanging upstream"
            raise BenchmarkError(reason, ill.log)
        time.sleep(BEGIN_PAUSE)


def hanging_figures(before: Sequence[LoadResult], during: Sequence[LoadResult]) -> Hanging:
    """Return the medians and ranges over all rounds; a ratio is that of one round."""
    rounds = list(zip(before, during, strict=True))
    return Hanging(
        calls=HANGING_CALLS,
        rounds=len(rounds),
        before_p50_ms=figure([each.p50_ms for each in before]),
        during_p50_ms=figure([each.p50_ms for each in during]),
        p50_ratio=figure([ill.p50_ms / well.p50_ms for well, ill in rounds]),
        before_p99_ms=figure([each.p99_ms for each in before]),
        during_p99_ms=figure([each.p99_ms for each in during]),
        p99_ratio=figure([ill.p99_ms / well.p99_ms for well, ill in rounds]),
    )


def hanging_table(report: Hanging) -> str:
    """Return the aligned table of both percentiles."""
    rows = [
        ["healthy model", "before ms", "during ms", "ratio"],
        ["p50", str(report.before_p50_ms), str(report.during_p50_ms), str(report.p50_ratio)],
        ["p99", str(report.before_p99_ms), str(report.during_p99_ms), str(report.p99_ratio)],
    ]
    return aligned(rows)
