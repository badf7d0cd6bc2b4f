"""What a call costs PostgreSQL and Valkey, which several workers share: docs/sizing.md needs it.

One service with one worker uses both. Calls without a key only have usage rows; calls with a key
also have its limits counted, in Valkey, and its budget reserved and settled, in PostgreSQL.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from benchmarks.harness import keys
from benchmarks.harness.console import announce
from benchmarks.harness.contenders import started
from benchmarks.harness.figures import Figure, aligned, figure
from benchmarks.harness.measure import (
    BUSY_CONNECTIONS,
    CHAT,
    MS_A_SECOND,
    SETTLE_SECONDS,
    Target,
    checked_load,
    with_headers,
)
from benchmarks.harness.process import own_cpu_seconds, tree_cpu_seconds
from benchmarks.harness.servers import Server
from tests.support.servers import PostgresServer, ValkeyServer, missing_wheel

# As installed: the tests' own settings do without safety.
POSTGRES_OPTIONS: Mapping[str, str] = {}
COLUMNS = {
    "service_cpu_ms": "CPU ms of the service",
    "database_cpu_ms": "CPU ms of PostgreSQL",
    "transactions": "writing transactions",
    "valkey_cpu_ms": "CPU ms of Valkey",
    "commands": "commands of Valkey",
}
WRITER_SECONDS = 1.0  # after which all rows of a load are in the database
PLAIN = "without a key"
KEYED = "with a key, limits and a budget"


@dataclasses.dataclass(frozen=True)
class StoreCost:
    """What one call cost, in one round."""

    service_cpu_ms: float
    database_cpu_ms: float
    transactions: float
    valkey_cpu_ms: float
    commands: float


@dataclasses.dataclass(frozen=True)
class Stores:
    """The costs of a call by its kind."""

    rounds: int
    calls: Mapping[str, Mapping[str, Figure]]


@dataclasses.dataclass(frozen=True)
class Running:
    """The two servers, and how what they have done is read."""

    postgres: PostgresServer
    valkey: ValkeyServer
    client: redis.Redis
    statistics: sa.Engine

    def done(self, service: Server) -> tuple[float, ...]:
        """Return what has been used so far, in the order and the units of `StoreCost`."""
        postmaster = int(
            (self.postgres.home / "cluster" / "postmaster.pid").read_text().split("\n")[0]
        )
        info: Any = self.client.info()
        with self.statistics.connect() as connection:
            # pg_stat_database is late by seconds; the next transaction id is exact.
            commits = connection.scalar(
                sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            )
        return (
            tree_cpu_seconds(service.pid) * MS_A_SECOND,
            tree_cpu_seconds(postmaster) * MS_A_SECOND,
            float(str(commits)),
            own_cpu_seconds(info["process_id"]) * MS_A_SECOND,
            float(info["total_commands_processed"]),
        )


def measure_stores(
    folder: Path, upstream: Server, directory: Path, *, rounds: int, seconds: float
) -> Stores | None:
    """Measure both kinds of calls in turn; None where PostgreSQL is not installed."""
    if reason := missing_wheel():
        announce(f"PostgreSQL and Valkey are left out: {reason}")
        return None
    with contextlib.ExitStack() as stack:
        both = stack.enter_context(stores(directory))
        targets = targets_before(both, folder, upstream, stack)
        for target in targets.values():
            checked_load(target, connections=BUSY_CONNECTIONS, seconds=seconds)
        measured = []
        for number in range(1, rounds + 1):
            announce(f"PostgreSQL and Valkey, round {number} of {rounds}")
            measured.append(
                {name: cost_of(both, target, seconds) for name, target in targets.items()}
            )
    return Stores(
        rounds,
        {
            name: {
                field: figure([getattr(each[name], field) for each in measured])
                for field in COLUMNS
            }
            for name in targets
        },
    )


@contextlib.contextmanager
def stores(directory: Path) -> Iterator[Running]:
    """Run both servers."""
    with (
        PostgresServer(directory, POSTGRES_OPTIONS) as postgres,
        ValkeyServer(directory) as valkey,
        contextlib.closing(redis.Redis.from_url(valkey.url)) as client,
    ):
        engine = sa.create_engine(postgres.url, poolclass=sa.NullPool)
        yield Running(postgres, valkey, client, engine)


def targets_before(
    both: Running, folder: Path, upstream: Server, stack: contextlib.ExitStack
) -> Mapping[str, Target]:
    """Start a service for each kind of call, with both servers; return what is called."""
    shared = {"RATELIMIT_STORAGE_URI": both.valkey.url}
    servers = {
        name: started(
            folder,
            f"stores-{number}",
            upstream.port,
            stack,
            {**shared, **more, "DATABASE_URL": both.postgres.new_database()},
        )
        for number, (name, more) in enumerate(((PLAIN, {}), (KEYED, keys.SETTINGS)))
    }
    headers = keys.headers_with_key(servers[KEYED])
    return {
        PLAIN: Target(servers[PLAIN], CHAT),
        KEYED: Target(servers[KEYED], with_headers(CHAT, headers)),
    }


def cost_of(both: Running, target: Target, seconds: float) -> StoreCost:
    """Return what a call cost the service and both servers, its row included."""
    time.sleep(SETTLE_SECONDS)
    before = both.done(target.server)
    result = checked_load(target, connections=BUSY_CONNECTIONS, seconds=seconds)
    time.sleep(WRITER_SECONDS)
    after = both.done(target.server)
    return StoreCost(*((b - a) / result.requests for a, b in zip(before, after, strict=True)))


def stores_table(measured: Stores) -> str:
    """Return the aligned table of medians with their ranges."""
    rows = [["a chat call", *COLUMNS.values()]]
    rows += [
        [name, *(str(each[field]) for field in COLUMNS)] for name, each in measured.calls.items()
    ]
    return aligned(rows)
