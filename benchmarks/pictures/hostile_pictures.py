"""What hostile pictures cost, as multiples of the dearest good one."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.harness.figures import BudgetLine, aligned
from benchmarks.harness.process import own_cpu_seconds
from benchmarks.pictures import files
from llm_api.pictures.facts import PictureError
from llm_api.pictures.pictures import Pictures
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess

TRIES = 3
MAX_RATIO = 2.0
_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Hostile:
    """CPU seconds of good and of hostile pictures, in the worker and in its picture process."""

    good: Mapping[str, float]
    hostile: Mapping[str, float]

    @property
    def budget(self) -> Sequence[BudgetLine]:
        """Return the limit of each hostile picture."""
        dearest = max(self.good.values())
        return [
            BudgetLine(f"{name}, to the dearest good picture", MAX_RATIO, seconds / dearest)
            for name, seconds in self.hostile.items()
        ]

    def lines(self) -> str:
        """Return the CPU times as a table."""
        rows = [["picture", "CPU s"]]
        for name, seconds in [*self.good.items(), *self.hostile.items()]:
            rows.append([name, f"{seconds:.3f}"])
        return aligned(rows)


def measure_hostile() -> Hostile:
    """Read all pictures, one after the other, each by a process that is there already."""
    started: list[PictureProcess] = []

    def start() -> PictureProcess:
        started.append(PictureProcess())
        return started[-1]

    pictures = Pictures(ProcessPool(1, time_limit=_SECONDS, queue_limit=_SECONDS, start=start))
    warm = files.photograph(0.01)
    try:
        read = _reader(pictures, warm, started)
        good = {name: read(data) for name, data in files.good()}
        hostile = {name: read(data) for name, data in files.hostile()}
    finally:
        pictures.close()
    return Hostile(good, hostile)


def _reader(
    pictures: Pictures, warm: bytes, started: Sequence[PictureProcess]
) -> Callable[[bytes], float]:
    """Return what returns the CPU seconds that a picture costs: the least of several tries."""

    def spent(data: bytes) -> float:
        _prepare(pictures, warm)
        child = started[-1].pid
        before = time.process_time(), own_cpu_seconds(child)
        _prepare(pictures, data)
        # A process that has died of it has none any more: its start is what the next one pays.
        seconds = own_cpu_seconds(child) - before[1] if started[-1].pid == child else 0.0
        return time.process_time() - before[0] + max(seconds, 0.0)

    return lambda data: min(spent(data) for _ in range(TRIES))


def _prepare(pictures: Pictures, data: bytes) -> None:
    try:
        pictures.prepare(
            data,
            field="images[0]",
            max_bytes=files.MAX_BYTES,
            max_pixels=files.MAX_PIXELS,
            max_side=4_096,
            keeps_alpha=True,
        )
    except PictureError:
        return  # a refusal is what most hostile pictures cost
