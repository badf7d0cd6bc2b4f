"""The own time of optimized prompts, the build before in turn with today's.

The prompts and the upstream are those of `prompt_overhead`.
"""

import contextlib
import dataclasses
import itertools
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.harness import ratios
from benchmarks.harness.console import announce
from benchmarks.harness.contenders import started
from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.ratios import Ratio, ratio_rows
from benchmarks.harness.servers import Server
from benchmarks.scenarios.prompt_overhead import WARM_UP, prompts_of, send
from tests.support.upstream import ScriptedUpstream

PROMPTS_A_ROUND = 25
MAX_ROUNDS = 15  # so many different prompts there are
COLUMNS = {"own_ms": "own ms, p50", "cpu_ms": "CPU ms a prompt"}
RATIOS = [
    Ratio(
        "own time of an optimized prompt, to the build before", "own_ms", "service", "before", 0.5
    ),
    Ratio("CPU of an optimized prompt, to the build before", "cpu_ms", "service", "before"),
]


@dataclasses.dataclass(frozen=True)
class PromptSample:
    """The median own time and the CPU time of a prompt, of one build in one round."""

    own_ms: float
    cpu_ms: float


@dataclasses.dataclass(frozen=True)
class OwnTime:
    """The figures by build."""

    rounds: int
    prompts: int
    servers: Mapping[str, Mapping[str, Figure]]
    ratios: Mapping[str, Figure]

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        return ratios.budget(RATIOS, self.ratios)


def measure_own_time(folders: Mapping[str, Path], rounds: int) -> OwnTime:
    """Have prompts rewritten by every build in turn."""
    rounds = min(rounds, MAX_ROUNDS)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(ScriptedUpstream())
        address = {"FAST_LLM_API_URL": upstream.url}
        services = [
            started(folder, name, upstream.port, stack, address) for name, folder in folders.items()
        ]
        prompts = {service.name: prompts_of("en") for service in services}
        for service in services:
            send(itertools.islice(prompts[service.name], WARM_UP), service.port, upstream)
        measured = []
        for number in range(1, rounds + 1):
            announce(f"prompts, round {number} of {rounds}")
            measured.append(
                {one.name: sample(one, prompts[one.name], upstream) for one in services}
            )
    return OwnTime(
        rounds=rounds,
        prompts=PROMPTS_A_ROUND,
        servers={
            name: {
                field: figure([getattr(each[name], field) for each in measured])
                for field in COLUMNS
            }
            for name in folders
        },
        ratios=ratios.measured(RATIOS, measured),
    )


def sample(service: Server, prompts: Iterator[str], upstream: ScriptedUpstream) -> PromptSample:
    """Have some prompts rewritten that came never before."""
    before = tree_cpu_seconds(service.pid)
    times = send(itertools.islice(prompts, PROMPTS_A_ROUND), service.port, upstream)
    cpu_ms = (tree_cpu_seconds(service.pid) - before) * 1000 / len(times)
    return PromptSample(statistics.median(times), cpu_ms)


def own_time_table(own: OwnTime) -> str:
    """Return the aligned table of medians with their ranges."""
    rows = [["server", *COLUMNS.values()]]
    rows += [[name, *(str(each[field]) for field in COLUMNS)] for name, each in own.servers.items()]
    return f"{aligned(rows)}\n\n{aligned(ratio_rows(own.ratios))}"
