"""What the shell is offered at Tab: names of models, targets and keys, as far as that is cheap.

Nothing here fails: a shell would write the message into the line that is typed.
"""

import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress

import click

from llm_api.cli.calling.target import Target, key_of
from llm_api.settings.settings import Settings

_PATIENCE_S = 2.0  # for a service elsewhere
_Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def complete_models(settings: Settings) -> _Complete:
    """Return what completes the name of a model: of the service that is named, or configured."""

    def complete(context: click.Context, _: click.Parameter, beginning: str) -> list[str]:
        return _beginning_with(beginning, lambda: _models(settings, context))

    return complete


def complete_targets(settings: Settings) -> _Complete:
    """Return what completes the name of a target model."""

    def complete(_: click.Context, __: click.Parameter, beginning: str) -> list[str]:
        return _beginning_with(beginning, lambda: _tables(settings, "targets"))

    return complete


def complete_names(settings: Settings, path: str) -> _Complete:
    """Return what completes the name of a key, or of a group, of the service that is named.

    `path` is `/api/v1/keys` or `/api/v1/groups`.
    """
    return _complete_listed(settings, path, path.rpartition("/")[2], "name")


def complete_films(settings: Settings) -> _Complete:
    """Return what completes the id of one of the latest films of the service that is named."""
    return _complete_listed(settings, "/api/v1/videos?limit=100", "data", "id")


def _complete_listed(settings: Settings, path: str, listed: str, name: str) -> _Complete:
    def complete(context: click.Context, _: click.Parameter, beginning: str) -> list[str]:
        return _beginning_with(beginning, lambda: _listed(settings, context, path, listed, name))

    return complete


def _beginning_with(beginning: str, find: Callable[[], Sequence[str]]) -> list[str]:
    with suppress(Exception):
        return sorted({name for name in find() if name.startswith(beginning)})
    return []


def _models(settings: Settings, context: click.Context) -> Sequence[str]:
    if (target := _target(settings, context)) is not None:
        with target.client() as client:
            return [model["id"] for model in client.get("/v1/models")["data"]]
    plans = [*settings.upstreams.values(), *settings.making_upstreams.values()]
    return [*filter(None, (plan.model for plan in plans)), *_tables(settings, "models")]


def _listed(
    settings: Settings, context: click.Context, path: str, listed: str, name: str
) -> Sequence[str]:
    """Return names; the database of this machine is not opened for them: that takes a second."""
    target = _target(settings, context)
    if target is None:
        return []
    with target.client() as client:
        return [one[name] for one in client.get(path)[listed]]


def _target(settings: Settings, context: click.Context) -> Target | None:
    """Return the service that the line names so far, or the setting."""
    url, key_file = context.params.get("url"), context.params.get("key_file")
    url = settings.remote.url if url is None else url
    key = settings.remote.key if key_file is None else key_of(key_file)
    return Target(settings, url, key, _PATIENCE_S) if url else None


def _tables(settings: Settings, name: str) -> Sequence[str]:
    """Return the names of the tables of `config/{name}.toml`."""
    text = (settings.config_root / "config" / f"{name}.toml").read_text("utf-8")
    return list(tomllib.loads(text)[name])
