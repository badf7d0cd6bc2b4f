"""The console's sessions in a SQL database."""

from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.storage.session_store import KeptSession
from llm_api.storage.sql.tables import console_sessions as sessions
from llm_api.storage.sql.transactions import Transactions, aware, naive


class SqlSessions:
    """Keeps sessions in the table `console_sessions`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def add(self, session: KeptSession) -> None:
        """See SessionStore."""
        row = {
            "digest": session.digest,
            "key_id": session.key_id,
            "secret_proof": session.secret_proof,
            "ends_at": naive(session.ends_at),
            "latest_end": naive(session.latest_end),
        }
        self._do.write(lambda connection: connection.execute(sa.insert(sessions), row))

    def find(self, digest: str, now: datetime) -> KeptSession | None:
        """See SessionStore."""
        is_open = sessions.c.ends_at > naive(now)
        return self._do.read(
            partial(_find, sa.select(sessions).where(sessions.c.digest == digest, is_open))
        )

    def extend(self, digest: str, ends_at: datetime) -> None:
        """See SessionStore."""
        later = sa.update(sessions).where(sessions.c.digest == digest)
        later = later.values(ends_at=naive(ends_at))
        self._do.write(lambda connection: connection.execute(later))

    def end(self, digest: str) -> None:
        """See SessionStore."""
        gone = sa.delete(sessions).where(sessions.c.digest == digest)
        self._do.write(lambda connection: connection.execute(gone))

    def prune(self, now: datetime, at_most: int) -> int:
        """See SessionStore."""
        old = sa.select(sessions.c.digest).where(sessions.c.ends_at <= naive(now)).limit(at_most)
        digests = self._do.read(lambda connection: list(connection.scalars(old)))
        if digests:
            gone = sa.delete(sessions).where(sessions.c.digest.in_(digests))
            self._do.write(lambda connection: connection.execute(gone))
        return len(digests)


def end_sessions_of(connection: Connection, key_id: str) -> None:
    """Delete the sessions of a key, in a transaction that changes the key."""
    connection.execute(sa.delete(sessions).where(sessions.c.key_id == key_id))


def _find(statement: sa.Select[tuple[object, ...]], connection: Connection) -> KeptSession | None:
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    ends_at, latest_end = aware(row["ends_at"]), aware(row["latest_end"])
    assert ends_at is not None  # noqa: S101  # the columns cannot be NULL
    assert latest_end is not None  # noqa: S101
    return KeptSession(row["digest"], row["key_id"], row["secret_proof"], ends_at, latest_end)
