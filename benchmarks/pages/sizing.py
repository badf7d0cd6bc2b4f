"""How much of everything a rate of calls needs, computed from what calls cost in a run."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

RATES = (10, 100, 1_000, 10_000)
FILL = 0.6  # of a core, so that a burst and a slow minute fit in
UPSTREAM_SECONDS = 2.0  # a call takes so long at the model
WORKER_CORES = 16  # of the machine that the service has for itself
DATABASE_CORES = 16
VALKEY_CORES = 1  # it runs commands on one thread
CALLS_IN_PROGRESS = 1_000  # MAX_CALLS_IN_PROGRESS, of a worker
UPSTREAM_CONCURRENCY = 1_024  # of a worker
FILES_A_CALL = 2
MS_A_SECOND = 1_000
SECONDS_A_DAY = 86_400
GIB_A_ROW = 1 / 1_000_000
MIB_A_GIB = 1_024


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a call costs, and what a worker and a call in progress hold."""

    service_cpu_ms: float
    database_cpu_ms: float
    valkey_cpu_ms: float
    worker_mib: float
    call_mib: float


@dataclasses.dataclass(frozen=True)
class Sizing:
    """What a rate needs; `shares` are parts of one machine of each kind."""

    rate: int
    workers: int
    memory_gib: float
    in_progress: int
    files_a_worker: int
    rows_a_day: int
    disk_gib_a_day: float
    database_cores: float
    valkey_cores: float
    shares: Mapping[str, float]

    @property
    def limit(self) -> str:
        """Return what needs more than one machine; where nothing does, what is the fullest."""
        over = {name: share for name, share in self.shares.items() if share > 1}
        name, share = max(self.shares.items(), key=lambda item: item[1])
        return ", ".join(f"{name} {share:.0%}" for name, share in (over or {name: share}).items())


def costs_of(run: Mapping[str, Any], kind: str) -> Costs:
    """Return the costs of a kind of calls, from a run that has measured stores and footprint."""
    call = run["stores"]["calls"][kind]
    footprint = run["footprint"]
    memory = footprint["servers"]["service"]
    grown = memory["crowd_mib"]["median"] - memory["idle_resident_mib"]["median"]
    return Costs(
        service_cpu_ms=call["service_cpu_ms"]["median"],
        database_cpu_ms=call["database_cpu_ms"]["median"],
        valkey_cpu_ms=call["valkey_cpu_ms"]["median"],
        worker_mib=memory["idle_resident_mib"]["median"],
        call_mib=max(grown, 0) / footprint["streams"],
    )


def sized(costs: Costs, rate: int) -> Sizing:
    """Return what so many calls a second need."""
    in_progress = math.ceil(rate * UPSTREAM_SECONDS)
    busy_cores = rate * costs.service_cpu_ms / MS_A_SECOND
    workers = max(math.ceil(busy_cores / FILL), math.ceil(in_progress / CALLS_IN_PROGRESS), 1)
    database = rate * costs.database_cpu_ms / MS_A_SECOND
    valkey = rate * costs.valkey_cpu_ms / MS_A_SECOND
    rows = rate * SECONDS_A_DAY
    return Sizing(
        rate=rate,
        workers=workers,
        memory_gib=(workers * costs.worker_mib + in_progress * costs.call_mib) / MIB_A_GIB,
        in_progress=in_progress,
        files_a_worker=math.ceil(in_progress * FILES_A_CALL / workers),
        rows_a_day=rows,
        disk_gib_a_day=rows * GIB_A_ROW,
        database_cores=database / FILL,
        valkey_cores=valkey / FILL,
        shares={
            "workers' CPU": busy_cores / FILL / WORKER_CORES,
            "PostgreSQL's CPU": database / FILL / DATABASE_CORES,
            "Valkey's thread": valkey / FILL / VALKEY_CORES,
            "calls in progress": in_progress / (workers * CALLS_IN_PROGRESS),
        },
    )


def sizings(costs: Costs, rates: Sequence[int] = RATES) -> list[Sizing]:
    """Return what each rate needs."""
    return [sized(costs, rate) for rate in rates]


def calls_a_second(cpu_ms: float, cores: int = 1) -> float:
    """Return how many calls a second so many cores can take, filled as planned."""
    return cores * FILL * MS_A_SECOND / cpu_ms if cpu_ms else math.inf
