"""Stores: where things are kept, named by a URL.

* `UsageStore` below is what a place for usage rows must do. `sql` does it for every SQL database
  that `engine` can connect to, MySQL and MariaDB by way of `mysql`: `rollups` sums calls up by hour
  and day in the transaction that keeps them, and `reports` reads the sums; `sums` is what that has
  in common with other stores. `pool` lends connections to the threads that run all this.
* `KeyStore` is what a place for API keys must do; `keys` does it in SQL.
* `upkeep` removes records that are older than is wanted.
* `spool` is the way there: calls append to a file, and rows get from it into the store in batches,
  so that no call waits for a database and none is lost when a worker or a database dies.
* `BudgetStore` is what a place for the spending of keys must do; `budgets` does it in SQL.
* `slots` counts what runs at the same time, and `shared_answers` keeps answers for the repeats that
  reach another process, both in Redis, where `redis_link` leads.
* `examine` and `examine_limiter` find out what `flask doctor` tells of database, disk and Redis.
* `tables` is the schema; `migrations/` at the top level brings a database to it.
  `mysql_migrations` lets them go on where they broke, on MySQL and MariaDB.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llm_api.domain.access import ApiKey, Reservation
from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums


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


class BudgetStore(Protocol):
    """A place that knows what keys have spent, exactly, whoever asks at the same time."""

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """Reserve all that a call may take, or nothing; return what there was not enough left for.

        It is settled when the call's usage record is kept. Raises StoreError.
        """

    def release(self, request_ids: Sequence[str]) -> None:
        """Give back what was reserved for calls that have no usage record; raises StoreError."""

    def spent(self, key_id: str, period: str, unit: str) -> tuple[int, int]:
        """Return what was spent in a period, and what is reserved on top; raises StoreError."""


class KeyStore(Protocol):
    """A place that keeps API keys, with digests of their secrets; all moments are in UTC.

    Every method raises StoreError where the place cannot be used.
    """

    def add(self, key: ApiKey, digest: str) -> None:
        """Keep a new key, and the digest of its secret."""

    def find(self, digest: str, at: datetime) -> ApiKey | None:
        """Return the key that a secret opens with at a moment; it expires with the secret.

        Why there is none takes no longer than another reason.
        """

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key by its id."""

    def all(self) -> list[ApiKey]:
        """Return all keys, the newest first."""

    def change(self, key: ApiKey) -> bool:
        """Write a key's properties anew, but for when it was created and disabled.

        False where there is no such key; the same is true of the next two.
        """

    def disable(self, key_id: str, at: datetime) -> bool:
        """Let a key open nothing any more; the moment of the first time stays."""

    def rotate(self, key_id: str, digest: str, *, at: datetime, until: datetime) -> bool:
        """Give a key another secret; those before end at `until`, if not before."""

    def check(self) -> None:
        """Raise StoreError, with a sentence for the operator, if keys cannot be kept now."""

    def close(self) -> None:
        """Give back connections."""
