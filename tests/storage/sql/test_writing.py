"""What is written past SQLAlchemy's statements is written whole, or not at all."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import budget_reservations, budget_spending
from llm_api.storage.sql.writing import insert_rows, inserts, writing

AT = datetime(2026, 11, 22, 12, 30, 15, 123456)  # noqa: DTZ001  # as in the column


@pytest.fixture
def engine(shared_database: str) -> Iterator[sa.Engine]:
    """Open a database of each kind, without these rows."""
    opened = make_engine(shared_database)
    with opened.begin() as connection:
        for table in (budget_reservations, budget_spending):
            connection.execute(sa.delete(table))
    yield opened
    opened.dispose()


def reservation(number: int, **fields: Any) -> dict[str, Any]:
    """Make a row."""
    ids = {"request_id": f"req_{number:04}", "key_id": "key_1"}
    budget = {"period": "2026-11-22", "unit": "CNY", "amount": number}
    return {**ids, **budget, "created_at": AT, **fields}


def kept(engine: sa.Engine, table: sa.Table) -> list[dict[str, Any]]:
    """Read a table, in the order of its key."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
        return [dict(row) for row in rows]


@pytest.mark.parametrize("count", [0, 1, 166, 167, 400])
def test_rows_are_kept_however_many_fit_into_a_statement(engine: sa.Engine, count: int) -> None:
    rows = [reservation(number) for number in range(count)]

    with engine.begin() as connection:
        insert_rows(connection, budget_reservations, rows)

    assert kept(engine, budget_reservations) == rows


def test_a_row_that_exists_gets_the_sums_of_the_new_one(engine: sa.Engine) -> None:
    accounts = [{"key_id": f"key_{n}", "period": "2026-11", "unit": "CNY"} for n in range(300)]
    rows = [one | {"spent": n, "reserved": 1} for n, one in enumerate(accounts)]

    with engine.begin() as connection:
        insert_rows(connection, budget_spending, rows[:200])
        insert_rows(connection, budget_spending, rows, sums=("spent",))

    doubled = [row | {"spent": row["spent"] * (2 if n < 200 else 1)} for n, row in enumerate(rows)]
    assert kept(engine, budget_spending) == sorted(doubled, key=lambda row: row["key_id"])


def test_on_the_driver_s_cursor_the_block_is_one_transaction(engine: sa.Engine) -> None:
    [(text, values)] = inserts(engine.dialect, budget_reservations, [reservation(1)])

    with writing(engine) as cursor:
        cursor.execute(text, values)

    assert kept(engine, budget_reservations) == [reservation(1)]


def test_what_is_raised_in_the_block_undoes_it(engine: sa.Engine) -> None:
    [(text, values)] = inserts(engine.dialect, budget_reservations, [reservation(1)])

    with pytest.raises(ZeroDivisionError), writing(engine) as cursor:  # noqa: PT012  # the block is what is tested
        cursor.execute(text, values)
        raise ZeroDivisionError

    assert kept(engine, budget_reservations) == []


def test_an_error_of_the_driver_is_one_of_sqlalchemy_and_undoes_the_block(
    engine: sa.Engine,
) -> None:
    [(text, values)] = inserts(engine.dialect, budget_reservations, [reservation(1)])

    with pytest.raises(sa.exc.SQLAlchemyError), writing(engine) as cursor:  # noqa: PT012  # the block is what is tested
        cursor.execute(text, values)
        cursor.execute(text, values)

    assert kept(engine, budget_reservations) == []
