"""Calls: from rounds to medians, the table on the terminal and the budget."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.harness.figures import MISSING, BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import Round
from benchmarks.harness.ratios import Ratio, budget, measured, ratio_rows

MEASURED_SERVER = "service"
REFERENCE_SERVER = "nginx"
BUDGETED_TARGET = "service chat"
KEYED_TARGET = "service-with-key chat"
COLUMNS = {
    "cpu_ms": "CPU ms a call",
    "throughput_ratio": f"calls/s to {REFERENCE_SERVER}'s",
    "added_p50_ms": "added p50 ms",
    "added_p99_ms": "added p99 ms",
}
DIRECT_COLUMNS = {"direct_p50_ms": "p50 ms", "direct_p99_ms": "p99 ms"}
RATIOS = [
    Ratio("CPU a chat call, to the build before", "cpu_ms", BUDGETED_TARGET, "before chat", 0.5),
    Ratio("CPU a chat call, to Portkey", "cpu_ms", BUDGETED_TARGET, "portkey chat", 0.57),
    Ratio("CPU a chat call, to LiteLLM", "cpu_ms", BUDGETED_TARGET, "litellm chat", 0.08),
    Ratio(
        "CPU a chat call with a key, its limits and a budget, to the plain call",
        "cpu_ms",
        KEYED_TARGET,
        BUDGETED_TARGET,
        1.35,
    ),
    Ratio("the same of the build before", "cpu_ms", "before-with-key chat", "before chat"),
    Ratio(
        "CPU a chat call with a key, to the build before",
        "cpu_ms",
        KEYED_TARGET,
        "before-with-key chat",
    ),
    Ratio(
        "CPU a call of /api/v1/llm/chat, to the build before",
        "cpu_ms",
        "service rest",
        "before rest",
    ),
    Ratio(
        "CPU a call of /v1/responses, to the chat call",
        "cpu_ms",
        "service responses",
        BUDGETED_TARGET,
        1.25,
    ),
]


@dataclasses.dataclass(frozen=True)
class Report:
    """All figures of a run, by target and name, and each server's largest worker in MiB.

    `failed` has the first failure of every peer that could not answer.
    """

    rounds: int
    seconds: float
    direct: Mapping[str, Figure]
    targets: Mapping[str, Mapping[str, Figure]]
    ratios: Mapping[str, Figure]
    worker_mib: Mapping[str, float]
    failed: Mapping[str, str]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the budget of the chat call with the figures of this run."""
        chat = self.targets[BUDGETED_TARGET]
        return [
            BudgetLine("CPU ms a chat call", 1.2, chat["cpu_ms"].median),
            BudgetLine("added p50 ms", 2, chat["added_p50_ms"].median),
            BudgetLine("worker MiB", 90, self.worker_mib[MEASURED_SERVER]),
            *budget(RATIOS, self.ratios),
        ]


def build_report(
    rounds: Sequence[Round],
    seconds: float,
    worker_mib: Mapping[str, float],
    failed: Mapping[str, str],
) -> Report:
    """Return the medians and ranges over all rounds, without the targets that failed."""
    labels = [label for label in rounds[0].samples if label not in failed]
    return Report(
        rounds=len(rounds),
        seconds=seconds,
        direct={name: figure([getattr(each, name) for each in rounds]) for name in DIRECT_COLUMNS},
        targets={label: target_figures(rounds, label) for label in labels},
        ratios=measured(RATIOS, [each.samples for each in rounds]),
        worker_mib=worker_mib,
        failed=failed,
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


def table(report: Report) -> str:
    """Return the aligned table of medians with their ranges, with what belongs to it below it."""
    rows = [["target", *COLUMNS.values(), "worker MiB"]]
    for label, figures in report.targets.items():
        cells = [str(figures[name]) if name in figures else MISSING for name in COLUMNS]
        rows.append([label, *cells, f"{report.worker_mib[label.split()[0]]:.1f}"])
    direct = ", ".join(f"{title} {report.direct[name]}" for name, title in DIRECT_COLUMNS.items())
    below = f"upstream without a server between, one connection: {direct}"
    failed = [f"{label} failed: {why}" for label, why in report.failed.items()]
    return "\n\n".join([aligned(rows), below, *failed, aligned(ratio_rows(report.ratios))])
