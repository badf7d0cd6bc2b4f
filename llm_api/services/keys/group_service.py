"""Creates, changes and deletes groups of API keys, and has each act recorded."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from llm_api.domain.access import GROUP_PREFIX, KeyGroup
from llm_api.domain.audit import (
    GROUP_CREATE,
    GROUP_DELETE,
    GROUP_EDIT,
    Actor,
    AdminAct,
    changed_fields,
)
from llm_api.domain.money import budget_text
from llm_api.domain.timestamps import utc_text
from llm_api.errors import InvalidRequest, NotFound, Unavailable
from llm_api.services.keys.service import limits_of
from llm_api.storage import StoreError
from llm_api.storage.group_store import GroupChange, GroupInUseError, GroupStore, NameTakenError
from llm_api.storage.threads import StoreThreads

_ID = re.compile(f"{GROUP_PREFIX}[0-9a-f]{{16}}")
_MAX_SHOWN = 5  # of keys that are in a group
_T = TypeVar("_T")


class GroupService:
    """Manages groups. Every method raises Unavailable when the store fails.

    What changes a group says who does it: it is stored with the change, or nothing is. Where a
    group is named, its id or its name does it.
    """

    def __init__(
        self,
        store: GroupStore,
        threads: StoreThreads,
        forget: Callable[[str], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Manage the groups of `store`.

        Args:
            store: where they are kept.
            threads: where calls to the store run; their time-out is a StoreError.
            forget: called with the id of every key of a group that was changed.
            now: clock; returns the time in UTC.
        """
        self._store, self._threads = store, threads
        self._forget, self._now = forget, now

    def create(self, draft: KeyGroup, by: Actor) -> KeyGroup:
        """Create a group with the draft's properties and a new id; raises InvalidRequest."""
        group_id = f"{GROUP_PREFIX}{secrets.token_hex(8)}"
        group = replace(draft, id=group_id, created_at=self._now())
        act = self._act(by, GROUP_CREATE, group, after=properties_of(group))
        self._done(lambda: self._store.add(group, act))
        return group

    def all(self) -> list[KeyGroup]:
        """Return all groups, by their names."""
        return self._done(self._store.all)

    def names(self) -> dict[str, str]:
        """Return the name of each group, by its id."""
        return {group.id: group.name for group in self.all()}

    def find(self, named: str) -> KeyGroup:
        """Return a group by its id or name; raises NotFound."""
        if _ID.fullmatch(named):
            found = self._done(lambda: self._store.get(named))
        else:
            found = next((group for group in self.all() if group.name == named), None)
        return _there(found)

    def key_ids(self, group: KeyGroup) -> list[str]:
        """Return the ids of the keys in a group."""
        return self._done(lambda: self._store.key_ids(group.id))

    def change(self, named: str, alter: Callable[[KeyGroup], KeyGroup], by: Actor) -> KeyGroup:
        """Change properties of a group, for all its keys in all processes within a minute.

        Raises NotFound, and InvalidRequest for a name that another group has.
        """

        def record(before: KeyGroup, after: KeyGroup) -> AdminAct:
            states = changed_fields(properties_of(before), properties_of(after))
            return self._act(by, GROUP_EDIT, before, *states)

        group, change = self.find(named), GroupChange(alter, record)
        changed = _there(self._done(lambda: self._store.change(group.id, change)))
        for key_id in self.key_ids(changed):
            self._forget(key_id)
        return changed

    def delete(self, named: str, by: Actor) -> KeyGroup:
        """Delete a group that has no keys; what its keys have cost stays in reports.

        Raises NotFound, and InvalidRequest where keys are in it.
        """
        group = self.find(named)

        def record(found: KeyGroup) -> AdminAct:
            return self._act(by, GROUP_DELETE, found, properties_of(found))

        return _there(self._done(lambda: self._store.delete(group.id, record)))

    def _act(
        self,
        by: Actor,
        act: str,
        group: KeyGroup,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> AdminAct:
        return AdminAct(self._now(), by, act, group.id, group.name, before, after)

    def _done(self, act: Callable[[], _T]) -> _T:
        try:
            return self._threads.run(act)
        except NameTakenError as error:
            message = "must be a name that no other group has."
            raise InvalidRequest.of_field("name", message, reason="group_exists") from error
        except GroupInUseError as error:
            raise in_use(error.key_ids) from error
        except StoreError as error:
            message = "The store of keys cannot be used at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def to_dict(group: KeyGroup) -> dict[str, Any]:
    """Return a group as JSON, with the formats in which properties are given."""
    return {"id": group.id, **properties_of(group)}


def properties_of(group: KeyGroup) -> dict[str, Any]:
    """Return the properties of a group as JSON, in the formats in which they are given."""
    return {
        "name": group.name,
        "created_at": None if group.created_at is None else utc_text(group.created_at),
        "limits": limits_of(group.limits),
        "budgets": [budget_text(budget) for budget in group.budgets],
    }


def in_use(key_ids: Sequence[str]) -> InvalidRequest:
    """Return the error for the deletion of a group that keys are in."""
    shown = ", ".join(key_ids[:_MAX_SHOWN]) + (", …" if len(key_ids) > _MAX_SHOWN else "")
    message = f"Keys are in the group: {shown}; let them leave it, or join another, first."
    return InvalidRequest(message, reason="group_in_use")


def _there(group: KeyGroup | None) -> KeyGroup:
    if group is None:
        raise NotFound("There is no group with this id or name.", reason="group_not_found")
    return group
