"""The contract of a store of API keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llm_api.domain.access import ApiKey, KeyName
from llm_api.domain.audit import AdminAct

# Returns the act for a key as it is.
Record = Callable[[ApiKey], AdminAct]


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change of a key, with its row of the audit.

    Attributes:
        alter: returns the key as it is to be. It is called while nobody else can change the key.
        record: returns the act, for the key before and after.
    """

    alter: Callable[[ApiKey], ApiKey]
    record: Callable[[ApiKey, ApiKey], AdminAct]


class KeyStore(Protocol):
    """Keeps API keys and the SHA-256 digests of their secrets, in hexadecimal.

    What changes a key stores the act with it: both are stored, or none is. To disable, rotate or
    delete a key ends the sessions that browsers have opened with it (`SessionStore`). All times are
    timezone-aware, in UTC. Every method raises StoreError when the store fails.
    """

    def add(self, key: ApiKey, digest: str, act: AdminAct) -> None:
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

    def names(self) -> Mapping[str, KeyName]:
        """Return the names of all keys by their ids, also of those that were deleted."""

    def change(self, key_id: str, change: KeyChange) -> ApiKey | None:
        """Overwrite a key's properties except `created_at`; what stays the same is no act.

        Returns:
            The key as it is now, None where there is none; the same holds for `rotate`.
        """

    def rotate(
        self, key_id: str, digest: str, *, at: datetime, until: datetime, record: Record
    ) -> ApiKey | None:
        """Add another secret, issued at `at`; former secrets expire at `until` or earlier."""

    def delete(self, key_id: str, at: datetime, record: Record) -> ApiKey | None:
        """Delete a key with its secrets; its name stays.

        Returns:
            The key as it was, None where there is none.
        """

    def check(self) -> None:
        """Return if keys can be stored now; raises StoreError otherwise."""

    def close(self) -> None:
        """Close all connections."""
