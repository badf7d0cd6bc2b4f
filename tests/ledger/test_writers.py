"""G4 and G18: many who write at once, and one who removes meanwhile; no row and no sum is lost."""

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llm_api.domain.usage import UsageQuery
from llm_api.storage import StoreError
from llm_api.storage.retention import RetentionJob
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.ledger.children import ROWS, keep_1000_rows_in_batches
from tests.ledger.load import calls_in_sums
from tests.storage.crowd import in_processes
from tests.storage.records import ended, stored_rows
from tests.support.schema import give_schema

OLD, WRITERS, BATCHES, SIZE = 3_000, 3, 40, 5


def test_g4_four_processes_lose_neither_row_nor_sum(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    give_schema(url)

    in_processes(keep_1000_rows_in_batches, [(url, n) for n in range(4)])

    store = SqlUsageStore(make_engine(url))
    span = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    [sums] = store.report(UsageQuery(*span))
    store.close()
    assert len(stored_rows(url)) == sums.calls == 4 * ROWS
    assert sums.cost_micro == {"CNY": 4 * sum(range(ROWS))}
    assert calls_in_sums(url) == [4 * ROWS] * 2


def test_g18_what_is_written_while_old_records_go_is_kept(
    store: SqlUsageStore, database: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    store.add([ended(f"old_{n:04}", created_at=now - timedelta(days=40)) for n in range(OLD)])

    def write(position: int) -> None:
        own = SqlUsageStore(make_engine(database, busy_timeout=30))
        for batch in range(BATCHES):
            names = [f"new_{position}_{batch}_{n}" for n in range(SIZE)]
            own.add([ended(name, created_at=now) for name in names])
        own.close()

    threads = [threading.Thread(target=write, args=(position,)) for position in range(WRITERS)]
    for thread in threads:
        thread.start()
    prune_all(RetentionJob(tmp_path, store, StoreThreads(1), 30))
    for thread in threads:
        thread.join()

    new = WRITERS * BATCHES * SIZE
    rows = stored_rows(database)
    assert [row["request_id"] for row in rows if not row["request_id"].startswith("new_")] == []
    assert len(rows) == new
    assert calls_in_sums(database) == [OLD + new] * 2


def prune_all(keeper: RetentionJob) -> None:
    """Remove until nothing is left; the database may be locked for longer than it waits."""
    for _ in range(100):
        with suppress(StoreError):
            keeper.prune()
            return
