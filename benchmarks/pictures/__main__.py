"""Measure what pictures cost: `python -m benchmarks.pictures` from the repository root."""

import argparse
import sys

from benchmarks.harness.figures import budget_lines
from benchmarks.pictures.hostile_pictures import measure_hostile


def main() -> int:
    """Measure and print; the exit status is 1 where a limit is exceeded."""
    argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__).parse_args()
    hostile = measure_hostile()
    print(hostile.lines())
    print(budget_lines(hostile.budget))
    return int(any(line.verdict != "ok" for line in hostile.budget))


if __name__ == "__main__":
    sys.exit(main())
