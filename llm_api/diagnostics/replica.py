"""Checks of the replica that reports are read from. They change nothing."""

from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.replica import SqlReplica

_MAX_LAG_S = 60.0


class ReplicaChecks:
    """The checks of REPORTS_DATABASE_URL."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url

    def reachable(self) -> CheckResult:
        """Check that reports can be read there."""
        replica = self._opened()
        try:
            replica.check()
        except StoreError as error:
            return fail(
                f"Reports are read from the primary. {error}",
                "Correct REPORTS_DATABASE_URL, or see to the replica.",
            )
        finally:
            replica.close()
        return ok("The replica has the schema.")

    def lag(self) -> CheckResult:
        """Check how far it is behind."""
        replica = self._opened()
        try:
            seconds = replica.lag()
        except StoreError as error:
            return fail(str(error), "See to the replica.")
        finally:
            replica.close()
        if seconds is None:
            return warn(
                "It does not know how far it is behind.",
                "See whether REPORTS_DATABASE_URL names a replica, and not the primary itself.",
            )
        if seconds > _MAX_LAG_S:
            return warn(
                f"It is {seconds:g} s behind.",
                "See whether it still receives: pg_stat_wal_receiver, and its log.",
            )
        return ok(f"It is {seconds:g} s behind.")

    def _opened(self) -> SqlReplica:
        return SqlReplica(make_engine(self._url))
