"""Streams: rounds over the upstream, the service and nginx, and what is reported of them."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.harness.measure import STREAM, Target, checked_load, costed_load
from benchmarks.harness.process import largest_worker_mib
from benchmarks.harness.report import (
    DIRECT_COLUMNS,
    MEASURED_SERVER,
    BudgetLine,
    Figure,
    aligned,
    figure,
)
from benchmarks.harness.servers import Server

# The limits are for so many streams of so many seconds.
BUDGETED_STREAMS = 200
BUDGETED_SECONDS = 5
LIMITS = {
    "cpu_ms": ("CPU ms a stream", 9),
    "added_p50_ms": ("added p50 ms an event", 0.6),
    "added_p99_ms": ("added p99 ms an event", 6),
}


@dataclasses.dataclass(frozen=True)
class StreamSample:
    """The figures of one server in one round."""

    cpu_ms: float
    added_p50_ms: float
    added_p99_ms: float


@dataclasses.dataclass(frozen=True)
class StreamRound:
    """One pass over all servers; the direct figures are the upstream's without any server."""

    direct_p50_ms: float
    direct_p99_ms: float
    samples: Mapping[str, StreamSample]


@dataclasses.dataclass(frozen=True)
class StreamReport:
    """All figures of the streams, by server and name, and each largest worker after them."""

    streams: int
    seconds: float
    rounds: int
    direct: Mapping[str, Figure]
    servers: Mapping[str, Mapping[str, Figure]]
    worker_mib: Mapping[str, float]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the budget with the figures of this run; none for other streams than its own."""
        if (self.streams, self.seconds) != (BUDGETED_STREAMS, BUDGETED_SECONDS):
            return []
        measured = self.servers[MEASURED_SERVER]
        return [
            BudgetLine(title, limit, measured[name].median)
            for name, (title, limit) in LIMITS.items()
        ]


def measure_stream_round(
    upstream: Server, servers: Sequence[Server], streams: int, seconds: float
) -> StreamRound:
    """Run the streams once directly and once through every server."""
    direct = checked_load(Target(upstream, STREAM), connections=streams, seconds=seconds)
    samples = {}
    for server in servers:
        result, cpu_ms = costed_load(Target(server, STREAM), connections=streams, seconds=seconds)
        samples[server.name] = StreamSample(
            cpu_ms=cpu_ms,
            added_p50_ms=result.p50_ms - direct.p50_ms,
            added_p99_ms=result.p99_ms - direct.p99_ms,
        )
    return StreamRound(direct.p50_ms, direct.p99_ms, samples)


def build_stream_report(
    rounds: Sequence[StreamRound], servers: Sequence[Server], streams: int, seconds: float
) -> StreamReport:
    """Return the medians and ranges over all rounds, and the memory as it is now."""
    return StreamReport(
        streams=streams,
        seconds=seconds,
        rounds=len(rounds),
        direct={name: figure([getattr(each, name) for each in rounds]) for name in DIRECT_COLUMNS},
        servers={server.name: server_figures(rounds, server.name) for server in servers},
        worker_mib={server.name: largest_worker_mib(server.pid) for server in servers},
    )


def server_figures(rounds: Sequence[StreamRound], name: str) -> dict[str, Figure]:
    """Return one server's figures."""
    samples = [each.samples[name] for each in rounds]
    return {field: figure([getattr(sample, field) for sample in samples]) for field in LIMITS}


def stream_table(report: StreamReport) -> str:
    """Return the aligned table of medians with their ranges, and the direct delay below it."""
    rows = [["streams", *(title for title, _ in LIMITS.values()), "worker MiB after"]]
    for name, figures in report.servers.items():
        cells = [str(figures[field]) for field in LIMITS]
        rows.append([name, *cells, f"{report.worker_mib[name]:.1f}"])
    direct = ", ".join(f"{title} {report.direct[name]}" for name, title in DIRECT_COLUMNS.items())
    return f"{aligned(rows)}\n\nupstream without a server between, an event: {direct}"
