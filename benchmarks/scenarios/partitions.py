"""Measure partitions by months on PostgreSQL: `python -m benchmarks.scenarios.partitions`.

One server has a year of usage rows twice, in one table and in partitions. Each figure is taken of
both in turn, so that what else the machine does meets both; what counts are the ratios.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from llm_api.domain.audit import Actor
from llm_api.domain.usage import UsageQuery, UsageRecord
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.months import UsageMonths
from llm_api.storage.sql.partitioning import partition_usage
from llm_api.storage.sql.usage import SqlUsageStore
from tests.support.servers import PostgresServer

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
_BY = Actor("cli:bench", "bench")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_END = datetime(2027, 1, 1, tzinfo=UTC)
_MARCH = datetime(2026, 3, 1, tzinfo=UTC)
_BATCH, _BATCHES = 200, 25
_RETENTION_BATCH = 500  # as that of llm_api.storage.retention
_FILL = """
INSERT INTO usage (request_id, created_at, route, model, upstream, status, attempts, prompt_tokens,
                   completion_tokens, usage_source, total_ms, key_id)
SELECT 'req_' || md5(n::text), timestamp '2026-01-01' + n * interval '1 year' / :rows, '/v1/chat',
       'model-' || n % 20, 'fast', 'ok', 1, 100, 50, 'upstream', 900, 'key_' || n % 50
FROM generate_series(0, :rows - 1) AS n
"""
_MONTH_OF_ROWS = sa.text(
    "SELECT model, count(*), sum(prompt_tokens) FROM usage"
    " WHERE created_at >= '2026-06-01' AND created_at < '2026-07-01' GROUP BY model"
)


def filled(server: PostgresServer, rows: int, *, is_partitioned: bool) -> SqlUsageStore:
    """Open the store on a new database with rows of 2026."""
    url = server.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    store = SqlUsageStore(make_engine(url, statement_timeout=0))
    if is_partitioned:
        partition_usage(url, _START - timedelta(days=62), _BY)
        for month in range(1, 12, 3):
            UsageMonths(store.engine).keep(_START.replace(month=month), None)
    with store.engine.begin() as connection:
        connection.execute(sa.text(_FILL), {"rows": rows})
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE usage")
    return store


def seconds_of(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def insert(store: SqlUsageStore, batch: int) -> None:
    """Add calls of the last weeks, as the spool does."""
    store.add([
        UsageRecord(
            f"req_{batch}_{n}", _END - timedelta(minutes=batch * 100 + n), "/v1/chat", None,
            f"model-{n % 20}", "fast", status="ok", attempts=1, usage_source="upstream",
        )
        for n in range(_BATCH)
    ])  # fmt: skip


def find(store: SqlUsageStore, batch: int) -> None:
    """Look one call up."""
    store.find(f"req_{batch}_7", None, 10)


def report(store: SqlUsageStore, _: int) -> None:
    """Report a month, from the sums."""
    store.report(UsageQuery(_END - timedelta(days=31), _END, ("model",)))


def read_rows(store: SqlUsageStore, _: int) -> None:
    """Sum a month up from its rows, as somebody who asks the database himself."""
    with store.engine.connect() as connection:
        connection.execute(_MONTH_OF_ROWS).all()


def prune(store: SqlUsageStore) -> None:
    """Remove two months."""
    before = UsageMonths(store.engine).keep(_START, _MARCH)
    while before is not None and store.prune(before, _RETENTION_BATCH):
        pass


def compared(stores: dict[str, SqlUsageStore]) -> Iterator[str]:
    """Yield a line for each figure."""
    for act in (insert, find, report, read_rows):
        taken: dict[str, list[float]] = {name: [] for name in stores}
        for batch in range(_BATCHES):
            for name, store in stores.items():
                taken[name].append(seconds_of(partial(act, store, batch)))
        yield _line(act.__name__, {name: median(times) for name, times in taken.items()})
    yield _line("prune", {name: seconds_of(partial(prune, s)) for name, s in stores.items()})


def _line(what: str, seconds: dict[str, float]) -> str:
    one, parts = seconds["table"], seconds["partitions"]
    return f"{what:<10} {one * 1000:10.2f} ms {parts * 1000:10.2f} ms  {parts / one:6.2f}"


@contextmanager
def serving() -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder)) as server:
        yield server


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of a year (%(default)s)")
    rows = parser.parse_args().rows
    with serving() as server:
        stores = {
            "table": filled(server, rows, is_partitioned=False),
            "partitions": filled(server, rows, is_partitioned=True),
        }
        print(f"{rows:,} rows          one table      partitions   ratio")
        for line in compared(stores):
            print(line, flush=True)
        url = stores["table"].engine.url.render_as_string(hide_password=False)
        taken = seconds_of(lambda: partition_usage(url, _END, _BY))
        print(f"the conversion of the table: {taken:.1f} s")
        for store in stores.values():
            store.close()


if __name__ == "__main__":
    main()
