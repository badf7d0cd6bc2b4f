"""The keys in the database of this machine, for `keys` where no service elsewhere is named."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from llm_api.cli.actors import command_line_actor
from llm_api.cli.administering import LIMITS, Document
from llm_api.cli.calling.local_transport import local_app
from llm_api.cli.opening import errors_as_messages, forgetting, loaded
from llm_api.cli.own.own_groups import group_service, spending_of, with_limits
from llm_api.domain.access import ApiKey
from llm_api.services.keys import formats
from llm_api.services.keys.service import IssuedKey, KeyService
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_key_store
from llm_api.storage.threads import StoreThreads
from llm_api.web.request.context import EXTENSION, Services
from llm_api.web.rest.key_schemas import KeyChangeSchema, NewKeySchema


@contextmanager
def own_keys(settings: Settings) -> Iterator["OwnKeys"]:
    """Open the keys; errors of their store become messages."""
    with (
        errors_as_messages(),
        closing(open_key_store(settings.database_url)) as store,
        forgetting(settings) as forget,
    ):
        service = KeyService(
            store,
            StoreThreads(1),
            forget,
            has_model=_has_model,
            requires_key=settings.access.requires_key,
        )
        yield OwnKeys(settings, service)


class OwnKeys:
    """See `administering.Keys`; each act is one of the user of this machine."""

    def __init__(self, settings: Settings, keys: KeyService) -> None:
        """Manage keys by their service."""
        self._settings = settings
        self._keys = keys

    def create(self, properties: Mapping[str, Any]) -> Document:
        """See `Resource`."""
        given = self._in_group(loaded(NewKeySchema(), properties))
        draft = ApiKey(**{"id": "", **given})
        return self._issued(self._keys.issue(draft, command_line_actor()))

    def all(self, name: str | None = None) -> list[Document]:
        """See `Resource`."""
        return [self._keys.to_dict(key) for key in self._keys.all(name)]

    def show(self, named: str) -> Document:
        """See `Resource`."""
        key = self._keys.find(named)
        return self._keys.to_dict(key) | {"budget_states": spending_of(self._settings, key)}

    def edit(self, named: str, properties: Mapping[str, Any]) -> Document:
        """See `Resource`."""
        given = self._in_group(loaded(KeyChangeSchema(), properties))
        limits = given.pop(LIMITS, None)

        def alter(key: ApiKey) -> ApiKey:
            kept = with_limits(key.limits, limits, properties.get(LIMITS, ()))
            return replace(key, **given, limits=kept)

        return self._keys.to_dict(self._keys.change(named, alter, command_line_actor()))

    def rotate(self, named: str, overlap: str) -> Document:
        """See `Keys`."""
        issued = self._keys.rotate(named, command_line_actor(), formats.OVERLAP(overlap))
        return self._issued(issued)

    def switch(self, named: str, *, is_enabled: bool) -> Document:
        """See `Keys`."""
        change: Callable[..., ApiKey] = self._keys.enable if is_enabled else self._keys.disable
        return self._keys.to_dict(change(named, command_line_actor()))

    def delete(self, named: str) -> Document:
        """See `Resource`."""
        key = self._keys.delete(named, command_line_actor())
        return {"id": key.id, "name": key.name, "deleted": True}

    def _in_group(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties with the group that they name, if they name one."""
        if properties.get("group") is None:
            return dict(properties)
        with group_service(self._settings) as groups:
            return {**properties, "group": groups.find(properties["group"])}

    def _issued(self, issued: IssuedKey) -> Document:
        document = self._keys.to_dict(issued.key) | {"secret": issued.secret}
        return document | {"warnings": issued.warnings} if issued.warnings else document


def _has_model(name: str) -> bool:
    """Ask the catalogue of the application; it is built for keys with models alone."""
    services: Services | None = local_app().extensions.get(EXTENSION)
    return services is None or services.catalogue.has(name, asks=True)
