"""The properties of a key or a group as options of commands, and as bodies of the API."""

from collections.abc import Mapping
from typing import Any

import click

from llm_api.cli.administering import LIMITS
from llm_api.cli.calling.command import Decorator, with_options
from llm_api.domain.access import Limits
from llm_api.services.keys import formats
from llm_api.services.keys.formats import TextFormat

_AT_LEAST_ONE = click.IntRange(1, 1_000_000_000)


class FormattedText(click.ParamType[str]):
    """A text in one of the formats of `services.keys.formats`, which stays a text."""

    name = "text"

    def __init__(self, text_format: TextFormat) -> None:
        """Accept texts in a format."""
        self._format = text_format

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Check `value`; the message of a wrong one names `param`."""
        if not self._format.accepts(value):
            self.fail(f"must be {self._format.expected}.", param, context)
        return value


NAME, OVERLAP = FormattedText(formats.NAME), FormattedText(formats.OVERLAP)
_END, _REQUESTS, _BUDGET = map(FormattedText, (formats.END, formats.REQUESTS, formats.BUDGET))
_MODEL, _ROUTE, _TAG = map(FormattedText, (formats.MODEL, formats.ROUTE, formats.TAG))
# What each property is without an option, by its name in the API.
_EMPTY: Mapping[str, Any] = {
    "expires": None,
    "models": None,
    "routes": None,
    **dict.fromkeys(Limits.__slots__),
    "budgets": [],
    "tags": [],
    "group": None,
}
_LISTS = frozenset(["models", "routes", "budgets", "tags"])
_OF_GROUPS = frozenset([*Limits.__slots__, "budgets"])


def _option_of(name: str) -> str:
    """Return the option of a property: a list is given one by one."""
    return (name.removesuffix("s") if name in _LISTS else name).replace("_", "-")


_PROPERTIES = {_option_of(name): name for name in _EMPTY}


# Of limits and budgets, of a key or a group.
quota_options = with_options(
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
)
# Of a key's properties; the command gets them by their names.
property_options = with_options(
    click.option("--expires", type=_END, help="90d, 12h or a time."),
    click.option("--model", "models", type=_MODEL, multiple=True, help="Allowed."),
    click.option("--route", "routes", type=_ROUTE, multiple=True, help="Allowed, such as /v1/*."),
    quota_options,
    click.option("--group", type=NAME, help="Id or name of a group that it joins."),
    click.option("--tag", "tags", type=_TAG, multiple=True, help="Label for all of its calls."),
)


def clear_option(*, is_group: bool = False) -> Decorator:
    """Return what adds the option `--clear`, which takes a property of a key or group away."""
    names = [option for option, name in _PROPERTIES.items() if name in _OF_GROUPS or not is_group]
    return click.option(
        "--clear",
        "cleared",
        type=click.Choice(names),
        multiple=True,
        help="Take a property away: no limit or budget of its own, all models, no end.",
    )


def new_properties(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options give a new key or group, as a body of POST; raises BadParameter."""
    return _body(_given(options))


def changed_properties(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options change of a key or group, as a body of PATCH; raises BadParameter.

    What is not among them stays. A list replaces the one that was there.
    """
    given = _given(options)
    for option in options["cleared"]:
        if (name := _PROPERTIES[option]) in given:
            message = f"--{option} cannot be given and cleared at once."
            raise click.BadParameter(message, param_hint="--clear")
        given[name] = _EMPTY[name]
    if not given:
        raise click.UsageError("Nothing is to be changed; give at least one option.")
    return _body(given)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that were given, by their names."""
    if len(options.get("tags", ())) > formats.MAX_TAGS:
        raise click.BadParameter(f"at most {formats.MAX_TAGS} can be given.", param_hint="--tag")
    budgets = [formats.BUDGET(text) for text in options["budgets"]]
    if places := formats.repeated_budget(budgets):
        one = budgets[places[0]]
        message = f"there are two of {one.unit}/{one.period}; give one."
        raise click.BadParameter(message, param_hint="--budget")
    named = {name: options.get(name) for name in ("name", "is_admin", *_EMPTY)}
    return {
        name: list(value) if name in _LISTS else value
        for name, value in named.items()
        if value not in (None, ())
    }


def _body(properties: Mapping[str, Any]) -> dict[str, Any]:
    limits = {name: properties[name] for name in Limits.__slots__ if name in properties}
    body = {name: value for name, value in properties.items() if name not in limits}
    return {**body, LIMITS: limits} if limits else body
