"""What several processes do to one SQLite file at once; see `crowd.in_processes`."""

import sqlalchemy as sa

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.records import ended


def count_up(url: str) -> None:
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
