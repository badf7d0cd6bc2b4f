"""Budgets of keys in a SQL database.

A reservation is one UPDATE whose condition holds only while enough is left, so that concurrent
calls cannot reserve the same amount, on any database and from any process.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPICursor

from llm_api.domain.access import TOKENS, Claim, Reservation
from llm_api.storage import StoreError
from llm_api.storage.sql.budget_accounts import Account, Updating, account_of, part_of, spent_before
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import is_locked, what_failed
from llm_api.storage.sql.tables import budget_reservations as reservations
from llm_api.storage.sql.tables import budget_spending as spending
from llm_api.storage.sql.writing import inserts, writing

# No call lasts that long: older reservations are abandoned.
_STALE = timedelta(days=1)
_MAX_KNOWN = 10_000
# SQLite locks are not fair: with 16 writers one of seven gave up within its busy time-out.
_LOCK_TIMEOUT_S = 3.0
# Calls that an upstream did not process.
_FREE_STATUSES = {"upstream_error", "error"}
_FREE_REASONS = {"connect_timeout"}

_T = TypeVar("_T")


class _ShortError(Exception):
    """An account has not enough left."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account


class SqlBudgets:
    """Keeps amounts in the tables `budget_spending` and `budget_reservations`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._engine = engine
        self._update = Updating(engine.dialect)
        self._known: set[Account] = set()  # rows that exist
        # Without a lock, which threads of gevent and native ones would share.
        self._seen: dict[Account, tuple[int, int]] = {}

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore."""
        return self.reserve_all([Claim(key_id, request_id, now, wanted)])[0]

    def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
        """See BudgetStore."""
        # These never fit, and callers can write numbers that exceed the column.
        over = {
            claim.request_id: part
            for claim in claims
            for part in claim.wanted
            if part.amount > part.limit
        }
        self._reserve_in_groups([one for one in claims if one.request_id not in over], over)
        return [over.get(claim.request_id) for claim in claims]

    def reserve_together(self, claims: Sequence[Claim]) -> Reservation | None:
        """See BudgetStore."""
        parts = (part for claim in claims for part in claim.wanted)
        if too_large := next((part for part in parts if part.amount > part.limit), None):
            return too_large
        short = self._patiently(partial(self._try_hard, claims))
        return None if short is None else part_of(claims, short)

    def _reserve_in_groups(self, claims: Sequence[Claim], over: dict[str, Reservation]) -> None:
        """Reserve in one transaction for all keys that have enough left for all of their calls.

        Of a key or group that has not, each call gets a transaction, in the order in which they
        came: so those pass, and no others, that would have passed alone. What exceeds a budget goes
        into `over`, by the ids of calls.
        """
        while len(claims) > 1:
            short = self._patiently(partial(self._try, claims))
            if short is None:
                return
            self._reserve_singly([claim for claim in claims if short[0] in claim.holders], over)
            claims = [claim for claim in claims if short[0] not in claim.holders]
        self._reserve_singly(claims, over)

    def _reserve_singly(self, claims: Iterable[Claim], over: dict[str, Reservation]) -> None:
        for claim in claims:
            short = self._patiently(partial(self._try_hard, [claim]))
            if short is not None:
                over[claim.request_id] = part_of([claim], short)

    def _patiently(self, reserve: Callable[[], _T]) -> _T:
        """Try again while other processes hold the lock of a SQLite file."""
        give_up_at = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                return reserve()
            except sa.exc.SQLAlchemyError as error:
                if not is_locked(error) or time.monotonic() >= give_up_at:
                    raise StoreError(what_failed(error)) from error

    def _try_hard(self, claims: Sequence[Claim]) -> Account | None:
        """Reserve for calls of a key; where that fails, once more without what is stale there."""
        short, before = self._try(claims), _naive(claims[0].at) - _STALE
        if short is not None and self._release_stale(short[0], before):
            short = self._try(claims)
        return short

    def _try(self, claims: Sequence[Claim]) -> Account | None:
        """Reserve for all calls, or for none and return what has not enough left."""
        totals: dict[Account, Reservation] = {}
        for claim in claims:
            for part in claim.wanted:
                account = account_of(claim, part)
                totals[account] = _together(totals.get(account), part)
        for account in totals:
            self._create(account)
        return self._reserve(totals, claims)

    def _create(self, account: Account) -> None:
        """Insert the row of a period for the UPDATE, unless it exists."""
        if account in self._known:
            return
        # Another process may insert it at the same time.
        with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
            if connection.scalar(sa.select(sa.func.count()).where(*_is(*account))) == 0:
                values = dict(zip(("key_id", "period", "unit"), account, strict=True))
                spent = spent_before(connection, *account)
                connection.execute(sa.insert(spending).values(**values, spent=spent, reserved=0))
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(account)

    def _reserve(
        self, totals: Mapping[Account, Reservation], claims: Sequence[Claim]
    ) -> Account | None:
        """Add `totals`, those of the claims, to what is reserved; or return what has not enough."""
        try:
            with writing(self._engine) as cursor:
                # Always in the same order, or concurrent calls could deadlock.
                found = {
                    account: self._add(cursor, account, totals[account])
                    for account in sorted(totals)
                }
                for text, values in inserts(self._engine.dialect, reservations, _rows(claims)):
                    cursor.execute(text, values)
        except _ShortError as short:
            self._known.discard(short.account)
            return short.account
        self._remember(found)
        return None

    def _remember(self, found: Mapping[Account, tuple[int, int]]) -> None:
        if len(self._seen) >= _MAX_KNOWN:
            self._seen.clear()
        self._seen.update(found)

    def _add(self, cursor: DBAPICursor, account: Account, total: Reservation) -> tuple[int, int]:
        """Add to what is reserved; returns what is spent and reserved then.

        Raises _ShortError where not enough is left.
        """
        left = total.limit - total.amount
        if left < 0:  # and the sum of several calls can exceed the column
            raise _ShortError(account)
        found = self._update(cursor, total.amount, account, left)
        if found is None:
            raise _ShortError(account)
        return found

    def _release_stale(self, holder: str, before: datetime) -> int:
        with self._engine.begin() as connection:
            is_stale = (reservations.c.key_id == holder, reservations.c.created_at < before)
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

    def seen(self, key_id: str, period: str, unit: str) -> tuple[int, int] | None:
        """See BudgetStore."""
        return self._seen.get((key_id, period, unit))


def _together(first: Reservation | None, second: Reservation) -> Reservation:
    """Add up two reservations of one budget; the smaller limit counts, if it was changed."""
    if first is None:
        return second
    amount, limit = first.amount + second.amount, min(first.limit, second.limit)
    return Reservation(second.period, second.unit, amount, limit, second.group_id)


def _rows(claims: Iterable[Claim]) -> list[Mapping[str, Any]]:
    """Return the rows of claims."""
    return [
        {
            "request_id": claim.request_id,
            "period": part.period,
            "unit": part.unit,
            "key_id": part.group_id or claim.key_id,
            "amount": part.amount,
            "created_at": _naive(claim.at),
        }
        for claim in claims
        for part in claim.wanted
    ]


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


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
        # Those alone: of a call that had given up, the reservation may have come about meanwhile.
        ids = {row["request_id"] for row in held}
        connection.execute(sa.delete(reservations).where(reservations.c.request_id.in_(ids)))


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
