"""A budget in a SQLite file waits for other writers, within bounds."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from llm_api.domain.access import Reservation
from llm_api.storage import StoreError
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine

NOW = datetime(2026, 11, 22, tzinfo=UTC)
WANTED = Reservation("2026-11-22", "CNY", amount=10, limit=50)


@pytest.fixture
def engine(sqlite_database: str) -> Iterator[sa.Engine]:
    """Open a file whose lock is hardly waited for."""
    opened = make_engine(sqlite_database, busy_timeout=0.01)
    yield opened
    opened.dispose()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the file's lock for the block."""
    other = make_engine(url)
    with other.begin():  # as every transaction that writes
        yield
    other.dispose()


def test_a_budget_is_reserved_when_another_writer_has_ended(
    engine: sa.Engine, sqlite_database: str
) -> None:
    has_met_it = threading.Event()
    event.listen(engine, "handle_error", lambda _: has_met_it.set())
    budgets = SqlBudgets(engine)

    with ThreadPoolExecutor(1) as pool:
        with locked(sqlite_database):
            reserving = pool.submit(budgets.reserve, "key_1", "req_1", NOW, [WANTED])
            assert has_met_it.wait(20)
        assert reserving.result() is None

    assert budgets.spent("key_1", WANTED.period, "CNY") == (0, 10)


def test_a_writer_that_does_not_end_is_not_waited_for(
    engine: sa.Engine, sqlite_database: str
) -> None:
    with locked(sqlite_database), pytest.raises(StoreError, match="locked"):
        SqlBudgets(engine).reserve("key_1", "req_1", NOW, [WANTED])
