"""The contract of a store of budgets; `tests/storage/contract_budgets.py` has it as tests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llm_api.domain.access import Claim, Reservation


class BudgetStore(Protocol):
    """Keeps what keys have spent, exactly under concurrent calls of several processes.

    Amounts are tokens, or millionths of a currency. A budget's period has a name of
    `domain.budget_periods`; its unit is `tokens` or a currency's ISO 4217 code. What the usage rows
    of a period say that were stored before its budget was first used is spent of it. Every method
    raises StoreError when the store fails, but for `seen`.
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

    def reserve_together(self, claims: Sequence[Claim]) -> Reservation | None:
        """Do what `reserve` does for all of some calls of one key, or for none of them."""

    def release(self, request_ids: Sequence[str]) -> None:
        """Cancel the reservations of calls that will have no usage record."""

    def spent(self, key_id: str, period: str, unit: str) -> tuple[int, int]:
        """Return the amounts spent and reserved in a period."""

    def seen(self, key_id: str, period: str, unit: str) -> tuple[int, int] | None:
        """Return the amounts spent and reserved as this process's latest reservation left them.

        None where it has made none. It costs no query.
        """
