"""The command line of `python -m benchmarks`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.scenarios.outages import CHOICES
from benchmarks.scenarios.streams import BUDGETED_SECONDS, BUDGETED_STREAMS

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]


class Number(NamedTuple):
    """An option: its value by default and with --full, the least it may be, and what it is."""

    quick: float
    full: float
    least: float
    what: str


NUMBERS = {
    "--rounds": Number(5, 7, 1, "passes over all targets"),
    "--seconds": Number(1.0, 1.0, 0.01, "length of one load; a target has two of them in a round"),
    "--streams": Number(
        BUDGETED_STREAMS, BUDGETED_STREAMS, 0, "simultaneous streams; 0 leaves them out"
    ),
    "--stream-rounds": Number(3, 7, 1, "passes of the streams over all servers"),
    "--stream-seconds": Number(
        float(BUDGETED_SECONDS), float(BUDGETED_SECONDS), 0.01, "length of one stream"
    ),
    "--hang-rounds": Number(11, 11, 1, "comparisons of a model while another one hangs"),
    "--many-streams": Number(
        1000, 1000, 1, "simultaneous streams with two workers, and before memory is read"
    ),
    "--many-rounds": Number(0, 7, 0, "passes of those; 0 leaves them out"),
    "--prompt-rounds": Number(0, 7, 0, "passes of optimized prompts; 0 leaves them out"),
    "--memory-rounds": Number(0, 3, 0, "fresh workers whose memory is read; 0 leaves them out"),
    "--start-rounds": Number(0, 7, 0, "starts with `make run`; 0 leaves them out"),
    "--store-rounds": Number(0, 5, 0, "passes before PostgreSQL and Valkey; 0 leaves them out"),
    "--scale-tries": Number(0, 7, 0, "tries of each line of the scale table; 0 leaves it out"),
}


def build_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the service on loopback upstreams."
    )
    full = "measure every part, with seven rounds of most, and not only calls, streams and outages"
    parser.add_argument("--full", action="store_true", help=full)
    for name, number in NUMBERS.items():
        text = f"{number.what} ({number.quick:g}, with --full {number.full:g})"
        parser.add_argument(name, type=type(number.quick), help=text)
    outages = "measure the outages of an upstream besides all else, not at all, or alone (with)"
    parser.add_argument("--outages", choices=CHOICES, default="with", help=outages)
    compare = "measure the service of this commit, too, in turn with today's"
    parser.add_argument("--compare", metavar="REV", help=compare)
    peers = "measure the peers that `make bench-peers` has installed, or not (with)"
    parser.add_argument("--peers", choices=("with", "without"), default="with", help=peers)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE, too")
    parser.add_argument(
        "--root",
        type=Path,
        default=REPOSITORY_ROOT,
        help="project with wsgi.py and gunicorn.conf.py (this one)",
    )
    return parser


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices, with a number for every option of `NUMBERS`."""
    parser = build_parser()
    choices = parser.parse_args(arguments)
    for name, number in NUMBERS.items():
        attribute = name.removeprefix("--").replace("-", "_")
        given = getattr(choices, attribute)
        value = given if given is not None else number.full if choices.full else number.quick
        if value < number.least:
            parser.error(f"{name} must be at least {number.least:g}")
        setattr(choices, attribute, value)
    return choices
