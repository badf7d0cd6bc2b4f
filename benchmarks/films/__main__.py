"""Measure what films under way cost a worker; it takes about a minute."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.films.open_films import OPEN, SECONDS, measure_open_films
from benchmarks.harness.console import announce, exit_on_signal
from benchmarks.harness.figures import budget_lines
from benchmarks.harness.servers import BenchmarkError


def main() -> int:
    """Measure and print; the exit status is 1 if a request failed, and 2 over the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.films", description=__doc__)
    parser.add_argument("--films", type=int, default=OPEN, help="films under way (%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of measuring (%(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, exit_on_signal)
    announce("films under way")
    try:
        found = measure_open_films(Path.cwd(), options.films, options.seconds)
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    print(found.lines())
    print(budget_lines(found.budget))
    return 2 * any(line.verdict != "ok" for line in found.budget)


if __name__ == "__main__":
    sys.exit(main())
