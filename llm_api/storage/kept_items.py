"""What keeps the items of answers, in memory or in Redis."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol


class ItemStore(Protocol):
    """Keeps what models have answered for an hour, so that the next request can refer to it.

    It never raises, but knows less at times: a caller is told to send what is not found.
    """

    def keep(self, caller_name: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Keep items of a caller's answer, each with its own `id`."""

    def find(self, caller_name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return those of a caller's items that are still there, by their ids."""

    def close(self) -> None:
        """Close what is open."""
