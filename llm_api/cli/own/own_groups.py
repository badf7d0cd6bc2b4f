"""The groups in the database of this machine, for `groups` where no service is named."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from llm_api.cli.actors import command_line_actor
from llm_api.cli.administering import LIMITS, Document
from llm_api.cli.opening import errors_as_messages, forgetting, loaded
from llm_api.domain.access import ApiKey, KeyGroup, Limits
from llm_api.services.keys.group_service import GroupService, to_dict
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.settings.settings import Settings
from llm_api.storage.factory import budgets_of, open_store, open_work_stores
from llm_api.storage.threads import StoreThreads
from llm_api.web.rest.group_schemas import GroupChangeSchema, NewGroupSchema


@contextmanager
def own_groups(settings: Settings) -> Iterator["OwnGroups"]:
    """Open the groups; errors of their store become messages."""
    with group_service(settings) as groups:
        yield OwnGroups(settings, groups)


@contextmanager
def group_service(settings: Settings) -> Iterator[GroupService]:
    """Open the service of groups; its errors become messages."""
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        forgetting(settings) as forget,
    ):
        yield GroupService(work.groups, StoreThreads(1), forget)


class OwnGroups:
    """See `administering.Resource`; each act is one of the user of this machine."""

    def __init__(self, settings: Settings, groups: GroupService) -> None:
        """Manage groups by their service."""
        self._settings = settings
        self._groups = groups

    def create(self, properties: Mapping[str, Any]) -> Document:
        """See `Resource`."""
        draft = KeyGroup("", **loaded(NewGroupSchema(), properties))
        return to_dict(self._groups.create(draft, command_line_actor()))

    def all(self, name: str | None = None) -> list[Document]:
        """See `Resource`."""
        return [to_dict(group) for group in self._groups.all() if name in {None, group.name}]

    def show(self, named: str) -> Document:
        """See `Resource`."""
        group = self._groups.find(named)
        states = spending_of(self._settings, group)
        keys = self._groups.key_ids(group)
        return {**to_dict(group), "keys": keys, "budget_states": states}

    def edit(self, named: str, properties: Mapping[str, Any]) -> Document:
        """See `Resource`."""
        given = loaded(GroupChangeSchema(), properties)
        limits = given.pop(LIMITS, None)

        def alter(group: KeyGroup) -> KeyGroup:
            kept = with_limits(group.limits, limits, properties.get(LIMITS, ()))
            return replace(group, **given, limits=kept)

        return to_dict(self._groups.change(named, alter, command_line_actor()))

    def delete(self, named: str) -> Document:
        """See `Resource`."""
        group = self._groups.delete(named, command_line_actor())
        return {"id": group.id, "name": group.name, "deleted": True}


def with_limits(before: Limits, given: Limits | None, names: Collection[str]) -> Limits:
    """Return limits with those of `names` as they are given; others stay."""
    return before if given is None else replace(before, **{n: getattr(given, n) for n in names})


def spending_of(settings: Settings, holder: ApiKey | KeyGroup) -> list[dict[str, Any]]:
    """Return the states of the budgets that hold a key, or of a group's, as JSON.

    There are none where no SQL store keeps them.
    """
    if settings.usage_store is not None:
        return []
    # A SQL store keeps nothing in the folder.
    with closing(open_store(settings.database_url, None, settings.root)) as usage:
        reader = BudgetReader(budgets_of(usage), StoreThreads(1))
        if isinstance(holder, KeyGroup):
            return [state.to_dict() for state in reader.of_group(holder)]
        return [state.to_dict() for state in reader.of_key(holder)]
