"""Lets one process of several make the call for a rewrite, while the others wait for its outcome.

A lease runs out by itself, unless it is renewed: where its process was killed, another one makes
the call a quarter of a minute later.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from llm_api.domain.rewrites import KeptRewrite
from llm_api.runtime.periodic_thread import PeriodicThread

LEASE_S = 15.0
_RENEWALS = 3  # within the time of a lease


class SharedRewrites(Protocol):
    """Keeps the rewrites of all processes; every method raises StoreError when the store fails.

    Times are timezone-aware, in UTC.
    """

    def latest(self, request: str, now: datetime) -> KeptRewrite | None:
        """Return the newest rewrite of a request that has not expired."""

    def get(self, name: str, now: datetime) -> KeptRewrite | None:
        """Return a rewrite that has not expired."""

    def put(self, rewrite: KeptRewrite) -> None:
        """Store a rewrite as the newest of its request; one that was pinned stays so."""

    def pin(self, name: str) -> None:
        """Keep a rewrite until it is deleted."""

    def delete(self, name: str) -> bool:
        """Delete a rewrite; returns whether there was one."""

    def claim(self, request: str, owner: str, now: datetime, until: datetime) -> bool:
        """Lease the call for a request; False while another owner has it."""

    def renew(self, request: str, owner: str, until: datetime) -> None:
        """Extend a lease, unless another owner has it by now."""

    def release(self, request: str, owner: str) -> None:
        """End a lease, unless another owner has it by now."""

    def close(self) -> None:
        """Close all connections."""


class RewriteLeases:
    """The leases of this process."""

    def __init__(
        self,
        store: SharedRewrites,
        run: Callable[[Callable[[], None]], None],
        seconds: float = LEASE_S,
    ) -> None:
        """Lease nothing yet.

        Args:
            store: where leases are kept.
            run: calls what calls the store, and raises nothing for it.
            seconds: after which the lease of a killed process runs out.
        """
        self._store = store
        self._run = run
        self._lasts = timedelta(seconds=seconds)
        self._owners: dict[str, str] = {}
        self._renewals = PeriodicThread("rewrite-leases", seconds / _RENEWALS, self._renew)

    def claim(self, request: str) -> bool:
        """Lease the call for a request; raises StoreError."""
        now, owner = datetime.now(UTC), secrets.token_hex(8)
        is_ours = self._store.claim(request, owner, now, now + self._lasts)
        if is_ours:
            self._owners[request] = owner
        return is_ours

    def keep(self) -> None:
        """Renew what is leased from now on."""
        if not self._renewals.is_started:
            self._renewals.start()

    def release(self, request: str) -> None:
        """End a lease, if this process has it."""
        owner = self._owners.pop(request, None)
        if owner is not None:
            self._run(lambda: self._store.release(request, owner))

    def close(self) -> None:
        """Renew nothing further."""
        self._renewals.close()

    def _renew(self) -> None:
        until = datetime.now(UTC) + self._lasts
        for request, owner in list(self._owners.items()):
            self._renew_one(request, owner, until)

    def _renew_one(self, request: str, owner: str, until: datetime) -> None:
        self._run(lambda: self._store.renew(request, owner, until))
