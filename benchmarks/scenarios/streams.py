"""Streams: rounds over the upstream and every server, and what is reported of them."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.harness import ratios
from benchmarks.harness.console import announce
from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import (
    STREAM,
    Contender,
    Target,
    checked_load,
    costed_load,
    stream_targets_of,
)
from benchmarks.harness.process import largest_worker_mib
from benchmarks.harness.ratios import Ratio, ratio_rows
from benchmarks.harness.report import DIRECT_COLUMNS
from benchmarks.harness.servers import BenchmarkError, Server
from benchmarks.scenarios.calls import of_a_peer

# The limits are for so many streams of so many seconds.
BUDGETED_STREAMS = 200
BUDGETED_SECONDS = 5
LIMITS = {
    "cpu_ms": ("CPU ms a stream", 9),
    "added_p50_ms": ("added p50 ms an event", 0.6),
    "added_p99_ms": ("added p99 ms an event", 6),
}


BUDGETED_TARGET = "service stream"
RATIOS = [
    Ratio("CPU a stream, to the build before", "cpu_ms", BUDGETED_TARGET, "before stream", 0.6),
    Ratio(
        "added p99 an event, to the build before",
        "added_p99_ms",
        BUDGETED_TARGET,
        "before stream",
        0.35,
    ),
    Ratio("CPU a stream, to Portkey, mended", "cpu_ms", BUDGETED_TARGET, "portkey-mended stream"),
    Ratio("CPU a stream, to LiteLLM", "cpu_ms", BUDGETED_TARGET, "litellm stream"),
    Ratio(
        "CPU a stream with a key, its limits and a budget, to the plain stream",
        "cpu_ms",
        "service-with-key stream",
        BUDGETED_TARGET,
    ),
    Ratio(
        "CPU a stream of /v1/responses, to the stream of a chat",
        "cpu_ms",
        "service responses-stream",
        BUDGETED_TARGET,
        1.25,
    ),
]


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
    failed: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class StreamReport:
    """All figures of the streams, by target and name, and each largest worker after them.

    `failed` has the first failure of every peer that could not carry them.
    """

    streams: int
    seconds: float
    rounds: int
    direct: Mapping[str, Figure]
    targets: Mapping[str, Mapping[str, Figure]]
    ratios: Mapping[str, Figure]
    worker_mib: Mapping[str, float]
    failed: Mapping[str, str]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the budget with the figures of this run; none for other streams than its own."""
        if (self.streams, self.seconds) != (BUDGETED_STREAMS, BUDGETED_SECONDS):
            return []
        measured = self.targets[BUDGETED_TARGET]
        lines = [
            BudgetLine(title, limit, measured[name].median)
            for name, (title, limit) in LIMITS.items()
        ]
        return lines + ratios.budget(RATIOS, self.ratios)


def measure_streams(
    upstream: Server, contenders: Sequence[Contender], streams: int, seconds: float, rounds: int
) -> StreamReport:
    """Run the streams in turn, round by round; a peer that fails is left out from then on."""
    failed: dict[str, str] = {}
    measured = []
    for number in range(1, rounds + 1):
        announce(f"{streams} streams, round {number} of {rounds}")
        targets = [each for each in stream_targets_of(contenders) if each.label not in failed]
        measured.append(measure_stream_round(Target(upstream, STREAM), targets, streams, seconds))
        failed |= measured[-1].failed
    worker_mib = {one.server.name: largest_worker_mib(one.server.pid) for one in contenders}
    return build_stream_report(measured, streams, seconds, worker_mib)


def measure_stream_round(
    upstream: Target, targets: Sequence[Target], streams: int, seconds: float
) -> StreamRound:
    """Run the streams once directly and once through every target."""
    direct = checked_load(upstream, connections=streams, seconds=seconds)
    samples, failed = {}, {}
    for target in targets:
        try:
            result, cpu_ms = costed_load(target, connections=streams, seconds=seconds)
        except BenchmarkError as error:
            failed[target.label] = of_a_peer(error, target)
            continue
        samples[target.label] = StreamSample(
            cpu_ms=cpu_ms,
            added_p50_ms=result.p50_ms - direct.p50_ms,
            added_p99_ms=result.p99_ms - direct.p99_ms,
        )
    return StreamRound(direct.p50_ms, direct.p99_ms, samples, failed)


def build_stream_report(
    rounds: Sequence[StreamRound], streams: int, seconds: float, worker_mib: Mapping[str, float]
) -> StreamReport:
    """Return the medians and ranges over all rounds."""
    failed = {label: why for each in rounds for label, why in each.failed.items()}
    labels = [label for label in rounds[0].samples if label not in failed]
    samples = [each.samples for each in rounds]
    return StreamReport(
        streams=streams,
        seconds=seconds,
        rounds=len(rounds),
        direct={name: figure([getattr(each, name) for each in rounds]) for name in DIRECT_COLUMNS},
        targets={label: target_figures(samples, label) for label in labels},
        ratios=ratios.measured(RATIOS, samples),
        worker_mib=worker_mib,
        failed=failed,
    )


def target_figures(
    samples: Sequence[Mapping[str, StreamSample]], label: str
) -> Mapping[str, Figure]:
    """Return one target's figures."""
    return {field: figure([getattr(each[label], field) for each in samples]) for field in LIMITS}


def stream_table(report: StreamReport) -> str:
    """Return the aligned table of medians with their ranges, with what belongs to it below it."""
    rows = [["streams", *(title for title, _ in LIMITS.values()), "worker MiB after"]]
    for label, figures in report.targets.items():
        cells = [str(figures[field]) for field in LIMITS]
        rows.append([label, *cells, f"{report.worker_mib[label.split()[0]]:.1f}"])
    direct = ", ".join(f"{title} {report.direct[name]}" for name, title in DIRECT_COLUMNS.items())
    below = f"upstream without a server between, an event: {direct}"
    failed = [f"{label} failed: {why}" for label, why in report.failed.items()]
    return "\n\n".join([aligned(rows), below, *failed, aligned(ratio_rows(report.ratios))])
