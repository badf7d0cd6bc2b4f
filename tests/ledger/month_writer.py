"""A node whose calls are of two months: `python -m tests.ledger.month_writer`, beside another.

Its arguments are the folder of its spool, the database, its name, and after how many commits it is
killed, with rows in the database that are still in the spool; 0 is never.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import begun, ended

BOUNDARY = datetime(2027, 1, 1, tzinfo=UTC)
ROWS, FLUSHED = 1_200, 40
_STEP = timedelta(minutes=1)


class DiesAfterCommits(SqlUsageStore):
    """A store whose process is killed behind its commit of such a number."""

    dies_after = 0
    commits = 0

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Keep them, and die, perhaps."""
        super().add(records)
        self.commits += 1
        if self.commits == self.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """End calls from before the boundary to behind it; the last one never ends."""
    folder, database, name, dies_after = sys.argv[1:]
    store = DiesAfterCommits(make_engine(database))
    store.dies_after = int(dies_after)
    spool = Spool(Path(folder), store, StoreThreads(1))
    for number in range(ROWS):
        time = BOUNDARY + (number - ROWS // 2) * _STEP
        spool.end(ended(f"{name}_{number:04}", created_at=time, key_id=f"key_{name}"))
        if number % FLUSHED == FLUSHED - 1:
            _flush(spool)
    spool.begin(begun(f"{name}_open", created_at=BOUNDARY))
    while spool.rows_waiting:
        _flush(spool)
    os.kill(os.getpid(), signal.SIGKILL)


def _flush(spool: Spool) -> None:
    """Try; what the database does not take now comes with the next."""
    try:
        spool.flush()
    except StoreError:
        sys.stderr.write("rows wait\n")


if __name__ == "__main__":
    main()
