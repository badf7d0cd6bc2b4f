"""What a run has measured: as JSON, and on the terminal."""

import dataclasses
import os
import platform
from collections.abc import Sequence
from typing import Any

from benchmarks.harness.figures import BudgetLine, budget_json, budget_lines, machine
from benchmarks.harness.report import REFERENCE_SERVER, Report, table
from benchmarks.scenarios.outages import OutageReport
from benchmarks.scenarios.streams import StreamReport, stream_table


@dataclasses.dataclass(frozen=True)
class Results:
    """The parts of a run; those that were left out are None or empty."""

    refusals: Sequence[BudgetLine] = ()
    calls: Report | None = None
    streams: StreamReport | None = None
    outages: OutageReport | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all figures with their budgets and what they were measured on."""
        return {
            **machine(),
            **(with_budget(self.calls) or {}),
            "streams": with_budget(self.streams),
            "refusals": budget_json(self.refusals),
            "outages": self.outages and self.outages.as_json(),
        }


def with_budget(report: Report | StreamReport | None) -> dict[str, Any] | None:
    """Return a report's figures with their budget, None for a part that was left out."""
    if report is None:
        return None
    return {**dataclasses.asdict(report), "budget": budget_json(report.budget)}


def print_results(results: Results) -> None:
    """Print the tables and budgets of every part that was measured."""
    if results.calls is not None:
        print_costs(results.calls, results.streams, results.refusals)
    if results.calls is not None and results.outages is not None:
        print()
    if results.outages is not None:
        print(results.outages)


def print_costs(
    report: Report, streams: StreamReport | None, refusals: Sequence[BudgetLine]
) -> None:
    """Print the tables and budgets of calls, streams and refusals."""
    scope = f"medians (min..max), rounds: {report.rounds}, seconds a load: {report.seconds:g}"
    print(f"{scope}, Python {platform.python_version()}, cores: {os.cpu_count()}\n")
    print(table(report))
    if REFERENCE_SERVER not in report.worker_mib:
        print(f"{REFERENCE_SERVER} is not installed: there is nothing to compare with")
    print(f"\n{budget_lines(report.budget)}")
    if streams is not None:
        print(f"\n{streams.streams} streams of {streams.seconds:g} s, rounds: {streams.rounds}\n")
        print(stream_table(streams))
        if streams.budget:
            print(f"\n{budget_lines(streams.budget)}")
    print("\nCPU time of hostile input, as a multiple of json.loads of it or of large reads\n")
    print(budget_lines(refusals))
