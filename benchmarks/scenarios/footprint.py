"""Memory of a worker, idle and after many streams, and the time from `make run` to an answer."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.harness import ratios
from benchmarks.harness.console import announce
from benchmarks.harness.contenders import started
from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import SETTLE_SECONDS, STREAM, Target, counted_load
from benchmarks.harness.process import largest_worker_mib, private_mib, workers_of
from benchmarks.harness.programs import service_program, upstream_program
from benchmarks.harness.ratios import Ratio, ratio_rows
from benchmarks.harness.servers import Server, free_ports, running

IDLE_SECONDS = 2.0
BATCH = 200
BATCH_SECONDS = 2.0
CROWD_SECONDS = 15.0  # slow enough for one worker, whose memory is asked for and not its speed
SETTINGS = {"MAX_CALLS_IN_PROGRESS": "2000"}
BUNDLED = {"FAST_LLM_API_URL": "", "FAST_LLM_API_KEY": "", "FAST_LLM_MODEL": ""}
COLUMNS = {
    "idle_mib": "idle worker, private MiB",
    "idle_resident_mib": "idle worker, resident MiB",
    "after_mib": f"resident MiB after many streams, {BATCH} at once",
    "crowd_mib": "resident MiB after as many at once",
    "broken": "of them broken",
    "start_s": "make run to the first answer, s",
    "start_bundled_s": "the same with the bundled model, s",
}
LIMITS = {"idle_mib": 55.0, "after_mib": 95.0, "start_s": 1.6, "start_bundled_s": 1.6}
START_RATIOS = [
    Ratio("make run to the first answer, to the build before", "start_s", "service", "before")
]
MEMORY_RATIOS = [
    Ratio("idle worker's private memory, to the build before", "idle_mib", "service", "before")
]
# What was installed is taken for newer than the requirement files, whatever their times are.
MAKE_RUN = ["make", "--old-file=.venv/.run", "--old-file=.models/.installed", "run"]


@dataclasses.dataclass(frozen=True)
class Start:
    """How long a start took, in one round."""

    start_s: float
    start_bundled_s: float


@dataclasses.dataclass(frozen=True)
class Memory:
    """A worker's memory, in one round."""

    idle_mib: float
    idle_resident_mib: float
    after_mib: float
    crowd_mib: float
    broken: int


@dataclasses.dataclass(frozen=True)
class Footprint:
    """The figures by build."""

    streams: int
    servers: Mapping[str, Mapping[str, Figure]]
    ratios: Mapping[str, Figure]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        figures = self.servers["service"]
        return [
            BudgetLine(COLUMNS[name], limit, figures[name].median) for name, limit in LIMITS.items()
        ]


def measure_footprint(
    folders: Mapping[str, Path],
    directory: Path,
    *,
    streams: int,
    memory_rounds: int,
    start_rounds: int,
) -> Footprint:
    """Start every build in turn, first for its memory, then for the time that a start takes."""
    with contextlib.ExitStack() as stack:
        upstream, slow = (
            stack.enter_context(running(upstream_program(port, seconds, directory)))
            for port, seconds in zip(free_ports(2), (BATCH_SECONDS, CROWD_SECONDS), strict=True)
        )
        memory = [
            {
                name: Memory(
                    *memory_of(folder, name, upstream, streams),
                    *crowd_of(folder, name, slow, streams),
                )
                for name, folder in folders.items()
            }
            for _ in announced("memory", memory_rounds)
        ]
        # The first start is not measured: it reads all files from the disk.
        starts = [
            {name: starts_of(folder, name, upstream) for name, folder in folders.items()}
            for _ in announced("starts", 1 + start_rounds)
        ][1:]
    servers = {
        name: {
            **figures_of([each[name] for each in memory]),
            **figures_of([each[name] for each in starts]),
        }
        for name in folders
    }
    measured = {**ratios.measured(START_RATIOS, starts), **ratios.measured(MEMORY_RATIOS, memory)}
    return Footprint(streams, servers, measured)


def announced(what: str, rounds: int) -> Iterator[int]:
    """Count rounds, and announce each of them."""
    for number in range(1, rounds + 1):
        announce(f"{what}, round {number} of {rounds}")
        yield number


def figures_of(samples: Sequence[Memory] | Sequence[Start]) -> Mapping[str, Figure]:
    """Return the figure of every field."""
    fields = [field.name for field in dataclasses.fields(samples[0])]
    return {field: figure([getattr(each, field) for each in samples]) for field in fields}


def memory_of(
    folder: Path, name: str, upstream: Server, streams: int
) -> tuple[float, float, float]:
    """Return a fresh worker's private and resident memory, and the latter after the streams."""
    with contextlib.ExitStack() as stack:
        server = started(folder, name, upstream.port, stack, SETTINGS)
        time.sleep(IDLE_SECONDS)
        idle_mib = max(private_mib(pid) for pid in workers_of(server.pid))
        idle_resident_mib = largest_worker_mib(server.pid)
        for _ in range(math.ceil(streams / BATCH)):
            at_once = min(streams, BATCH)
            counted_load(Target(server, STREAM), connections=at_once, seconds=BATCH_SECONDS)
        time.sleep(SETTLE_SECONDS)
        return idle_mib, idle_resident_mib, largest_worker_mib(server.pid)


def crowd_of(folder: Path, name: str, upstream: Server, streams: int) -> tuple[float, int]:
    """Return a fresh worker's resident memory after all streams at once, and how many broke."""
    with contextlib.ExitStack() as stack:
        server = started(folder, name, upstream.port, stack, SETTINGS)
        load = counted_load(Target(server, STREAM), connections=streams, seconds=CROWD_SECONDS)
        time.sleep(SETTLE_SECONDS)
        return largest_worker_mib(server.pid), load.failures


def starts_of(folder: Path, name: str, upstream: Server) -> Start:
    """Return the seconds from `make run` to the first answer, with an upstream and without."""
    return Start(
        start_seconds(folder, name, upstream, {}), start_seconds(folder, name, upstream, BUNDLED)
    )


def start_seconds(folder: Path, name: str, upstream: Server, settings: Mapping[str, str]) -> float:
    """Return the seconds from `make run` to the first answer, where everything is installed."""
    [port] = free_ports(1)
    program = service_program(folder, port, upstream.port, folder, settings, name=name)
    program = dataclasses.replace(program, command=MAKE_RUN)
    began = time.monotonic()
    with running(program):
        return time.monotonic() - began


def footprint_table(footprint: Footprint) -> str:
    """Return the aligned table of medians with their ranges."""
    rows = [["server", *COLUMNS.values()]]
    rows += [
        [name, *(str(figures[field]) for field in COLUMNS)]
        for name, figures in footprint.servers.items()
    ]
    return f"{aligned(rows)}\n\n{aligned(ratio_rows(footprint.ratios))}"
