"""Run the benchmark: `python -m benchmarks` from the repository root."""

import argparse
import contextlib
import dataclasses
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness.console import SIGNAL_STATUS, announce, exit_on_signal
from benchmarks.harness.contenders import BEFORE, SERVICE, builds, start_contenders, start_peers
from benchmarks.harness.installation import commit_of
from benchmarks.harness.measure import Contender
from benchmarks.harness.peers import installed, versions
from benchmarks.harness.programs import upstream_program
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from benchmarks.options import parse_arguments
from benchmarks.results import Results, print_results
from benchmarks.scenarios.brownout import measure_brownouts
from benchmarks.scenarios.calls import measure_calls
from benchmarks.scenarios.footprint import Footprint, measure_footprint
from benchmarks.scenarios.hanging import measure_hanging
from benchmarks.scenarios.many_streams import measure_many_streams
from benchmarks.scenarios.outages import OutageReport
from benchmarks.scenarios.own_time import measure_own_time
from benchmarks.scenarios.refusals import measure_refusals
from benchmarks.scenarios.scale import scale_apart
from benchmarks.scenarios.stores import measure_stores
from benchmarks.scenarios.streams import measure_streams


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
    """Measure the refusals, then start the upstream and measure all that stands before it."""
    folders = builds(root, choices.compare, directory)
    announce("refusals")
    refusals = measure_refusals(root, directory)
    with contextlib.ExitStack() as stack:
        [port] = free_ports(1)
        program = upstream_program(port, choices.stream_seconds, directory)
        upstream = stack.enter_context(running(program))
        results = measure_in_turn(folders, upstream, directory, choices)
        results = measure_more(results, folders, upstream, choices)
        results = measure_surroundings(results, folders[SERVICE], upstream, directory, choices)
    return dataclasses.replace(results, refusals=refusals, measured=named(root, choices.compare))


def named(root: Path, revision: str | None) -> Mapping[str, str]:
    """Return the names of what was measured, and the day."""
    before = {BEFORE: commit_of(root, revision)} if revision is not None else {}
    day = datetime.now(UTC).date().isoformat()
    return {"day": day, SERVICE: commit_of(root), **before, **versions()}


def measure_in_turn(
    folders: Mapping[str, Path], upstream: Server, directory: Path, choices: argparse.Namespace
) -> Results:
    """Start all servers, measure calls and streams of them in turn, and end them."""
    with contextlib.ExitStack() as stack:
        contenders: list[Contender] = []
        contenders += start_contenders(folders, upstream, directory, stack)
        if choices.peers == "with":
            contenders += start_peers(installed(), upstream, directory, stack)
        calls = measure_calls(upstream, contenders, choices.rounds, choices.seconds)
        streams = None
        if choices.streams:
            streams = measure_streams(
                upstream,
                contenders,
                choices.streams,
                choices.stream_seconds,
                choices.stream_rounds,
            )
    return Results(calls=calls, streams=streams)


def measure_more(
    results: Results,
    folders: Mapping[str, Path],
    upstream: Server,
    choices: argparse.Namespace,
) -> Results:
    """Measure what has servers of its own, one part after the other."""
    many = own = None
    if choices.many_rounds:
        many = measure_many_streams(
            folders, upstream, choices.many_streams, choices.stream_seconds, choices.many_rounds
        )
    if choices.prompt_rounds:
        own = measure_own_time(folders, choices.prompt_rounds)
    return dataclasses.replace(
        results, many_streams=many, prompts=own, footprint=footprint_of(folders, upstream, choices)
    )


def measure_surroundings(
    results: Results,
    folder: Path,
    upstream: Server,
    directory: Path,
    choices: argparse.Namespace,
) -> Results:
    """Measure what calls cost the servers behind the service, and what their cost grows with."""
    stores, scale = None, results.scale
    if choices.store_rounds:
        stores = measure_stores(
            folder, upstream, directory, rounds=choices.store_rounds, seconds=choices.seconds
        )
    if choices.scale_tries:
        announce(f"scale, tries: {choices.scale_tries}")
        scale = scale_apart(choices.scale_tries, directory)
    return dataclasses.replace(results, stores=stores, scale=scale)


def footprint_of(
    folders: Mapping[str, Path], upstream: Server, choices: argparse.Namespace
) -> Footprint | None:
    """Measure memory and starts, where both were asked for."""
    if not (choices.memory_rounds and choices.start_rounds):
        return None
    return measure_footprint(
        folders,
        upstream,
        streams=choices.many_streams,
        memory_rounds=choices.memory_rounds,
        start_rounds=choices.start_rounds,
    )


def measure_outages(root: Path, directory: Path, hang_rounds: int) -> OutageReport:
    """Measure what an upstream that is ill means for callers, with servers of their own."""
    announce("brown-outs")
    brownouts = measure_brownouts(root, directory)
    announce(f"hanging calls, rounds: {hang_rounds}")
    return OutageReport(brownouts, measure_hanging(root, directory, hang_rounds))


def allow_open_files() -> None:
    """Allow this process and those that it starts as many open files as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Run, print, and return the exit status: 1 if the run failed, not if a budget is exceeded."""
    choices = parse_arguments()
    allow_open_files()
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
