"""Keys and groups as their commands know them: in the API's JSON, here or elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Protocol

from llm_api.cli.calling.api_client import ApiClient, in_path
from llm_api.cli.calling.target import Target

Document = dict[str, Any]
LIMITS = "limits"


class Resource(Protocol):
    """Keys, or groups. Each method raises CommandFailed; where one is named, its id or name does.

    Documents are those of `/api/v1/keys` and `/api/v1/groups`.
    """

    def create(self, properties: Mapping[str, Any]) -> Document:
        """Create one with the properties of a body of POST."""

    def all(self, name: str | None = None) -> list[Document]:
        """Return all of them, or of keys those of a name."""

    def show(self, named: str) -> Document:
        """Return one, with what is spent and left of its budgets."""

    def edit(self, named: str, properties: Mapping[str, Any]) -> Document:
        """Change the properties of a body of PATCH; limits that are not among them stay."""

    def delete(self, named: str) -> Document:
        """Delete one; return its id and name."""


class Keys(Resource, Protocol):
    """Keys."""

    def rotate(self, named: str, overlap: str) -> Document:
        """Issue another secret; the former one stays valid for the overlap."""

    def switch(self, named: str, *, is_enabled: bool) -> Document:
        """Enable or disable a key."""


@contextmanager
def keys_of(target: Target) -> Iterator[Keys]:
    """Open the keys of a service."""
    if target.url:
        with target.client() as client:
            yield _RemoteKeys(client, "/api/v1/keys")
        return
    with _own("own_keys", target) as keys:
        yield keys


@contextmanager
def groups_of(target: Target) -> Iterator[Resource]:
    """Open the groups of a service."""
    if target.url:
        with target.client() as client:
            yield _Remote(client, "/api/v1/groups")
        return
    with _own("own_groups", target) as groups:
        yield groups


def _own(module: str, target: Target) -> AbstractContextManager[Any]:
    """Open what works with the database of this machine; it takes a second to import."""
    opened: AbstractContextManager[Any] = getattr(
        import_module(f"llm_api.cli.own.{module}"), module
    )(target.settings)
    return opened


class _Remote:
    """A resource of the API; its name in lists is the end of its path."""

    def __init__(self, client: ApiClient, path: str) -> None:
        self._client = client
        self._path = path

    def create(self, properties: Mapping[str, Any]) -> Document:
        return self._send("POST", self._path, properties)

    def all(self, name: str | None = None) -> list[Document]:
        found: list[Document] = self._client.get(self._path, {"name": name or ""})[
            self._path.rpartition("/")[2]
        ]
        return found

    def show(self, named: str) -> Document:
        return self._send("GET", self._of(named))

    def edit(self, named: str, properties: Mapping[str, Any]) -> Document:
        if LIMITS in properties:  # PATCH replaces all of them
            limits = {**self.show(named)[LIMITS], **properties[LIMITS]}
            properties = {**properties, LIMITS: limits}
        return self._send("PATCH", self._of(named), properties)

    def delete(self, named: str) -> Document:
        return self._send("DELETE", self._of(named))

    def _of(self, named: str) -> str:
        return f"{self._path}/{in_path(named)}"

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Document:
        document: Document = self._client.send(method, path, body)
        return document


class _RemoteKeys(_Remote):
    def rotate(self, named: str, overlap: str) -> Document:
        return self._send("POST", f"{self._of(named)}/rotate", {"overlap": overlap})

    def switch(self, named: str, *, is_enabled: bool) -> Document:
        act = "enable" if is_enabled else "disable"
        return self._send("POST", f"{self._of(named)}/{act}")
