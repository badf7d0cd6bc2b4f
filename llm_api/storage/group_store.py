"""The contract of a store of groups, which keys join."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llm_api.domain.access import KeyGroup
from llm_api.domain.audit import AdminAct


class NameTakenError(Exception):
    """Another group has the name."""


class GroupInUseError(Exception):
    """Keys are in the group; `key_ids` are theirs."""

    def __init__(self, key_ids: Sequence[str]) -> None:
        """Create it for the keys with these ids."""
        super().__init__()
        self.key_ids = key_ids


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change of a group, with its row of the audit.

    Attributes:
        alter: returns the group as it is to be. It is called while nobody else can change it.
        record: returns the act, for the group before and after.
    """

    alter: Callable[[KeyGroup], KeyGroup]
    record: Callable[[KeyGroup, KeyGroup], AdminAct]


class GroupStore(Protocol):
    """Keeps groups; the key store says which keys are in them.

    What changes a group stores the act with it: both are stored, or none is. All times are
    timezone-aware, in UTC. Every method raises StoreError when the store fails.
    """

    def add(self, group: KeyGroup, act: AdminAct) -> None:
        """Store a new group; raises NameTakenError."""

    def get(self, group_id: str) -> KeyGroup | None:
        """Return a group by its id."""

    def all(self) -> list[KeyGroup]:
        """Return all groups, by their names."""

    def key_ids(self, group_id: str) -> list[str]:
        """Return the ids of the keys in a group, also of disabled ones."""

    def change(self, group_id: str, change: GroupChange) -> KeyGroup | None:
        """Overwrite a group's properties; what stays the same is no act.

        Returns the group as it is now, None where there is none. Raises NameTakenError.
        """

    def delete(self, group_id: str, record: Callable[[KeyGroup], AdminAct]) -> KeyGroup | None:
        """Delete a group without keys, and return it as it was; None where there is none.

        Raises GroupInUseError.
        """
