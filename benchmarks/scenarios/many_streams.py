"""A thousand streams at once with two workers: how late events are, and whether streams break."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import ratios
from benchmarks.harness.console import announce
from benchmarks.harness.contenders import started
from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import (
    MS_A_SECOND,
    STREAM,
    Target,
    counted_load,
)
from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.ratios import Ratio, ratio_rows
from benchmarks.harness.servers import Server

WORKERS = 2
MAX_P99_MS = 50.0
SETTINGS = {"WEB_CONCURRENCY": str(WORKERS), "MAX_CALLS_IN_PROGRESS": "2000"}
DIRECT = "upstream"
COLUMNS = {"p50_ms": "p50 ms an event", "p99_ms": "p99 ms an event", "cpu_ms": "CPU ms a stream"}
RATIOS = [
    Ratio("p99 an event of many streams, to the build before", "p99_ms", "service", "before"),
    Ratio("CPU a stream of many, to the build before", "cpu_ms", "service", "before"),
]


@dataclasses.dataclass(frozen=True)
class ManySample:
    """The figures of one server in one round; the delays of events are not those added."""

    p50_ms: float
    p99_ms: float
    cpu_ms: float
    broken: int


@dataclasses.dataclass(frozen=True)
class ManyStreams:
    """The figures by server, the upstream alone among them, and the streams that broke."""

    streams: int
    seconds: float
    rounds: int
    servers: Mapping[str, Mapping[str, Figure]]
    broken: Mapping[str, int]
    ratios: Mapping[str, Figure]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        p99 = self.servers["service"]["p99_ms"].median
        return [
            BudgetLine(f"p99 ms an event, {self.streams} streams", MAX_P99_MS, p99),
            BudgetLine("broken streams", 0, self.broken["service"]),
        ]


def measure_many_streams(
    folders: Mapping[str, Path], upstream: Server, streams: int, seconds: float, rounds: int
) -> ManyStreams:
    """Run so many streams directly and through every build in turn."""
    with contextlib.ExitStack() as stack:
        services = [
            started(folder, name, upstream.port, stack, SETTINGS)
            for name, folder in folders.items()
        ]
        measured = []
        for number in range(1, rounds + 1):
            announce(f"{streams} streams, {WORKERS} workers, round {number} of {rounds}")
            order = [upstream, *services]
            measured.append({one.name: sample(one, streams, seconds) for one in order})
    return built(measured, streams, seconds)


def sample(server: Server, streams: int, seconds: float) -> ManySample:
    """Run the streams through one server; those that break are counted and fail nothing."""
    target = Target(server, STREAM)
    before = tree_cpu_seconds(server.pid)
    result = counted_load(target, connections=streams, seconds=seconds)
    cpu_ms = (tree_cpu_seconds(server.pid) - before) * MS_A_SECOND / streams
    return ManySample(result.p50_ms, result.p99_ms, cpu_ms, result.failures)


def built(
    measured: Sequence[Mapping[str, ManySample]], streams: int, seconds: float
) -> ManyStreams:
    """Return the medians and ranges over all rounds."""
    names = list(measured[0])
    return ManyStreams(
        streams=streams,
        seconds=seconds,
        rounds=len(measured),
        servers={
            name: {
                field: figure([getattr(each[name], field) for each in measured])
                for field in COLUMNS
            }
            for name in names
        },
        broken={name: sum(each[name].broken for each in measured) for name in names},
        ratios=ratios.measured(RATIOS, measured),
    )


def many_streams_table(many: ManyStreams) -> str:
    """Return the aligned table of medians with their ranges."""
    rows = [["server", *COLUMNS.values(), "broken"]]
    for name, figures in many.servers.items():
        cells = [str(figures[field]) for field in COLUMNS]
        rows.append([name, *cells, str(many.broken[name])])
    return f"{aligned(rows)}\n\n{aligned(ratio_rows(many.ratios))}"
