"""Stores: where usage rows, API keys and budgets are kept.

The Protocols below are the contract of a store; `tests/storage/contract*.py` has it as tests.

* `sql` implements all of them for SQLite, PostgreSQL, MySQL and MariaDB, named by a URL.
* `sums` sums up calls and builds reports, for every usage store.
* `factory` opens the stores of an installation, `retention` prunes the usage store.
* `spool` is the durable queue between calls and the usage store: no call waits for a database, and
  no row is lost when a worker or a database dies.
* `redis` counts calls in progress and keeps responses for repeated requests, across processes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llm_api.domain.access import ApiKey, Claim, Reservation
from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums


class StoreError(Exception):
    """A store operation failed.

    The message is a sentence for the operator, without addresses, credentials or stored values.
    """


class RefusedError(StoreError):
    """A store cannot hold a value of these records, now or later."""


class UsageStore(Protocol):
    """Keeps usage rows, and sums of them that outlive the rows.

    One thread of each worker calls it at a time, and several processes do at once.
    """

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Store some hundred records or fewer, all or none; when it returns, they are durable.

        Records whose `request_id` is stored already are ignored.

        Raises:
            RefusedError: a record has a value that the store cannot hold.
            StoreError: the store failed; the same records will be added again.
        """

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """Sum up the calls of a time span in groups, ordered by the values of `query.group_by`.

        Calls whose records were pruned are included. A call with several tags is in the group of
        each of them.

        Raises:
            StoreError: the store failed.
        """

    def prune(self, before: datetime, at_most: int) -> int:
        """Delete the oldest records, and return how many were deleted; sums stay.

        Args:
            before: records of calls that started earlier are deleted; timezone-aware.
            at_most: number of records to delete. `add` must not wait longer than their deletion
                takes.

        Raises:
            StoreError: the store failed.
        """

    def check(self) -> None:
        """Return if `add` would succeed now.

        Raises:
            StoreError: it would fail, for example because the schema is not migrated.
        """

    def close(self) -> None:
        """Close all connections."""


class BudgetStore(Protocol):
    """Keeps what keys have spent, exactly under concurrent calls of several processes.

    Amounts are tokens, or millionths of a currency. A budget's period is a day (`2026-11-23`) or a
    month (`2026-11`), UTC; its unit is `tokens` or a currency's ISO 4217 code.
    """

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """Reserve all amounts, or none; the usage record of `request_id` settles them.

        Args:
            key_id: id of the key.
            request_id: id of the call, unique.
            now: time of the reservation; a day later it counts as abandoned. Timezone-aware.
            wanted: one reservation a budget.

        Returns:
            The reservation that exceeds its budget; None where all were made.

        Raises:
            StoreError: the store failed; nothing is reserved.
        """

    def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
        """Do what `reserve` does for each of some calls, at the price of hardly more than one.

        Raises:
            StoreError: the store failed; some may be reserved, and have to be released.
        """

    def release(self, request_ids: Sequence[str]) -> None:
        """Cancel the reservations of calls that will have no usage record.

        Raises:
            StoreError: the store failed.
        """

    def spent(self, key_id: str, period: str, unit: str) -> tuple[int, int]:
        """Return the amounts spent and reserved in a period.

        Raises:
            StoreError: the store failed.
        """


class KeyStore(Protocol):
    """Keeps API keys and the SHA-256 digests of their secrets, in hexadecimal.

    All times are timezone-aware, in UTC. Every method raises StoreError when the store fails.
    """

    def add(self, key: ApiKey, digest: str) -> None:
        """Store a new key and the digest of its secret."""

    def find(self, digest: str, at: datetime) -> ApiKey | None:
        """Return the key with this secret if both are valid at a time.

        `expires_at` of the result is the earlier expiry, of the key or of the secret. Takes the
        same time whatever the reason for rejection.
        """

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key by its id."""

    def all(self) -> list[ApiKey]:
        """Return all keys, the newest first."""

    def change(self, key: ApiKey) -> bool:
        """Overwrite a key's properties except `created_at` and `disabled_at`.

        Returns:
            Whether the key exists; the same holds for `disable` and `rotate`.
        """

    def disable(self, key_id: str, at: datetime) -> bool:
        """Disable a key from a time on; a key that is disabled already keeps its time."""

    def rotate(self, key_id: str, digest: str, *, at: datetime, until: datetime) -> bool:
        """Add another secret, issued at `at`; former secrets expire at `until` or earlier."""

    def check(self) -> None:
        """Return if keys can be stored now; raises StoreError otherwise."""

    def close(self) -> None:
        """Close all connections."""
