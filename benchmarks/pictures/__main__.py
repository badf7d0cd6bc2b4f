"""Measure what pictures cost: `python -m benchmarks.pictures` from the repository root."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.harness.console import announce, exit_on_signal
from benchmarks.harness.figures import budget_lines
from benchmarks.harness.servers import BenchmarkError
from benchmarks.pictures.hostile_pictures import measure_hostile
from benchmarks.pictures.measuring_costs import measure_measuring
from benchmarks.pictures.service_costs import measure_service


def main() -> int:
    """Measure and print; the exit status is 1 if a request failed, and 2 over a limit."""
    argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__).parse_args()
    signal.signal(signal.SIGTERM, exit_on_signal)
    announce("hostile pictures")
    hostile = measure_hostile()
    print(hostile.lines())
    announce("measuring, and pictures through the service")
    try:
        measuring = measure_measuring(Path.cwd())
        print(measuring.lines())
        service = measure_service(Path.cwd())
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    print(service.lines())
    budget = [*hostile.budget, *measuring.budget, *service.budget]
    print(budget_lines(budget))
    return 2 * any(line.verdict != "ok" for line in budget)


if __name__ == "__main__":
    sys.exit(main())
