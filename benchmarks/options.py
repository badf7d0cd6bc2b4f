"""The command line of `python -m benchmarks`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scenarios.outages import CHOICES
from benchmarks.scenarios.streams import BUDGETED_SECONDS, BUDGETED_STREAMS

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
NUMBERS = {
    "--rounds": (5, "passes over all targets"),
    "--seconds": (1.0, "length of one load; every target has two of them in a round"),
    "--streams": (BUDGETED_STREAMS, "simultaneous streams; 0 leaves them out"),
    "--stream-rounds": (3, "passes of the streams over all servers"),
    "--stream-seconds": (float(BUDGETED_SECONDS), "length of one stream"),
    "--hang-rounds": (11, "comparisons of a model while another one hangs"),
}


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the service on loopback upstreams."
    )
    for name, (default, what) in NUMBERS.items():
        text = f"{what} (%(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=text)
    outages = "measure the outages of an upstream besides all else, not at all, or alone (with)"
    parser.add_argument("--outages", choices=CHOICES, default="with", help=outages)
    compare = "measure the service of this commit, too, in turn with today's"
    parser.add_argument("--compare", metavar="REV", help=compare)
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
