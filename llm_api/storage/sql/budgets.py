"""What keys have spent, in a SQL database.

A reservation is one UPDATE that finds its row only while enough is left: so simultaneous calls
cannot take the same money, on any database and from any process.
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

# No call lasts so long: what is reserved longer has lost its call.
_STALE = timedelta(days=1)
_MOST_KNOWN = 10_000
# A SQLite file goes to whoever comes at the right moment: with 16 writers every seventh gave up.
_PATIENCE_S = 3.0
# How calls end that an upstream has not worked for.
_FREE_STATUSES = {"upstream_error", "error"}
_FREE_REASONS = {"connect_timeout"}


class SqlBudgets:
    """Keeps spending in the tables `budget_spending` and `budget_reservations`."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine from `make_engine`."""
        self._engine = engine
        self._known: set[tuple[str, str, str]] = set()  # rows that are there

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore."""
        # It never fits; and a caller can write numbers that no column takes.
        if too_much := next((one for one in wanted if one.amount > one.limit), None):
            return too_much
        moment = now.replace(tzinfo=None)
        # Always in the same order: two calls could wait for each other.
        ordered = sorted(wanted, key=lambda one: (one.period, one.unit))
        give_up_at = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._try(key_id, request_id, moment, ordered)
            except sa.exc.SQLAlchemyError as error:
                if not is_locked(error) or time.monotonic() >= give_up_at:
                    raise StoreError(what_failed(error)) from error

    def _try(
        self, key_id: str, request_id: str, moment: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        for one in wanted:
            self._open(key_id, one)
        over = self._reserve(key_id, request_id, moment, wanted)
        if over is not None and self._release_stale(key_id, moment - _STALE):
            over = self._reserve(key_id, request_id, moment, wanted)
        return over

    def _open(self, key_id: str, wanted: Reservation) -> None:
        """Make the row of a period, which the UPDATE then finds."""
        row = (key_id, wanted.period, wanted.unit)
        if row in self._known:
            return
        # Another process may be doing the same.
        with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
            if connection.scalar(sa.select(sa.func.count()).where(*_is(*row))) == 0:
                values = dict(zip(("key_id", "period", "unit"), row, strict=True))
                connection.execute(sa.insert(spending).values(**values, spent=0, reserved=0))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(row)

    def _reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        with self._engine.begin() as connection:
            for one in wanted:
                left = one.limit - one.amount
                found = connection.execute(
                    sa.update(spending)
                    .where(
                        *_is(key_id, one.period, one.unit),
                        spending.c.spent + spending.c.reserved <= left,
                    )
                    .values(reserved=spending.c.reserved + one.amount)
                )
                if not found.rowcount:
                    self._known.discard((key_id, one.period, one.unit))
                    connection.rollback()
                    return one
            connection.execute(
                sa.insert(reservations),
                [
                    {
                        "request_id": request_id,
                        "period": one.period,
                        "unit": one.unit,
                        "key_id": key_id,
                        "amount": one.amount,
                        "created_at": now,
                    }
                    for one in wanted
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
    """Turn what was reserved for calls into what their usage rows say, in the rows' transaction."""
    if ended := {row["request_id"]: row for row in rows if row["key_id"] is not None}:
        _settle(connection, ended)


def _settle(connection: Connection, ended: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Settle the reservations of calls; those without a row cost nothing."""
    its_call = reservations.c.request_id.in_(list(ended))
    # Locked: of two that settle the same, such as what is stale, the second finds nothing more.
    found = sa.select(reservations).where(its_call).order_by(reservations.c.request_id)
    held = connection.execute(found.with_for_update()).mappings().all()
    reserved: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    spent: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for one in held:
        place = one["key_id"], one["period"], one["unit"]
        reserved[place] += one["amount"]
        spent[place] += _charged(ended[one["request_id"]], one["unit"], one["amount"])
    for place in sorted(reserved):
        connection.execute(
            sa.update(spending)
            .where(*_is(*place))
            .values(
                reserved=spending.c.reserved - reserved[place],
                spent=spending.c.spent + spent[place],
            )
        )
    if held:
        connection.execute(sa.delete(reservations).where(its_call))


def _charged(row: Mapping[str, Any] | None, unit: str, reserved: int) -> int:
    """Return what a call has taken; as much as was reserved where nobody knows."""
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
