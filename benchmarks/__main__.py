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

from benchmarks.harness.measure import CHAT, Round, Target, measure_round, targets_of, warm_up
from benchmarks.harness.process import largest_worker_mib
from benchmarks.harness.programs import (
    nginx_program,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.harness.report import (
    REFERENCE_SERVER,
    BudgetLine,
    Report,
    budget_json,
    budget_lines,
    build_report,
    machine,
    table,
)
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from benchmarks.scenarios.brownout import measure_brownouts
from benchmarks.scenarios.hanging import measure_hanging
from benchmarks.scenarios.outages import CHOICES, OutageReport
from benchmarks.scenarios.refusals import measure_refusals
from benchmarks.scenarios.streams import (
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
DEFAULT_HANG_ROUNDS = 11
SIGNAL_STATUS = 128


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


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    numbers = {
        "--rounds": (DEFAULT_ROUNDS, "passes over all targets"),
        "--seconds": (DEFAULT_SECONDS, "length of one load; a round has nine"),
        "--streams": (BUDGETED_STREAMS, "simultaneous streams; 0 leaves them out"),
        "--stream-rounds": (DEFAULT_STREAM_ROUNDS, "passes of the streams over all servers"),
        "--stream-seconds": (float(BUDGETED_SECONDS), "length of one stream"),
        "--hang-rounds": (DEFAULT_HANG_ROUNDS, "comparisons of a model while another one hangs"),
    }
    for name, (default, what) in numbers.items():
        text = f"{what} (%(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=text)
    outages = "measure the outages of an upstream besides all else, not at all, or alone (with)"
    parser.add_argument("--outages", choices=CHOICES, default="with", help=outages)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    parser.add_argument(
        "--root",
        type=Path,
        default=REPOSITORY_ROOT,
        help="project with wsgi.py and gunicorn.conf.py (this one)",
    )
    choices = parser.parse_args(arguments)
    if min(choices.rounds, choices.stream_rounds, choices.hang_rounds) < 1 or choices.streams < 0:
        parser.error("every number of rounds must be at least 1, and --streams at least 0")
    if min(choices.seconds, choices.stream_seconds) <= 0:
        parser.error("--seconds and --stream-seconds must be more than 0")
    return choices


def announce(message: str) -> None:
    """Say how far the run is, on standard error so that the report stays clean."""
    print(message, file=sys.stderr, flush=True)


def run(choices: argparse.Namespace) -> Results:
    """Measure what was chosen.

    Raises BenchmarkError if a server does not start or a request fails.
    """
    root, results = choices.root.resolve(), Results()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        if choices.outages != "only":
            results = measure_costs(root, Path(name), choices)
        if choices.outages != "without":
            outages = measure_outages(root, Path(name), choices.hang_rounds)
            results = dataclasses.replace(results, outages=outages)
    return results


def measure_costs(root: Path, directory: Path, choices: argparse.Namespace) -> Results:
    """Measure the refusals, then start the servers, measure them in turn and end them."""
    announce("refusals")
    refusals = measure_refusals(root, directory)
    with contextlib.ExitStack() as stack:
        upstream, *servers = start_servers(root, directory, choices.stream_seconds, stack)
        calls = measure_calls(upstream, servers, choices.rounds, choices.seconds)
        streams = measure_streams(upstream, servers, choices) if choices.streams else None
    return Results(refusals, calls, streams)


def measure_outages(root: Path, directory: Path, hang_rounds: int) -> OutageReport:
    """Measure what an upstream that is ill means for callers, with servers of their own."""
    announce("brown-outs")
    brownouts = measure_brownouts(root, directory)
    announce(f"hanging calls, rounds: {hang_rounds}")
    return OutageReport(brownouts, measure_hanging(root, directory, hang_rounds))


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
