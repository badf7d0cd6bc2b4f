"""Stores: where things are kept, named by a URL.

* `UsageStore` below is what a place for usage rows must do. `sql` does it for every SQL database
  that `engine` can connect to, MySQL and MariaDB by way of `mysql`: `rollups` sums calls up by hour
  and day in the transaction that keeps them, and `reports` reads the sums; `sums` is what that has
  in common with other stores.
* `upkeep` removes records that are older than is wanted.
* `spool` is the way there: calls append to a file, and rows get from it into the store in batches,
  so that no call waits for a database and none is lost when a worker or a database dies.
* `shared_answers` keeps answers in Redis for the repeats that reach another process.
* `examine` and `examine_limiter` find out what `flask doctor` tells of database, disk and Redis.
* `tables` is the schema; `migrations/` at the top level brings a database to it.
  `mysql_migrations` lets them go on where they broke, on MySQL and MariaDB.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llm_api.accounting import UsageQuery, UsageRecord, UsageSums


class StoreError(Exception):
    """A store could not do what it was asked; the message holds no credentials."""


class RefusedError(StoreError):
    """A store will never take these records: one of them has a value that it cannot keep."""


class UsageStore(Protocol):
    """A place that keeps usage rows."""

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Keep the records, all or none; one whose `request_id` is kept already changes nothing.

        Raises StoreError; where it is the records' own fault, RefusedError.
        """

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """Sum up the calls of a span of time, in groups; raises StoreError.

        A call with several tags is in the group of each. The sums outlive the records.
        """

    def prune(self, before: datetime, at_most: int) -> int:
        """Remove some of the records that began before a time, and return how many it were.

        It holds up no `add` for longer than that many records take. Raises StoreError.
        """

    def check(self) -> None:
        """Raise StoreError, with a sentence for the operator, if rows cannot be kept now."""

    def close(self) -> None:
        """Give back connections."""
