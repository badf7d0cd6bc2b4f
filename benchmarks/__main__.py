"""Run the benchmark: `python -m benchmarks` from the repository root."""

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import CHAT, Round, Target, measure_round, targets_of, warm_up
from benchmarks.process import largest_worker_mib
from benchmarks.programs import (
    nginx_program,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.report import REFERENCE_SERVER, Report, as_json, budget_lines, build_report, table
from benchmarks.servers import BenchmarkError, Server, free_ports, running

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
DEFAULT_ROUNDS = 5
DEFAULT_SECONDS = 1.0
SIGNAL_STATUS = 128


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=DEFAULT_ROUNDS, help="passes over all targets (%(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help="length of one load; a round has nine (%(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    parser.add_argument(
        "--root",
        type=Path,
        default=REPOSITORY_ROOT,
        help="project with wsgi.py and gunicorn.conf.py (this one)",
    )
    choices = parser.parse_args(arguments)
    if choices.rounds < 1 or choices.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds more than 0")
    return choices


def announce(message: str) -> None:
    """Say how far the run is, on standard error so that the report stays clean."""
    print(message, file=sys.stderr, flush=True)


def run(root: Path, rounds: int, seconds: float) -> Report:
    """Start the servers, measure them in turn and end them.

    Raises BenchmarkError if a server does not start or a request fails.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        upstream, *servers = start_servers(root, directory, stack)
        targets = targets_of(servers)
        announce(f"warming up {', '.join(target.label for target in targets)}")
        warm_up([Target(upstream, CHAT), *targets], seconds)
        measured = measure_rounds(upstream, targets, rounds, seconds=seconds)
        worker_mib = {server.name: largest_worker_mib(server.pid) for server in servers}
    return build_report(measured, seconds, worker_mib)


def start_servers(root: Path, directory: Path, stack: contextlib.ExitStack) -> list[Server]:
    """Return the upstream, the service and, where it is installed, nginx, all of them ready."""
    upstream_port, service_port, nginx_port = free_ports(3)
    service = service_program(root.resolve(), service_port, upstream_port, directory)
    nginx = nginx_program(nginx_port, upstream_port, directory)
    upgrade_database(service)
    servers = [
        stack.enter_context(running(upstream_program(upstream_port, directory))),
        stack.enter_context(running(service)),
    ]
    return servers if nginx is None else [*servers, stack.enter_context(running(nginx))]


def measure_rounds(
    upstream: Server, targets: Sequence[Target], rounds: int, *, seconds: float
) -> list[Round]:
    """Return the rounds, measured one after the other."""
    measured = []
    for number in range(1, rounds + 1):
        announce(f"round {number} of {rounds}")
        measured.append(measure_round(Target(upstream, CHAT), targets, seconds))
    return measured


def print_report(report: Report) -> None:
    """Print the table and the budget."""
    scope = f"medians (min..max), rounds: {report.rounds}, seconds a load: {report.seconds:g}"
    print(f"{scope}, Python {platform.python_version()}, cores: {os.cpu_count()}\n")
    print(table(report))
    if REFERENCE_SERVER not in report.worker_mib:
        print(f"{REFERENCE_SERVER} is not installed: there is nothing to compare with")
    print(f"\n{budget_lines(report)}")


def exit_on_signal(number: int, _frame: object) -> None:
    """End the run as an exception does, so that every server is stopped."""
    sys.exit(SIGNAL_STATUS + number)


def main() -> int:
    """Run, print, and return the exit status: 1 if the run failed, not if a budget is exceeded."""
    choices = parse_arguments()
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, exit_on_signal)
    try:
        report = run(choices.root, choices.rounds, choices.seconds)
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    print_report(report)
    if choices.json is not None:
        choices.json.write_text(json.dumps(as_json(report), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
