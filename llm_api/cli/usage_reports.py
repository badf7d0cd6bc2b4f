"""Usage as its commands know it: in the API's JSON, here or at a service elsewhere."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

import click

from llm_api.cli.calling.api_client import ApiClient, in_path, with_query
from llm_api.cli.calling.command import with_options
from llm_api.cli.calling.target import Target
from llm_api.domain.usage import USAGE_DIMENSIONS

_PATH = "/api/v1/usage"
_PAGE = 10_000  # groups, the most that a page has


class Usage(Protocol):
    """Calls and their sums; each method raises CommandFailed.

    `arguments` are those of `GET /api/v1/usage`, as texts.
    """

    def report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return `since`, `until`, `group_by` and all `groups` of a report."""

    def table(self, arguments: Mapping[str, Any]) -> str:
        """Return a report as CSV."""

    def call(self, request_id: str) -> dict[str, Any]:
        """Return all that is known of a call, as `GET /api/v1/usage/{id}` does."""


@contextmanager
def usage_of(target: Target) -> Iterator[Usage]:
    """Open the usage of a service."""
    if target.url:
        with target.client() as client:
            yield _RemoteUsage(client)
        return
    # Not at the top: it needs a second.
    yield import_module("llm_api.cli.own.own_usage").OwnUsage(target.settings)


# Which calls are summed up.
span_options = with_options(
    click.option("--since", default="", help="First day or hour, UTC.  [default: 30 days ago]"),
    click.option("--until", default="", help="Day or hour to end before.  [default: tomorrow]"),
    click.option("--filter", "filters", multiple=True, help="NAME=VALUE, such as model=qwen-plus."),
)


def filters_of(texts: Sequence[str]) -> dict[str, str | list[str]]:
    """Read NAME=VALUE; a name that is given repeatedly has a list of its values.

    Raises UsageError.
    """
    values = defaultdict(list)
    for text in texts:
        name, _, value = text.partition("=")
        if name not in USAGE_DIMENSIONS or not value:
            expected = f"NAME=VALUE with one of {', '.join(USAGE_DIMENSIONS)}"
            raise click.UsageError(f"--filter must be {expected}.")
        values[name].append(value)
    return {name: found if len(found) > 1 else found[0] for name, found in values.items()}


class _RemoteUsage:
    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        groups: list[Any] = []
        while True:
            page = str(len(groups) // _PAGE + 1)
            paged = {**arguments, "page": page, "page_size": str(_PAGE)}
            document: dict[str, Any] = self._client.get(_PATH, paged)
            groups += document["groups"]
            if len(groups) >= document["total"] or not document["groups"]:
                names = ("since", "until", "group_by")
                return {**{name: document[name] for name in names}, "groups": groups}

    def table(self, arguments: Mapping[str, Any]) -> str:
        content = self._client.read("GET", with_query(_PATH, {**arguments, "format": "csv"}))
        return content.decode()

    def call(self, request_id: str) -> dict[str, Any]:
        document: dict[str, Any] = self._client.get(f"{_PATH}/{in_path(request_id)}")
        return document
