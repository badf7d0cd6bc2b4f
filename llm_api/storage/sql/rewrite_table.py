"""Rewrites of prompts in a SQL database, and who makes the one of a request."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.rewrites import KeptRewrite
from llm_api.storage import StoreError
from llm_api.storage.sql.tables import rewrite_leases as leases
from llm_api.storage.sql.tables import rewrites
from llm_api.storage.sql.transactions import Transactions, aware, naive

# After that a lease is of a process that has died.
_FORGOTTEN = timedelta(hours=1)


class SqlRewrites:
    """Keeps rewrites in the table `rewrites`, and leases in `rewrite_leases`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def latest(self, request: str, now: datetime) -> KeptRewrite | None:
        """See SharedRewrites."""
        newest = sa.select(rewrites).where(rewrites.c.request == request, _is_kept(now))
        newest = newest.order_by(rewrites.c.created_at.desc()).limit(1)
        return self._do.read(partial(_find, newest))

    def get(self, name: str, now: datetime) -> KeptRewrite | None:
        """See SharedRewrites."""
        named = sa.select(rewrites).where(rewrites.c.name == name, _is_kept(now))
        return self._do.read(partial(_find, named))

    def put(self, rewrite: KeptRewrite) -> None:
        """See SharedRewrites."""
        try:
            self._do.write(partial(_put, rewrite))
        except StoreError as error:
            # Another process has stored the same words in this moment.
            if not isinstance(error.__cause__, sa.exc.IntegrityError):
                raise

    def pin(self, name: str) -> None:
        """See SharedRewrites."""
        kept = sa.update(rewrites).where(rewrites.c.name == name).values(expires_at=None)
        self._do.write(lambda connection: connection.execute(kept))

    def delete(self, name: str) -> bool:
        """See SharedRewrites."""
        gone = sa.delete(rewrites).where(rewrites.c.name == name)
        return self._do.write(lambda connection: bool(connection.execute(gone).rowcount))

    def claim(self, request: str, owner: str, now: datetime, until: datetime) -> bool:
        """See SharedRewrites."""
        try:
            return self._do.write(partial(_claim, request, owner, now, until))
        except StoreError as error:
            if isinstance(error.__cause__, sa.exc.IntegrityError):
                return False  # another process was faster
            raise

    def renew(self, request: str, owner: str, until: datetime) -> None:
        """See SharedRewrites."""
        longer = sa.update(leases).where(*_is_lease(request, owner)).values(ends_at=naive(until))
        self._do.write(lambda connection: connection.execute(longer))

    def release(self, request: str, owner: str) -> None:
        """See SharedRewrites."""
        over = sa.delete(leases).where(*_is_lease(request, owner))
        self._do.write(lambda connection: connection.execute(over))

    def prune(self, now: datetime, at_most: int) -> int:
        """Delete some rewrites that have expired, and old leases; returns how many rewrites."""
        old = sa.select(rewrites.c.name).where(rewrites.c.expires_at <= naive(now)).limit(at_most)
        names = self._do.read(lambda connection: list(connection.scalars(old)))
        left = sa.delete(leases).where(leases.c.ends_at <= naive(now - _FORGOTTEN))
        self._do.write(lambda connection: connection.execute(left))
        if names:
            # One that was pinned meanwhile stays.
            gone = sa.delete(rewrites).where(
                rewrites.c.name.in_(names), rewrites.c.expires_at.is_not(None)
            )
            self._do.write(lambda connection: connection.execute(gone))
        return len(names)

    def close(self) -> None:
        """Do nothing: who made the engine closes its connections."""


def _is_kept(now: datetime) -> sa.ColumnElement[bool]:
    return rewrites.c.expires_at.is_(None) | (rewrites.c.expires_at > naive(now))


def _is_lease(request: str, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return leases.c.request == request, leases.c.owner == owner


def _find(statement: sa.Select[Any], connection: Connection) -> KeptRewrite | None:
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    created_at = aware(row["created_at"])
    assert created_at is not None  # noqa: S101  # the column cannot be NULL
    return KeptRewrite(
        row["name"], row["request"], row["document"], created_at, aware(row["expires_at"])
    )


def _put(rewrite: KeptRewrite, connection: Connection) -> None:
    of_name = rewrites.c.name == rewrite.name
    moments = {"created_at": naive(rewrite.created_at), "expires_at": naive(rewrite.expires_at)}
    known = sa.select(rewrites.c.expires_at).where(of_name).with_for_update()
    row = connection.execute(known).first()
    if row is None:
        about = {"name": rewrite.name, "request": rewrite.request}
        values = {**about, "document": dict(rewrite.document), **moments}
        connection.execute(sa.insert(rewrites), values)
        return
    if row.expires_at is None:
        moments["expires_at"] = None
    connection.execute(sa.update(rewrites).where(of_name), moments)


def _claim(
    request: str, owner: str, now: datetime, until: datetime, connection: Connection
) -> bool:
    of_request = leases.c.request == request
    found = sa.select(leases.c.ends_at).where(of_request).with_for_update()
    row = connection.execute(found).first()
    values = {"owner": owner, "ends_at": naive(until)}
    if row is None:
        connection.execute(sa.insert(leases), {"request": request, **values})
        return True
    if aware(row.ends_at) > now:  # type: ignore[operator]  # the column cannot be NULL
        return False
    connection.execute(sa.update(leases).where(of_request), values)
    return True
