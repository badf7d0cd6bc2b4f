"""The properties of a key as options of commands."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import click

from llm_api.domain.access import ApiKey, Limits
from llm_api.services.keys import formats
from llm_api.services.keys.formats import TextFormat

_F = TypeVar("_F", bound=Callable[..., Any])
_AT_LEAST_ONE = click.IntRange(1, 1_000_000_000)


class FormattedText(click.ParamType[Any]):
    """A text in one of the formats of `services.keys.formats`."""

    name = "text"

    def __init__(self, text_format: TextFormat) -> None:
        """Accept texts in a format."""
        self._format = text_format

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Parse `value`; the message of a wrong one names `param`."""
        if not isinstance(value, str):
            return value
        try:
            return self._format(value)
        except ValueError:
            self.fail(f"must be {self._format.expected}.", param, context)


NAME, OVERLAP = FormattedText(formats.NAME), FormattedText(formats.OVERLAP)
_END, _REQUESTS, _BUDGET = map(FormattedText, (formats.END, formats.REQUESTS, formats.BUDGET))
_MODEL, _ROUTE, _TAG = map(FormattedText, (formats.MODEL, formats.ROUTE, formats.TAG))
# What each property is without an option, by the names of ApiKey's and of Limits' fields.
_EMPTY: Mapping[str, Any] = {
    "expires_at": None,
    "models": None,
    "routes": None,
    **dict.fromkeys(Limits.__slots__),
    "budgets": (),
    "tags": (),
    "group": None,
}
_LISTS = frozenset(["models", "routes", "budgets", "tags"])


def _option_of(field: str) -> str:
    """Return the option of a property: a list is given one by one."""
    name = "expires" if field == "expires_at" else field
    return (name.removesuffix("s") if field in _LISTS else name).replace("_", "-")


_FIELDS = {_option_of(field): field for field in _EMPTY}


def property_options(command: _F) -> _F:
    """Add the options of a key's properties to a command, which gets them by their fields."""
    options = [
        click.option("--expires", "expires_at", type=_END, help="90d, 12h or a time."),
        click.option("--model", "models", type=_MODEL, multiple=True, help="Allowed."),
        click.option(
            "--route", "routes", type=_ROUTE, multiple=True, help="Allowed, such as /v1/*."
        ),
        quota_options,
        click.option("--group", type=NAME, help="Id or name of a group that it joins."),
        click.option("--tag", "tags", type=_TAG, multiple=True, help="Label for all of its calls."),
    ]
    for add in reversed(options):
        command = add(command)
    return command


def quota_options(command: _F) -> _F:
    """Add the options of limits and budgets, of a key or a group, to a command."""
    options = [
        click.option("--requests", type=_REQUESTS, help="Limit such as 60/minute;5000/day."),
        click.option("--tokens-per-minute", type=_AT_LEAST_ONE, help="Limit of tokens."),
        click.option("--concurrent-requests", type=_AT_LEAST_ONE, help="Limit of calls."),
        click.option("--concurrent-streams", type=_AT_LEAST_ONE, help="Limit of streams."),
        click.option("--images-per-minute", type=_AT_LEAST_ONE, help="Limit of pictures."),
        click.option(
            "--budget",
            "budgets",
            type=_BUDGET,
            multiple=True,
            help='Budget such as "5 CNY/day", also per week, month or total.',
        ),
    ]
    for add in reversed(options):
        command = add(command)
    return command


def clear_option(command: _F) -> _F:
    """Add the option `--clear`, which takes a property away."""
    return click.option(
        "--clear",
        "cleared",
        type=click.Choice(list(_FIELDS)),
        multiple=True,
        help="Take a property away: no limit or budget of its own, all models, no end.",
    )(command)


def new_key(options: Mapping[str, Any]) -> ApiKey:
    """Return the key that the options of `keys create` describe; none of a list is all.

    Raises BadParameter.
    """
    draft = ApiKey("", options["name"], is_admin=options["is_admin"])
    return _with(draft, _given(options))


def alteration(options: Mapping[str, Any]) -> Callable[[ApiKey], ApiKey]:
    """Return what changes a key as the options of `keys edit` describe; raises BadParameter.

    What is not among them stays. A list replaces the one that was there.
    """
    given = _given(options)
    for name in options["cleared"]:
        if (field := _FIELDS[name]) in given:
            message = f"--{name} cannot be given and cleared at once."
            raise click.BadParameter(message, param_hint="--clear")
        given[field] = _EMPTY[field]
    given |= {name: options[name] for name in ("name", "is_admin") if options[name] is not None}
    if not given:
        raise click.UsageError("Nothing is to be changed; give at least one option.")
    return lambda key: _with(key, given)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that were given, by their fields."""
    if len(options["tags"]) > formats.MAX_TAGS:
        raise click.BadParameter(f"at most {formats.MAX_TAGS} can be given.", param_hint="--tag")
    named = {name: options[name] for name in _EMPTY}
    return {
        name: tuple(value) if name in _LISTS else value
        for name, value in named.items()
        if value not in {None, ()}
    }


def _with(key: ApiKey, properties: Mapping[str, Any]) -> ApiKey:
    limits = {name: properties[name] for name in Limits.__slots__ if name in properties}
    others = {name: value for name, value in properties.items() if name not in limits}
    return replace(key, **others, limits=replace(key.limits, **limits))
