"""The generated part of docs/sizing.md."""

from collections.abc import Mapping
from typing import Any

from benchmarks.pages.markdown import number, table
from benchmarks.pages.sizing import (
    DATABASE_CORES,
    FILL,
    UPSTREAM_SECONDS,
    WORKER_CORES,
    Costs,
    calls_a_second,
    costs_of,
    sizings,
)

HEAD = [
    "calls a second",
    "workers, a core each",
    "memory GiB",
    "calls in progress",
    "open files a worker",
    "PostgreSQL cores",
    "rows a day",
    "disk GiB a day",
    "Valkey cores",
    "what limits first",
]


def page(run: Mapping[str, Any]) -> str:
    """Return a table for each kind of calls; a sentence where the run has not measured them."""
    if not run["stores"] or not run["footprint"]:
        return "The last run has not measured PostgreSQL, Valkey and memory.\n"
    kinds = run["stores"]["calls"]
    parts = [section(kind, costs_of(run, kind)) for kind in kinds]
    names = run["measured"]
    scope = (
        f"Computed from the run of {names['day']} ([benchmarks](benchmarks.md)): calls that take"
        f" {UPSTREAM_SECONDS:g} s at the upstream, and cores that are filled to {FILL:.0%}."
    )
    return "\n\n".join([scope, *parts]) + "\n"


def section(kind: str, costs: Costs) -> str:
    """Return the table of a kind of calls."""
    rows = [
        [
            f"{each.rate:,}",
            f"{each.workers:,}",
            number(each.memory_gib),
            f"{each.in_progress:,}",
            f"{each.files_a_worker:,}",
            number(each.database_cores),
            f"{each.rows_a_day:,}",
            number(each.disk_gib_a_day),
            number(each.valkey_cores),
            each.limit,
        ]
        for each in sizings(costs)
    ]
    worker = calls_a_second(costs.service_cpu_ms)
    machine = calls_a_second(costs.service_cpu_ms, WORKER_CORES)
    database = calls_a_second(costs.database_cpu_ms, DATABASE_CORES)
    text = (
        f"A call costs {number(costs.service_cpu_ms)} ms of CPU in the service,"
        f" {number(costs.database_cpu_ms)} ms in PostgreSQL and {number(costs.valkey_cpu_ms)} ms in"
        f" Valkey.\nSo a worker answers {number(worker)} calls a second, {WORKER_CORES} workers"
        f" {number(machine)}; a PostgreSQL of {DATABASE_CORES} cores can take {number(database)},"
        f" and Valkey, on its one thread, {number(calls_a_second(costs.valkey_cpu_ms))}."
    )
    return f"## Calls {kind}\n\n{text}\n\n{table(HEAD, rows)}"
