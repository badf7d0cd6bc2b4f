"""Run the benchmark: `python -m benchmarks` from the repository root."""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.console import SIGNAL_STATUS, announce, exit_on_signal
from benchmarks.harness.contenders import builds, start_contenders
from benchmarks.harness.measure import (
    CHAT,
    Contender,
    Round,
    Target,
    measure_round,
    targets_of,
    warm_up,
)
from benchmarks.harness.process import largest_worker_mib
from benchmarks.harness.programs import upstream_program
from benchmarks.harness.report import Report, build_report
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from benchmarks.options import parse_arguments
from benchmarks.results import Results, print_results
from benchmarks.scenarios.brownout import measure_brownouts
from benchmarks.scenarios.hanging import measure_hanging
from benchmarks.scenarios.outages import OutageReport
from benchmarks.scenarios.refusals import measure_refusals
from benchmarks.scenarios.streams import StreamReport, measure_streams


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
    folders = builds(root, choices.compare, directory)
    announce("refusals")
    refusals = measure_refusals(root, directory)
    with contextlib.ExitStack() as stack:
        [port] = free_ports(1)
        upstream = stack.enter_context(
            running(upstream_program(port, choices.stream_seconds, directory))
        )
        contenders = start_contenders(folders, upstream, directory, stack)
        calls = measure_calls(upstream, contenders, choices.rounds, choices.seconds)
        streams = streams_of(upstream, contenders, choices) if choices.streams else None
    return Results(refusals, calls, streams)


def measure_outages(root: Path, directory: Path, hang_rounds: int) -> OutageReport:
    """Measure what an upstream that is ill means for callers, with servers of their own."""
    announce("brown-outs")
    brownouts = measure_brownouts(root, directory)
    announce(f"hanging calls, rounds: {hang_rounds}")
    return OutageReport(brownouts, measure_hanging(root, directory, hang_rounds))


def measure_calls(
    upstream: Server, contenders: Sequence[Contender], rounds: int, seconds: float
) -> Report:
    """Return the figures of calls without streaming, after some rounds of them."""
    targets = targets_of(contenders)
    announce(f"warming up {', '.join(target.label for target in targets)}")
    warm_up([Target(upstream, CHAT), *targets], seconds)
    measured: list[Round] = []
    for number in range(1, rounds + 1):
        announce(f"round {number} of {rounds}")
        # There and back, so that none is always the one after the hottest.
        order = targets if number % 2 else targets[::-1]
        measured.append(measure_round(Target(upstream, CHAT), order, seconds))
    worker_mib = {one.server.name: largest_worker_mib(one.server.pid) for one in contenders}
    return build_report(measured, seconds, worker_mib)


def streams_of(
    upstream: Server, contenders: Sequence[Contender], choices: argparse.Namespace
) -> StreamReport:
    """Return the figures of as many streams as were asked for."""
    streams, seconds = choices.streams, choices.stream_seconds
    return measure_streams(upstream, contenders, streams, seconds, choices.stream_rounds)


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
