"""How the cost of a chat call grows with what there is of everything.

Run it with `python -m benchmarks.scenarios.scale`; it takes about two minutes. A figure is the CPU
time of the thread that answers; the steps of a line are measured in turn.
"""

import argparse
import dataclasses
import gc
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.console import announce
from benchmarks.harness.figures import Figure, aligned, figure
from benchmarks.harness.servers import BenchmarkError
from benchmarks.scenarios.scale_lines import LINES, Line
from tests.support.upstream import ScriptedUpstream

DEFAULT_TRIES = 7
WARM_UP = 3
ENOUGH_SECONDS = 0.03  # of CPU time in a try
MOST_CALLS = 40
MAX_EXPONENT = 1.15  # 1 is linear; the rest is noise of a shared machine
MAX_CONSTANT_RATIO = 1.3
PROCESS_TIMEOUT = 900.0
PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Growth:
    """The cost at every step of a line, and the exponents of its growth between them."""

    name: str
    sizes: Sequence[int]
    cpu_ms: Sequence[Figure]
    exponents: Sequence[float]
    verdict: str


def cpu_ms_of(send: Callable[[], None]) -> float:
    """Return the CPU milliseconds of one sending, averaged over as many as are needed."""
    calls, began = 0, time.thread_time()
    while True:
        send()
        calls += 1
        spent = time.thread_time() - began
        if spent >= ENOUGH_SECONDS or calls == MOST_CALLS:
            return spent * 1000 / calls


def grown(line: Line, tries: int, forget: Callable[[], None]) -> Growth:
    """Measure every step of a line in turn, so many times."""
    for step in line.steps:
        for _ in range(WARM_UP):
            step.send()
    rounds = []
    for _ in range(tries):
        forget()
        gc.collect()
        rounds.append([cpu_ms_of(step.send) for step in line.steps])
    sizes = [step.size for step in line.steps]
    costs = [figure(values) for values in zip(*rounds, strict=True)]
    medians = [cost.median for cost in costs]
    return Growth(line.name, sizes, costs, exponents(sizes, medians), verdict(sizes, medians))


def exponents(sizes: Sequence[int], costs: Sequence[float]) -> list[float]:
    """Return the exponent of the growth between each two steps: 0 is constant, 1 is linear."""
    counted = [max(size, 1) for size in sizes]
    steps = zip(counted, counted[1:], costs, costs[1:], strict=False)
    return [
        math.log(cost / cost_before) / math.log(size / size_before) if size > size_before else 0.0
        for size_before, size, cost_before, cost in steps
    ]


def verdict(sizes: Sequence[int], costs: Sequence[float]) -> str:
    """Return what the growth is called."""
    if max(exponents(sizes, costs)) > MAX_EXPONENT:
        return "faster than linear"
    if costs[-1] <= costs[0] * MAX_CONSTANT_RATIO:
        return "does not grow"
    return "not faster than linear"


def measure_scale(tries: int) -> list[Growth]:
    """Measure every line."""
    growths = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-scale-") as name,
        ScriptedUpstream() as upstream,
    ):
        for lines in LINES:
            for line in lines(Path(name), upstream):
                announce(f"scale: {line.name}")
                growths.append(grown(line, tries, upstream.clear))
    return growths


def scale_apart(tries: int, directory: Path) -> list[Growth]:
    """Measure in a process of its own, in which nothing else lives.

    Raises BenchmarkError if it fails.
    """
    log, figures = directory / "scale.log", directory / "scale.json"
    options = ["--tries", str(tries), "--json", str(figures)]
    try:
        with log.open("wb") as output:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.scenarios.scale", *options],
                cwd=PACKAGE_PARENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PROCESS_TIMEOUT,
                check=True,
                start_new_session=True,
            )
    except subprocess.SubprocessError as error:
        raise BenchmarkError(f"the scale table could not be measured: {error}", log) from error
    return [grown_again(line) for line in json.loads(figures.read_text())["scale"]]


def grown_again(line: dict[str, Any]) -> Growth:
    """Return what was written as JSON."""
    return Growth(**{**line, "cpu_ms": [Figure(**cost) for cost in line["cpu_ms"]]})


def scale_table(growths: Sequence[Growth]) -> str:
    """Return one line for every step."""
    rows = [["what grows", "size", "CPU ms a call", "exponent", "verdict"]]
    for growth in growths:
        steps = zip(growth.sizes, growth.cpu_ms, [None, *growth.exponents], strict=True)
        for number, (size, cost, exponent) in enumerate(steps):
            rows.append(
                [
                    "" if number else growth.name,
                    f"{size:,}",
                    str(cost),
                    "" if exponent is None else f"{exponent:.2f}",
                    "" if number else growth.verdict,
                ]
            )
    return aligned(rows)


def main() -> int:
    """Print the table; the exit status is 1 where something grows faster than linearly."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios.scale")
    parser.add_argument("--tries", type=int, default=DEFAULT_TRIES, help="of each step (7)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    choices = parser.parse_args()
    growths = measure_scale(choices.tries)
    print(scale_table(growths))
    if choices.json:
        document = {"scale": [dataclasses.asdict(growth) for growth in growths]}
        choices.json.write_text(json.dumps(document, indent=2) + "\n")
        return 0
    return int(any(growth.verdict == "faster than linear" for growth in growths))


if __name__ == "__main__":
    sys.exit(main())
