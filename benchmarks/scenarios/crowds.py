"""Too many calls, and clients that hold connections: `python -m benchmarks.scenarios.crowds`."""

import argparse
import dataclasses
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.console import SIGNAL_STATUS, announce, exit_on_signal
from benchmarks.harness.figures import budget_json, budget_lines, machine
from benchmarks.harness.servers import BenchmarkError
from benchmarks.options import REPOSITORY_ROOT
from benchmarks.scenarios.admission import OVERLOAD, LoadShedder, admission_table, measure_admission
from benchmarks.scenarios.held import HELD, Held, held_table, measure_held

DEFAULT_ROUNDS = 3
DEFAULT_HELD_ROUNDS = 7


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scenarios.crowds", description=__doc__
    )
    numbers = {
        "--rounds": (DEFAULT_ROUNDS, "passes of the overload; 0 leaves it out"),
        "--held-rounds": (DEFAULT_HELD_ROUNDS, "passes of each kind of client; 0 leaves them out"),
    }
    for name, (default, what) in numbers.items():
        text = f"{what} (%(default)s)"
        parser.add_argument(name, type=int, default=default, help=text)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    parser.add_argument(
        "--root", type=Path, default=REPOSITORY_ROOT, help="project that is measured (this one)"
    )
    choices = parser.parse_args(arguments)
    if min(choices.rounds, choices.held_rounds) < 0:
        parser.error("no number of rounds may be less than 0")
    return choices


def run(choices: argparse.Namespace) -> tuple[LoadShedder | None, list[Held]]:
    """Measure what was chosen; BenchmarkError if a server does not start or a call fails."""
    root, admission, held = choices.root.resolve(), None, []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        if choices.rounds:
            announce(f"overload, rounds: {choices.rounds}")
            admission = measure_admission(root, Path(name), choices.rounds)
        if choices.held_rounds:
            announce(f"held connections, rounds: {choices.held_rounds}")
            held = measure_held(root, Path(name) / "held", choices.held_rounds)
    return admission, held


def print_results(admission: LoadShedder | None, held: Sequence[Held]) -> None:
    """Print the tables and budgets of every part that was measured."""
    print(f"medians (min..max), Python {platform.python_version()}, cores: {os.cpu_count()}")
    if admission is not None:
        scope = f"{OVERLOAD} times {admission.capacity:g} calls/s, rounds: {admission.rounds}"
        print(f"\n{scope}\n\n{admission_table(admission)}\n\n{budget_lines(admission.budget)}")
    if held:
        print(f"\n{HELD} held connections, rounds: {held[0].rounds}\n\n{held_table(held)}\n")
        print(budget_lines([each.budget for each in held]))


def as_json(admission: LoadShedder | None, held: Sequence[Held]) -> str:
    """Return all figures with their budgets and what they were measured on."""
    budget = admission.budget if admission else []
    figures = {
        **machine(),
        "admission": admission and dataclasses.asdict(admission),
        "held": [dataclasses.asdict(each) for each in held],
        "budget": budget_json([*budget, *(each.budget for each in held)]),
    }
    return json.dumps(figures, indent=2) + "\n"


def main() -> int:
    """Run, print, and return the exit status: 1 if the run failed, not if a budget is exceeded."""
    choices = parse_arguments()
    signal.signal(signal.SIGTERM, exit_on_signal)
    try:
        admission, held = run(choices)
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    print_results(admission, held)
    if choices.json is not None:
        choices.json.write_text(as_json(admission, held))
    return 0


if __name__ == "__main__":
    sys.exit(main())
