"""A process with a spool, for tests that kill it: `python -m tests.storage.spool_process`.

Its arguments are the folder of the spool, the database (`away` for one that is never there) and
what to do; then it says so and waits to be killed.
"""

import io
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from llm_api.observability.logging import JsonFormatter
from llm_api.storage import UsageStore
from llm_api.storage.spool.spool import ROTATE_BYTES, Spool
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ListStore, begun, ended

FILLING_ROWS = ROTATE_BYTES // 300  # a line has more bytes
DISK_BYTES = 10_000
DISK_ROWS = 100


def fill(spool: Spool) -> None:
    """End so many calls that the file is to be replaced by a new one."""
    for number in range(FILLING_ROWS):
        spool.end(ended(f"req_{number:05}"))


def begin_one(spool: Spool) -> None:
    """Begin a call and not end it."""
    spool.begin(begun("req_1"))


def end_one(spool: Spool) -> None:
    """Begin a call and end it."""
    spool.begin(begun("req_1"))
    spool.end(ended("req_1"))


def begin_one_and_fill(spool: Spool) -> None:
    """Begin a call, then end others until the file is replaced by a new one."""
    spool.begin(begun("req_open"))
    fill(spool)
    spool.flush()


def fill_the_disk(spool: Spool) -> None:
    """End more calls than the disk has room for."""
    whole = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, whole[1]))
    for number in range(DISK_ROWS):
        spool.end(ended(f"req_{number:05}"))
    resource.setrlimit(resource.RLIMIT_FSIZE, whole)


DEEDS: dict[str, Callable[[Spool], None]] = {
    deed.__name__: deed for deed in (begin_one, end_one, begin_one_and_fill, fill_the_disk)
}


def main() -> None:
    """Do what the arguments say."""
    folder, database, deed = sys.argv[1:]
    log = io.StringIO()  # in memory: the disk may be full
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonFormatter())
    logging.root.addHandler(handler)
    DEEDS[deed](Spool(Path(folder), _store(database), StoreThreads(1)))
    sys.stdout.write(log.getvalue() + "done\n")
    sys.stdout.flush()
    time.sleep(3600)


def _store(database: str) -> UsageStore:
    if database != "away":
        return SqlUsageStore(make_engine(database))
    store = ListStore()
    store.is_away = True
    return store


if __name__ == "__main__":
    main()
