"""Budgets in a SQL database beside other writers."""

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
from llm_api.storage.sql.tables import budget_reservations

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


@pytest.mark.parametrize("empty_database", ["postgresql", "mariadb"], indirect=True)
def test_a_reservation_that_comes_about_while_it_is_released_stays_whole(database: str) -> None:
    """A call that gave up is released beside others, and its transaction ends at that moment."""
    engine, other = make_engine(database), make_engine(database)
    budgets, late = SqlBudgets(engine), SqlBudgets(other)
    budgets.reserve("key_1", "req_1", NOW, [WANTED])

    @event.listens_for(engine, "before_cursor_execute")
    def reserve_late(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if sql.startswith("UPDATE"):
            assert late.reserve("key_1", "req_2", NOW, [WANTED]) is None

    budgets.release(["req_1", "req_2"])

    event.remove(engine, "before_cursor_execute", reserve_late)
    with engine.connect() as connection:
        held = connection.scalars(sa.select(budget_reservations.c.request_id)).all()
    assert held == ["req_2"]
    assert budgets.spent("key_1", WANTED.period, "CNY") == (0, WANTED.amount)
    budgets.release(["req_2"])
    assert budgets.spent("key_1", WANTED.period, "CNY") == (0, 0)
    engine.dispose()
    other.dispose()
