"""Short transactions whose errors are translated, and which wait for other writers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.storage import StoreError
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import is_locked, what_failed

# SQLite locks are not fair: of four processes that write without a pause, one waited 3.1 s.
_LOCK_TIMEOUT_S = 5.0
_T = TypeVar("_T")


class Transactions:
    """Runs functions in transactions of one database."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._engine = engine

    def read(self, function: Callable[[Connection], _T]) -> _T:
        """Return what a function reads; raises StoreError."""
        try:
            with self._engine.connect().execution_options(**READS) as connection:
                return function(connection)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def write(self, function: Callable[[Connection], _T]) -> _T:
        """Commit what a function does; raises StoreError, and then nothing was done.

        It is called again while other processes hold the lock of a SQLite file, and where the
        database ended it for a deadlock.
        """
        give_up_at = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                with self._engine.begin() as connection:
                    return function(connection)
            except sa.exc.SQLAlchemyError as error:
                if not _may_pass(error) or time.monotonic() >= give_up_at:
                    raise StoreError(what_failed(error)) from error


def _may_pass(error: sa.exc.SQLAlchemyError) -> bool:
    return is_locked(error) or "deadlock" in str(getattr(error, "orig", "")).lower()


def naive(moment: datetime | None) -> datetime | None:
    """Return a moment as the columns have it: in UTC, without a time zone."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime | None) -> datetime | None:
    """Return the moment of a column with its time zone."""
    return None if moment is None else moment.replace(tzinfo=UTC)
