"""The contract of a store of the console's sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A browser that has signed in with a key.

    Attributes:
        digest: SHA-256 of the token that the browser has, in hexadecimal.
        key_id: of the key.
        secret_proof: of a key of the environment: a digest that only the token and the key's
            secret together make. None: the store ends the session when the key's secret changes.
        ends_at: when it ends if it is not used before; UTC, timezone-aware.
        latest_end: when it ends however much it is used.
    """

    digest: str
    key_id: str
    secret_proof: str | None
    ends_at: datetime
    latest_end: datetime


class SessionStore(Protocol):
    """Keeps sessions. Every method raises StoreError when the store fails.

    A key store beside it ends the sessions of a key that it rotates, disables or deletes.
    """

    def add(self, session: KeptSession) -> None:
        """Store a new session."""

    def find(self, digest: str, now: datetime) -> KeptSession | None:
        """Return a session that has not ended."""

    def extend(self, digest: str, ends_at: datetime) -> None:
        """Let a session end later; one that is gone stays so."""

    def end(self, digest: str) -> None:
        """Delete a session."""

    def prune(self, now: datetime, at_most: int) -> int:
        """Delete some sessions that have ended; returns how many."""
