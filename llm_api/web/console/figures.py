"""Figures of the page of usage: tables of numbers of a report, which the page draws as plots.

A plot is drawn from the cells of its table, so that both say the same: the report's numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from llm_api.domain.usage import UsageQuery

Group = Mapping[str, Any]  # of a report, as `llm_api.services.usage.reports.to_dict` makes it
_PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")
# What can be compared of groups: the names of its figures, and where a report has them.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "calls": ("calls",),
    "errors": ("errors",),
    "prompt_tokens": ("measured", "prompt_tokens"),
    "completion_tokens": ("measured", "completion_tokens"),
    "images": ("images",),
    **{f"latency_{name}": ("latency", name) for name in _PERCENTILES},
    **{f"first_token_{name}": ("first_token", name) for name in _PERCENTILES},
}
COST = "cost"
SHOWN = (*_PLACES, COST)
_NOTHING_IS_ZERO = frozenset(["calls", "errors", "prompt_tokens", "completion_tokens", "images"])


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a figure: `label` is a key of the page's words, or with `is_name` a name."""

    label: str
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A step of time: its name in reports, seconds since 1970, and a number a column, or None."""

    name: str
    at: int
    numbers: Sequence[int | str | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot and its table; `title` is a key of the page's words."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(number not in {None, 0} for row in self.rows for number in row.numbers)


def number_of(group: Group | None, shown: str) -> int | None:
    """Return a number of a group; of a step without calls 0, or None where 0 would be wrong."""
    if group is None:
        return 0 if shown in _NOTHING_IS_ZERO else None
    value: Any = group
    for name in _PLACES[shown]:
        value = value[name]
    return None if value is None else int(value)


def cost_of(group: Group | None, currency: str) -> str:
    """Return what a group has cost in a currency, as the report writes it."""
    costs = [] if group is None else group["cost"]
    found = (cost["amount"] for cost in costs if cost["currency"] == currency)
    return next(found, "0.000000")


def currencies_of(groups: Sequence[Group]) -> list[str]:
    """Return the currencies of all groups."""
    return sorted({cost["currency"] for group in groups for cost in group["cost"]})


def over_time(query: UsageQuery, step: str, groups: Sequence[Group]) -> Iterator[Figure]:
    """Yield the figures of a report in steps of time, each with a row for every step."""
    steps = steps_of(query, step)
    by_name = {group[step]: group for group in groups}
    yield _figure("calls", ["calls", "errors"], steps, by_name)
    yield _figure("tokens", ["prompt_tokens", "completion_tokens"], steps, by_name)
    currencies = currencies_of(groups)
    rows = [
        Row(name, at, [cost_of(by_name.get(name), one) for one in currencies]) for name, at in steps
    ]
    yield Figure(COST, [Column(one, is_name=True) for one in currencies], rows)
    for time in ("latency", "first_token"):
        shown = [f"{time}_{name}" for name in _PERCENTILES]
        yield replace(
            _figure(time, shown, steps, by_name), columns=[Column(name) for name in _PERCENTILES]
        )


def _figure(
    title: str,
    shown: Sequence[str],
    steps: Sequence[tuple[str, int]],
    by_name: Mapping[str, Group],
) -> Figure:
    rows = [
        Row(name, at, [number_of(by_name.get(name), one) for one in shown]) for name, at in steps
    ]
    return Figure(title, [Column(one) for one in shown], rows)


def compared(
    query: UsageQuery,
    step: str,
    by: tuple[str, Mapping[str, str]],
    shown: str,
    groups: Sequence[Group],
    *,
    currencies: Sequence[str],
) -> Figure:
    """Return one number of some groups in steps of time.

    Args:
        query: the span of time.
        step: `hour` or `day`.
        by: the dimension, and what each group is called, by its value.
        shown: one of SHOWN.
        groups: those of a report by `step` and the dimension.
        currencies: the columns of costs; those of all calls, so that they stay the same whatever
            is compared.
    """
    dimension, named = by
    by_names = {(group[step], group[dimension]): group for group in groups}
    if shown == COST:
        return _compared_costs(steps_of(query, step), named, by_names, currencies)
    rows = [
        Row(name, at, [number_of(by_names.get((name, value)), shown) for value in named])
        for name, at in steps_of(query, step)
    ]
    return Figure(shown, [Column(called, is_name=True) for called in named.values()], rows)


def _compared_costs(
    steps: Sequence[tuple[str, int]],
    named: Mapping[str, str],
    by_names: Mapping[tuple[str, str], Group],
    currencies: Sequence[str],
) -> Figure:
    """Return the cost of groups, in a column for each currency: amounts of two are not compared."""
    pairs = [
        (value, called, currency) for currency in currencies for value, called in named.items()
    ]
    rows = [
        Row(name, at, [cost_of(by_names.get((name, value)), one) for value, _, one in pairs])
        for name, at in steps
    ]
    columns = [Column(f"{called} ({currency})", is_name=True) for _, called, currency in pairs]
    return Figure(COST, columns, rows)


def steps_of(query: UsageQuery, step: str) -> list[tuple[str, int]]:
    """Return the names of all hours or days of a span, as reports have them, and their starts."""
    length = timedelta(hours=1) if step == "hour" else timedelta(days=1)
    form = "%Y-%m-%dT%H:00:00Z" if step == "hour" else "%Y-%m-%d"
    at = query.since if step == "hour" else _midnight(query.since)
    steps = []
    while at < query.until:
        steps.append((at.strftime(form), int(at.timestamp())))
        at += length
    return steps


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
