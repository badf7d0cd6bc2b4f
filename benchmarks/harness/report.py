"""From rounds to medians, the table on the terminal, the budget and the JSON file."""

import dataclasses
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.measure import Round

MEASURED_SERVER = "service"
REFERENCE_SERVER = "nginx"
BUDGETED_TARGET = "service chat"
COLUMNS = {
    "cpu_ms": "CPU ms a call",
    "throughput_ratio": f"calls/s to {REFERENCE_SERVER}'s",
    "added_p50_ms": "added p50 ms",
    "added_p99_ms": "added p99 ms",
}
DIRECT_COLUMNS = {"direct_p50_ms": "p50 ms", "direct_p99_ms": "p99 ms"}
MISSING = "-"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure over all rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the median and the range, as the table shows them."""
        return f"{self.median:.3f} ({self.low:.3f}..{self.high:.3f})"


@dataclasses.dataclass(frozen=True)
class BudgetLine:
    """A figure, the most it may be, and what was measured."""

    figure: str
    limit: float
    measured: float

    @property
    def verdict(self) -> str:
        """Return `ok` or `over`."""
        return "ok" if self.measured <= self.limit else "over"


@dataclasses.dataclass(frozen=True)
class Report:
    """All figures of a run, by target and name, and each server's largest worker in MiB."""

    rounds: int
    seconds: float
    direct: Mapping[str, Figure]
    targets: Mapping[str, Mapping[str, Figure]]
    worker_mib: Mapping[str, float]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the budget of the chat call with the figures of this run."""
        chat = self.targets[BUDGETED_TARGET]
        return [
            BudgetLine("CPU ms a chat call", 1.2, chat["cpu_ms"].median),
            BudgetLine("added p50 ms", 2, chat["added_p50_ms"].median),
            BudgetLine("worker MiB", 90, self.worker_mib[MEASURED_SERVER]),
        ]


def build_report(
    rounds: Sequence[Round], seconds: float, worker_mib: Mapping[str, float]
) -> Report:
    """Return the medians and ranges over all rounds."""
    labels = rounds[0].samples
    return Report(
        rounds=len(rounds),
        seconds=seconds,
        direct={name: figure([getattr(each, name) for each in rounds]) for name in DIRECT_COLUMNS},
        targets={label: target_figures(rounds, label) for label in labels},
        worker_mib=worker_mib,
    )


def target_figures(rounds: Sequence[Round], label: str) -> dict[str, Figure]:
    """Return one target's figures; the throughput ratio only where nginx was measured."""
    samples = [each.samples[label] for each in rounds]
    figures = {
        name: figure([getattr(sample, name) for sample in samples])
        for name in ("cpu_ms", "added_p50_ms", "added_p99_ms")
    }
    reference = f"{REFERENCE_SERVER} {label.rsplit(maxsplit=1)[-1]}"
    if reference in rounds[0].samples:
        ratios = [
            each.samples[label].requests_per_second / each.samples[reference].requests_per_second
            for each in rounds
        ]
        figures["throughput_ratio"] = figure(ratios)
    return figures


def figure(values: Sequence[float]) -> Figure:
    """Return the median and the range of one figure's values."""
    return Figure(statistics.median(values), min(values), max(values))


def table(report: Report) -> str:
    """Return the aligned table of medians with their ranges, and the direct latency below it."""
    rows = [["target", *COLUMNS.values(), "worker MiB"]]
    for label, figures in report.targets.items():
        cells = [str(figures[name]) if name in figures else MISSING for name in COLUMNS]
        rows.append([label, *cells, f"{report.worker_mib[label.split()[0]]:.1f}"])
    direct = ", ".join(f"{title} {report.direct[name]}" for name, title in DIRECT_COLUMNS.items())
    return f"{aligned(rows)}\n\nupstream without a server between, one connection: {direct}"


def budget_lines(budget: Sequence[BudgetLine]) -> str:
    """Return one line for each budgeted figure."""
    rows = [
        [f"{line.figure} <= {line.limit:g}", f"{line.measured:.2f}", line.verdict]
        for line in budget
    ]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines whose columns start at the same place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """Return what a run was measured on."""
    return {"python": platform.python_version(), "cores": os.cpu_count()}


def budget_json(budget: Sequence[BudgetLine]) -> list[dict[str, Any]]:
    """Return a budget ready for json.dump."""
    return [{**dataclasses.asdict(line), "verdict": line.verdict} for line in budget]
