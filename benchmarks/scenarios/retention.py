"""Retention: how much the removal of old usage rows delays writers of new ones.

A round has two halves. In both, a writer commits batches; in the second, another process removes
old rows meanwhile, as the service does (`llm_api/storage/retention.py`).
"""

import contextlib
import itertools
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar, cast

from benchmarks.harness.figures import BudgetLine, Figure, figure
from benchmarks.scenarios.usage_rows import Kinds, year
from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.retention import BATCH, RetentionJob
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
BATCH_ROWS = 50
PAUSE = 0.01
SETTLE_SECONDS = 0.5
START_TIMEOUT = 20.0
_T = TypeVar("_T")
KEPT_DAYS = 120  # of the year that the rows are from: the rest is there to be removed
READY = b"removing\n"
REMOVED = b"."  # a batch
MAX_HELD_UP_MS = 100.0
MAX_P99_RATIO = 2.0


class RetentionError(Exception):
    """The removal could not be measured."""


@dataclass(frozen=True)
class Half:
    """Milliseconds of every commit in a half round, and the number of rows removed in it."""

    commits: Sequence[float]
    removed: int = 0

    @property
    def p99_ms(self) -> float:
        """Return the 99th percentile of the commits, in milliseconds."""
        return statistics.quantiles(self.commits, n=100, method="inclusive")[98]


@dataclass(frozen=True)
class Retention:
    """The figures over all rounds; a ratio is that of one round."""

    rounds: int
    commits_a_half: Figure
    removed_a_second: Figure
    alone_longest_ms: Figure
    longest_ms: Figure
    alone_p99_ms: Figure
    p99_ms: Figure
    p99_ratio: Figure

    def budget(self, database: str) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        return [
            BudgetLine(f"{database}: longest commit ms", MAX_HELD_UP_MS, self.longest_ms.median),
            BudgetLine(f"{database}: p99 ratio", MAX_P99_RATIO, self.p99_ratio.median),
        ]


def measure_retention(url: str, kinds: Kinds, rounds: int, seconds: float) -> Retention:
    """Return the figures of some rounds; raises RetentionError if there was nothing to remove."""
    store = SqlUsageStore(make_engine(url))
    batches = _batches(kinds)
    try:
        _write(store, batches, SETTLE_SECONDS)
        pairs = [_round(store, batches, url, seconds) for _ in range(rounds)]
    finally:
        store.close()
    alone, busy = zip(*pairs, strict=True)
    return Retention(
        rounds=rounds,
        commits_a_half=figure([len(half.commits) for half in busy]),
        removed_a_second=figure([half.removed / seconds for half in busy]),
        alone_longest_ms=figure([max(half.commits) for half in alone]),
        longest_ms=figure([max(half.commits) for half in busy]),
        alone_p99_ms=figure([half.p99_ms for half in alone]),
        p99_ms=figure([half.p99_ms for half in busy]),
        p99_ratio=figure([beside.p99_ms / alone.p99_ms for alone, beside in pairs]),
    )


def _round(
    store: SqlUsageStore, batches: Iterator[list[UsageRecord]], url: str, seconds: float
) -> tuple[Half, Half]:
    alone = _write(store, batches, seconds)
    with _removing(url) as removal:
        busy = _write(store, batches, seconds)
    time.sleep(SETTLE_SECONDS)  # the server ends what the process has begun
    return alone, replace(busy, removed=removal.rows)


def _batches(kinds: Kinds) -> Iterator[list[UsageRecord]]:
    """Yield batches of new calls for ever."""
    records = itertools.cycle(kinds.records)
    while True:
        now = datetime.now(UTC)
        yield [
            replace(record, request_id=f"req_{secrets.token_hex(16)}", created_at=now)
            for record in itertools.islice(records, BATCH_ROWS)
        ]


def _write(store: SqlUsageStore, batches: Iterator[list[UsageRecord]], seconds: float) -> Half:
    """Commit for some seconds; a commit that fails is repeated, and counts until it succeeds."""
    commits: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        batch, started = next(batches), time.perf_counter()
        while True:
            with contextlib.suppress(StoreError):
                store.add(batch)
                break
            if time.monotonic() > until + START_TIMEOUT:
                raise RetentionError("the database takes no rows")
        commits.append((time.perf_counter() - started) * 1000)
        time.sleep(PAUSE)
    return Half(commits)


@dataclass
class Removal:
    """Number of rows that were removed; known at the end."""

    rows: int = 0


@contextlib.contextmanager
def _removing(url: str) -> Iterator[Removal]:
    """Remove old rows in a process of its own while the block runs."""
    removal = Removal()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _remover(url, folder) as process:
        try:
            output = cast("IO[bytes]", process.stdout)
            if output.readline() != READY:
                raise RetentionError("the removal did not start")
            yield removal
            if process.poll() is not None:
                raise RetentionError(
                    "the removal failed, or all old rows are gone: use more --rows"
                )
        finally:
            process.kill()
        removal.rows = output.read().count(REMOVED) * BATCH


def _remover(url: str, folder: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scenarios.retention"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PACKAGE_PARENT,
        start_new_session=True,
    )
    # Not as an argument: the address holds a password.
    with cast("IO[bytes]", process.stdin) as pipe:
        pipe.write(json.dumps([url, folder]).encode())
    return process


def main() -> None:
    """Remove old rows from the database that standard input names, until there are none."""
    url, folder = json.load(sys.stdin)
    keep_days = (datetime.now(UTC) - year()[1]).days + KEPT_DAYS
    upkeep = RetentionJob(Path(folder), SqlUsageStore(make_engine(url)), _Threads(1), keep_days)
    _say(READY)
    upkeep.prune()


class _Threads(StoreThreads):
    """Says when a batch is removed."""

    def run(self, function: Callable[[], _T], timeout: float | None = None) -> _T:
        """See StoreThreads."""
        result = super().run(function, timeout)
        _say(REMOVED)
        return result


def _say(word: bytes) -> None:
    sys.stdout.buffer.write(word)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
