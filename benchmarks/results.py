"""What a run has measured: as JSON, and on the terminal."""

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.figures import BudgetLine, budget_json, budget_lines, machine
from benchmarks.harness.report import REFERENCE_SERVER, Report, table
from benchmarks.scenarios.footprint import Footprint, footprint_table
from benchmarks.scenarios.many_streams import WORKERS, ManyStreams, many_streams_table
from benchmarks.scenarios.outages import OutageReport
from benchmarks.scenarios.own_time import OwnTime, own_time_table
from benchmarks.scenarios.scale import Growth, scale_table
from benchmarks.scenarios.stores import Stores, stores_table
from benchmarks.scenarios.streams import StreamReport, stream_table

Part = Report | StreamReport | ManyStreams | OwnTime | Footprint


@dataclasses.dataclass(frozen=True)
class Results:
    """The parts of a run; those that were left out are None or empty.

    `measured` names the commits and the peers, and says when; `failures` are parts that failed.
    """

    refusals: Sequence[BudgetLine] = ()
    calls: Report | None = None
    streams: StreamReport | None = None
    many_streams: ManyStreams | None = None
    prompts: OwnTime | None = None
    footprint: Footprint | None = None
    stores: Stores | None = None
    scale: Sequence[Growth] = ()
    outages: OutageReport | None = None
    measured: Mapping[str, str] = dataclasses.field(default_factory=dict)
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return all figures with their budgets and what they were measured on."""
        return {
            **machine(),
            "measured": dict(self.measured),
            "failures": dict(self.failures),
            **(with_budget(self.calls) or {}),
            "streams": with_budget(self.streams),
            "many_streams": with_budget(self.many_streams),
            "prompts": with_budget(self.prompts),
            "footprint": with_budget(self.footprint),
            "stores": self.stores and dataclasses.asdict(self.stores),
            "scale": [dataclasses.asdict(growth) for growth in self.scale],
            "refusals": budget_json(self.refusals),
            "outages": self.outages and self.outages.as_json(),
        }


def with_budget(report: Part | None) -> dict[str, Any] | None:
    """Return a report's figures with their budget, None for a part that was left out."""
    if report is None:
        return None
    return {**dataclasses.asdict(report), "budget": budget_json(report.budget)}


def print_results(results: Results) -> None:
    """Print the tables and budgets of every part that was measured."""
    sections = []
    if results.calls is not None:
        sections += costs(results.calls, results.streams)
    sections += more(results)
    if results.refusals:
        head = "CPU time of hostile input, as a multiple of json.loads of it or of large reads"
        sections += [head, budget_lines(results.refusals)]
    if results.outages is not None:
        sections.append(str(results.outages))
    sections += [f"{part} failed: {why}" for part, why in results.failures.items()]
    print("\n\n".join(sections))


def costs(report: Report, streams: StreamReport | None) -> list[str]:
    """Return the tables and budgets of calls and streams."""
    scope = f"medians (min..max), rounds: {report.rounds}, seconds a load: {report.seconds:g}"
    sections = [
        f"{scope}, Python {platform.python_version()}, cores: {os.cpu_count()}",
        table(report),
    ]
    if REFERENCE_SERVER not in report.worker_mib:
        sections.append(f"{REFERENCE_SERVER} is not installed: there is nothing to compare with")
    sections.append(budget_lines(report.budget))
    if streams is not None:
        scope = f"{streams.streams} streams of {streams.seconds:g} s, rounds: {streams.rounds}"
        sections += [scope, stream_table(streams)]
        if streams.budget:
            sections.append(budget_lines(streams.budget))
    return sections


def more(results: Results) -> list[str]:
    """Return the tables and budgets of the parts that only --full measures."""
    sections = []
    many, own, footprint = results.many_streams, results.prompts, results.footprint
    if many is not None:
        scope = f"{many.streams} streams, {WORKERS} workers, rounds: {many.rounds}"
        sections += [scope, many_streams_table(many), budget_lines(many.budget)]
    if own is not None:
        scope = f"optimized prompts of 200 words, {own.prompts} a round, rounds: {own.rounds}"
        sections += [scope, own_time_table(own), budget_lines(own.budget)]
    if footprint is not None:
        sections += ["memory and start", footprint_table(footprint), budget_lines(footprint.budget)]
    if results.stores is not None:
        sections += ["a call's share of PostgreSQL and Valkey", stores_table(results.stores)]
    if results.scale:
        sections.append(scale_table(results.scale))
    return sections
