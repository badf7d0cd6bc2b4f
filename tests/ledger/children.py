"""What other processes do to the ledger; run by `in_processes` and as programs of their own."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from llm_api.domain.usage import UsageRecord
from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ended

ROWS = 1_000
BATCH = 25


class DiesAfterCommit(SqlUsageStore):
    """A store whose process is killed when rows are in the database and still in the spool."""

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Keep them, and die."""
        super().add(records)
        os.kill(os.getpid(), signal.SIGKILL)


def keep_1000_rows_in_batches(url: str, position: int) -> None:
    """Keep 1,000 rows, 25 in a commit, all of the same hour and model: they meet in the sums."""
    store = SqlUsageStore(make_engine(url, busy_timeout=30))
    for start in range(0, ROWS, BATCH):
        numbers = range(start, start + BATCH)
        store.add([ended(f"req_{position}_{n}", cost_micro=n, currency="CNY") for n in numbers])
    store.close()


def take_up_orphans(url: str) -> None:
    """Take up the spool beside the SQLite file as a worker does that starts."""
    folder = Path(url.removeprefix("sqlite:///")).parent / "spool"
    store = SqlUsageStore(make_engine(url, busy_timeout=30))
    Spool(folder, store, StoreThreads(1)).adopt_orphans()
    store.close()


def main() -> None:
    """End some calls, and leave them in the spool or die over them, as the arguments say."""
    folder, database, count, dies = sys.argv[1:]
    kind = DiesAfterCommit if dies == "dies" else SqlUsageStore
    spool = Spool(Path(folder), kind(make_engine(database)), StoreThreads(1))
    for number in range(int(count)):
        spool.end(ended(f"req_{number:05}", prompt_tokens=number))
    if dies == "dies":
        spool.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
