"""Run the benchmark: `python -m benchmarks` from the repository root."""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import CHAT, Round, Target, measure_round, targets_of, warm_up
from benchmarks.process import largest_worker_mib
from benchmarks.programs import (
    nginx_program,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.refusals import measure_refusals
from benchmarks.report import (
    REFERENCE_SERVER,
    BudgetLine,
    Report,
    budget_json,
    budget_lines,
    build_report,
    machine,
    table,
)
from benchmarks.servers import BenchmarkError, Server, free_ports, running
from benchmarks.streams import (
    BUDGETED_SECONDS,
    BUDGETED_STREAMS,
    StreamReport,
    build_stream_report,
    measure_stream_round,
    stream_table,
)

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
DEFAULT_ROUNDS = 5
DEFAULT_SECONDS = 1.0
DEFAULT_STREAM_ROUNDS = 3
SIGNAL_STATUS = 128


@dataclasses.dataclass(frozen=True)
class Results:
    """The three parts of a run."""

    refusals: Sequence[BudgetLine]
    calls: Report
    streams: StreamReport | None

    def as_json(self) -> dict[str, Any]:
        """Return all figures with their budgets and what they were measured on."""
        calls = {**dataclasses.asdict(self.calls), "budget": budget_json(self.calls.budget)}
        streams = None
        if self.streams is not None:
            budget = budget_json(self.streams.budget)
            streams = {**dataclasses.asdict(self.streams), "budget": budget}
        return {**machine(), **calls, "streams": streams, "refusals": budget_json(self.refusals)}


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    numbers = {
        "--rounds": (DEFAULT_ROUNDS, "passes over all targets"),
        "--seconds": (DEFAULT_SECONDS, "length of one load; a round has nine"),
        "--streams": (BUDGETED_STREAMS, "simultaneous streams; 0 leaves them out"),
        "--stream-rounds": (DEFAULT_STREAM_ROUNDS, "passes of the streams over all servers"),
        "--stream-seconds": (float(BUDGETED_SECONDS), "length of one stream"),
    }
    for name, (default, what) in numbers.items():
        text = f"{what} (%(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=text)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    parser.add_argument(
        "--root",
        type=Path,
        default=REPOSITORY_ROOT,
        help="project with wsgi.py and gunicorn.conf.py (this one)",
    )
    choices = parser.parse_args(arguments)
    if min(choices.rounds, choices.stream_rounds) < 1 or choices.streams < 0:
        parser.error("--rounds and --stream-rounds must be at least 1, and --streams at least 0")
    if min(choices.seconds, choices.stream_seconds) <= 0:
        parser.error("--seconds and --stream-seconds must be more than 0")
    return choices


def announce(message: str) -> None:
    """Say how far the run is, on standard error so that the report stays clean."""
    print(message, file=sys.stderr, flush=True)


def run(choices: argparse.Namespace) -> Results:
    """Measure the refusals, then start the servers, measure them in turn and end them.

    Raises BenchmarkError if a server does not start or a request fails.
    """
    root = choices.root.resolve()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        announce("refusals")
        refusals = measure_refusals(root, directory)
        upstream, *servers = start_servers(root, directory, choices.stream_seconds, stack)
        calls = measure_calls(upstream, servers, choices.rounds, choices.seconds)
        streams = measure_streams(upstream, servers, choices) if choices.streams else None
    return Results(refusals, calls, streams)


def start_servers(
    root: Path, directory: Path, stream_seconds: float, stack: contextlib.ExitStack
) -> list[Server]:
    """Return the upstream, the service and, where it is installed, nginx, all of them ready."""
    upstream_port, service_port, nginx_port = free_ports(3)
    upstream = upstream_program(upstream_port, stream_seconds, directory)
    service = service_program(root, service_port, upstream_port, directory)
    nginx = nginx_program(nginx_port, upstream_port, directory)
    upgrade_database(service)
    programs = [upstream, service] if nginx is None else [upstream, service, nginx]
    return [stack.enter_context(running(program)) for program in programs]


def measure_calls(
    upstream: Server, servers: Sequence[Server], rounds: int, seconds: float
) -> Report:
    """Return the figures of calls without streaming, after some rounds of them."""
    targets = targets_of(servers)
    announce(f"warming up {', '.join(target.label for target in targets)}")
    warm_up([Target(upstream, CHAT), *targets], seconds)
    measured: list[Round] = []
    for number in range(1, rounds + 1):
        announce(f"round {number} of {rounds}")
        measured.append(measure_round(Target(upstream, CHAT), targets, seconds))
    worker_mib = {server.name: largest_worker_mib(server.pid) for server in servers}
    return build_report(measured, seconds, worker_mib)


def measure_streams(
    upstream: Server, servers: Sequence[Server], choices: argparse.Namespace
) -> StreamReport:
    """Return the figures of streams, after some rounds of them."""
    streams, seconds = choices.streams, choices.stream_seconds
    measured = []
    for number in range(1, choices.stream_rounds + 1):
        announce(f"{streams} streams, round {number} of {choices.stream_rounds}")
        measured.append(measure_stream_round(upstream, servers, streams, seconds))
    return build_stream_report(measured, servers, streams, seconds)


def print_results(results: Results) -> None:
    """Print every part's table and budget."""
    report, streams = results.calls, results.streams
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
    print(budget_lines(results.refusals))


def exit_on_signal(number: int, _frame: object) -> None:
    """End the run as an exception does, so that every server is stopped."""
    sys.exit(SIGNAL_STATUS + number)


def main() -> int:
    """Run, print, and return the exit status: 1 if the run failed, not if a budget is exceeded."""
    choices = parse_arguments()
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, exit_on_signal)
    try:
        results = run(choices)
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    print_results(results)
    if choices.json is not None:
        choices.json.write_text(json.dumps(results.as_json(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
