"""Budgets of keys in a SQL database.

A reservation is one UPDATE whose condition holds only while enough is left, so that concurrent
calls cannot reserve the same amount, on any database and from any process.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.access import TOKENS, Reservation
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import is_locked, what_failed
from llm_api.storage.sql.tables import budget_reservations as reservations
from llm_api.storage.sql.tables import budget_spending as spending

# No call lasts that long: older reservations are abandoned.
_STALE = timedelta(days=1)
_MAX_KNOWN = 10_000
# SQLite locks are not fair: with 16 writers one of seven gave up within its busy time-out.
_LOCK_TIMEOUT_S = 3.0
# Calls that an upstream did not process.
_FREE_STATUSES = {"upstream_error", "error"}
_FREE_REASONS = {"connect_timeout"}


class SqlBudgets:
    """Keeps amounts in the tables `budget_spending` and `budget_reservations`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._engine = engine
        self._known: set[tuple[str, str, str]] = set()  # rows that exist

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore."""
        # These never fit, and callers can write numbers that exceed the column.
        if excessive := next((part for part in wanted if part.amount > part.limit), None):
            return excessive
        created_at = now.replace(tzinfo=None)
        # Always in the same order, or concurrent calls could deadlock.
        ordered = sorted(wanted, key=lambda part: (part.period, part.unit))
        give_up_at = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                return self._try(key_id, request_id, created_at, ordered)
            except sa.exc.SQLAlchemyError as error:
                if not is_locked(error) or time.monotonic() >= give_up_at:
                    raise StoreError(what_failed(error)) from error

    def _try(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        for part in wanted:
            self._create(key_id, part)
        over = self._reserve(key_id, request_id, now, wanted)
        if over is not None and self._release_stale(key_id, now - _STALE):
            over = self._reserve(key_id, request_id, now, wanted)
        return over

    def _create(self, key_id: str, wanted: Reservation) -> None:
        """Insert the row of a period for the UPDATE, unless it exists."""
        row = (key_id, wanted.period, wanted.unit)
        if row in self._known:
            return
        # Another process may insert it at the same time.
        with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
            if connection.scalar(sa.select(sa.func.count()).where(*_is(*row))) == 0:
                values = dict(zip(("key_id", "period", "unit"), row, strict=True))
                connection.execute(sa.insert(spending).values(**values, spent=0, reserved=0))
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(row)

    def _reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        with self._engine.begin() as connection:
            for part in wanted:
                left = part.limit - part.amount
                found = connection.execute(
                    sa.update(spending)
                    .where(
                        *_is(key_id, part.period, part.unit),
                        spending.c.spent + spending.c.reserved <= left,
                    )
                    .values(reserved=spending.c.reserved + part.amount)
                )
                if not found.rowcount:
                    self._known.discard((key_id, part.period, part.unit))
                    connection.rollback()
                    return part
            connection.execute(
                sa.insert(reservations),
                [
                    {
                        "request_id": request_id,
                        "period": part.period,
                        "unit": part.unit,
                        "key_id": key_id,
                        "amount": part.amount,
                        "created_at": now,
                    }
                    for part in wanted
                ],
            )
        return None

    def _release_stale(self, key_id: str, before: datetime) -> int:
        with self._engine.begin() as connection:
            is_stale = (reservations.c.key_id == key_id, reservations.c.created_at < before)
            stale = sa.select(reservations.c.request_id).where(*is_stale)
            ids = list(connection.scalars(stale))
            _settle(connection, dict.fromkeys(ids))
        return len(ids)

    def release(self, request_ids: Sequence[str]) -> None:
        """See BudgetStore."""
        try:
            with self._engine.begin() as connection:
                _settle(connection, dict.fromkeys(request_ids))
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def spent(self, key_id: str, period: str, unit: str) -> tuple[int, int]:
        """See BudgetStore."""
        columns = sa.select(spending.c.spent, spending.c.reserved)
        try:
            with self._engine.connect().execution_options(**READS) as connection:
                row = connection.execute(columns.where(*_is(key_id, period, unit))).first()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error
        return (0, 0) if row is None else (row.spent, row.reserved)


def _is(key_id: str, period: str, unit: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = spending.c
    return columns.key_id == key_id, columns.period == period, columns.unit == unit


def settle(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace reservations by the amounts of usage rows, in the transaction that inserts these."""
    if ended := {row["request_id"]: row for row in rows if row["key_id"] is not None}:
        _settle(connection, ended)


def _settle(connection: Connection, ended: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Settle the reservations of calls by their ids; a call without a row is charged nothing."""
    of_calls = reservations.c.request_id.in_(list(ended))
    # Locked: of two transactions that settle the same rows, the second finds none.
    found = sa.select(reservations).where(of_calls).order_by(reservations.c.request_id)
    held = connection.execute(found.with_for_update()).mappings().all()
    reserved: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    spent: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for row in held:
        account = row["key_id"], row["period"], row["unit"]
        reserved[account] += row["amount"]
        spent[account] += _charged(ended[row["request_id"]], row["unit"], row["amount"])
    for account in sorted(reserved):
        connection.execute(
            sa.update(spending)
            .where(*_is(*account))
            .values(
                reserved=spending.c.reserved - reserved[account],
                spent=spending.c.spent + spent[account],
            )
        )
    if held:
        connection.execute(sa.delete(reservations).where(of_calls))


def _charged(row: Mapping[str, Any] | None, unit: str, reserved: int) -> int:
    """Return the amount of a call; the reserved amount where its usage is unknown."""
    if row is None:
        return 0
    if unit == TOKENS:
        counts = row["prompt_tokens"], row["completion_tokens"]
        known = None if None in counts else sum(counts)
    else:
        known = row["cost_micro"] if row["currency"] == unit else None
    if known is not None:
        return int(known)
    is_free = row["status"] in _FREE_STATUSES or row["reason"] in _FREE_REASONS
    return 0 if is_free else reserved
