"""An hour of mixed traffic: `python -m benchmarks.soak`.

Its exit status is 1 where memory, descriptors or threads have not stayed as they were, or where
the ledger does not have every call; see benchmarks/README.md.
"""

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.console import SIGNAL_STATUS, announce, exit_on_signal
from benchmarks.harness.figures import machine
from benchmarks.harness.servers import BenchmarkError
from benchmarks.options import REPOSITORY_ROOT
from benchmarks.soak.run import Plan, Soak, soaked

DEFAULT_MINUTES = 60.0
DEFAULT_RATE = 15.0
DEFAULT_NICE = 10


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    numbers = {
        "--minutes": (float, DEFAULT_MINUTES, "length of the traffic"),
        "--rate": (float, DEFAULT_RATE, "calls a second"),
        "--nice": (int, DEFAULT_NICE, "how far all processes let others go first, 0 to 19"),
    }
    for name, (kind, default, what) in numbers.items():
        parser.add_argument(name, type=kind, default=default, help=f"{what} (%(default)g)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE, too")
    parser.add_argument(
        "--root", type=Path, default=REPOSITORY_ROOT, help="project that is measured (this one)"
    )
    choices = parser.parse_args(arguments)
    if min(choices.minutes, choices.rate) <= 0:
        parser.error("--minutes and --rate must be more than 0")
    if not 0 <= choices.nice <= 19:
        parser.error("--nice must be 0 to 19")
    return choices


def as_json(soak: Soak) -> str:
    """Return all samples and findings, and what they were measured on."""
    return json.dumps({**machine(), **dataclasses.asdict(soak)}, indent=2) + "\n"


def report(soak: Soak) -> str:
    """Return what clients saw, and every finding with its verdict."""
    seen = [f"{kind}: {outcomes}" for kind, outcomes in soak.outcomes.items()]
    findings = [f"{'ok' if one.is_well else 'BROKEN':6}  {one.what}" for one in soak.findings]
    return "\n".join(["what clients saw:", *seen, "", *findings])


def main() -> int:
    """Run, print, and return the exit status: 1 if anything is not as it must be."""
    choices = parse_arguments()
    signal.signal(signal.SIGTERM, exit_on_signal)
    os.nice(choices.nice)
    plan = Plan(choices.minutes * 60, choices.rate)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            soak = soaked(choices.root.resolve(), Path(name), plan)
    except BenchmarkError as error:
        announce(f"the soak failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    print(report(soak))
    if choices.json is not None:
        choices.json.write_text(as_json(soak))
    return 0 if all(one.is_well for one in soak.findings) else 1


if __name__ == "__main__":
    sys.exit(main())
