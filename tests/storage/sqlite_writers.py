"""What several processes do to one SQLite file at once; run in children by a process pool."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import sqlalchemy as sa

from llm_api.storage.engine import make_engine
from llm_api.storage.sql import SqlUsageStore
from tests.storage.records import ended

if TYPE_CHECKING:
    from collections.abc import Callable


def in_processes(work: "Callable[[str, int], None]", url: str, processes: int) -> None:
    """Run the work in so many processes at once; the first exception of one is raised here."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, [url] * processes, range(processes)))


def count_up(url: str, _position: int) -> None:
    """Read a number and write the next one, 50 times."""
    engine = make_engine(url, busy_timeout=30)
    for _ in range(50):
        with engine.begin() as connection:
            number = connection.execute(sa.text("SELECT n FROM counter")).scalar_one()
            connection.execute(sa.text("UPDATE counter SET n = :n"), {"n": number + 1})
    engine.dispose()


def keep_1000_rows(url: str, position: int) -> None:
    """Keep 1,000 rows, each with a commit of its own."""
    store = SqlUsageStore(make_engine(url, busy_timeout=30))
    for number in range(1_000):
        store.add([ended(f"req_{position}_{number}")])
    store.close()
