"""A read replica of PostgreSQL: its stores, and how far it is behind."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from llm_api.runtime.cooldown import Cooldown
from llm_api.storage import StoreError
from llm_api.storage.reads import COOLDOWN_S, ReplicaLink
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.lineage_table import SqlLineages
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads

_THREADS = 2
# A little more than a statement may take: the server's own time-out should end it first.
_TIMEOUT_S = 6.0
# The time of the last transaction says nothing while none comes: what has replayed all that it has
# received, and still receives, is not behind. Of its receiver a user without rights sees the pid.
# https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
_LAG = sa.text(
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL"
    " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) THEN 0"
    " ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))"
    " END"
)


class SqlReplica:
    """The stores that are read on a replica, and the link to it."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._engine = engine
        self.usage = SqlUsageStore(engine)
        self.audit = SqlAudit(engine)
        self.lineages = SqlLineages(engine)
        self._cooldown = Cooldown(COOLDOWN_S)
        self.link = self.link_of(StoreThreads(_THREADS, _TIMEOUT_S, fails_fast=True))

    def link_of(self, threads: StoreThreads) -> ReplicaLink:
        """Return a link for reads that take longer than those of `link`, with threads of theirs."""
        return ReplicaLink(self.lag, threads, self._cooldown)

    def lag(self) -> float | None:
        """Return how many seconds it is behind; None where it does not know.

        It does not where it is no physical replica (a logical one, or a service of a vendor that
        shares a disk), or has replayed nothing since its start. Raises StoreError.
        """
        try:
            with self._engine.connect().execution_options(**READS) as connection:
                seconds = connection.scalar(_LAG)
        except (sa.exc.ProgrammingError, sa.exc.NotSupportedError):
            return None
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(_of_replica(what_failed(error))) from error
        return None if seconds is None else round(float(seconds), 3)

    def check(self) -> None:
        """Return if reports can be read there; raises StoreError otherwise."""
        try:
            self.usage.check()
        except StoreError as error:
            raise StoreError(_of_replica(str(error))) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _of_replica(sentence: str) -> str:
    """Name the setting that is meant."""
    return sentence.replace("DATABASE_URL", "REPORTS_DATABASE_URL")
