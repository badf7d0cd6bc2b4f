"""A store of budgets that holds calls back, and everything that it was asked."""

import threading
from collections.abc import Sequence

from llm_api.domain.access import Claim, Reservation
from llm_api.storage import StoreError

WANTED = [Reservation("2026-11-22", "CNY", amount=10, limit=50)]
PATIENCE = 20.0


class HoldingBudgets:
    """Grants everything, in groups; those of the keys in `held` wait until `let_go`."""

    def __init__(self, *held: str) -> None:
        """Begin empty."""
        self.groups: list[list[str]] = []
        self.reserved: list[str] = []
        self.fails = False
        self._held = set(held)
        self._gate = threading.Semaphore(0)

    def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
        """See BudgetStore."""
        ids = [claim.request_id for claim in claims]
        self.groups.append(ids)
        if self._held.intersection(claim.key_id for claim in claims):
            assert self._gate.acquire(timeout=PATIENCE)
        self.reserved += ids
        if self.fails:
            raise StoreError("The connection to the database broke off.")
        return [None] * len(ids)

    def release(self, request_ids: Sequence[str]) -> None:
        """See BudgetStore."""
        self.reserved = [one for one in self.reserved if one not in request_ids]

    def let_go(self, groups: int = 1) -> None:
        """Let so many groups go on."""
        self._gate.release(groups)
