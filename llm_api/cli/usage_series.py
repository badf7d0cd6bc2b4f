"""Makes of a usage report what is drawn: lines over time, one chart a unit."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MICRO = 1_000_000
STEPS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
_OTHERS = "others"
_LENGTH = {"day": len("2026-01-31"), "hour": len("2026-01-31T15")}  # of what names a step
_Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: a value for each of its times."""

    name: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        """The sum of the values."""
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines of one unit, the largest first.

    Attributes:
        title: what is drawn, such as `calls per day`.
        unit: `calls`, `tokens`, or a currency, whose values are millionths.
        times: such as `2026-01-31` or `2026-01-31T15`, UTC, without gaps.
    """

    title: str
    unit: str
    times: Sequence[str]
    lines: Sequence[Line]
    is_money: bool = False

    def value(self, amount: int) -> float:
        """Return an amount in the unit itself."""
        return amount / MICRO if self.is_money else amount

    def text(self, amount: int) -> str:
        """Write an amount for people."""
        return f"{amount / MICRO:,.2f}" if self.is_money else f"{amount:,}"

    def to_dict(self) -> dict[str, Any]:
        """Return the chart as JSON."""
        return {
            "title": self.title,
            "unit": self.unit,
            "times": list(self.times),
            "lines": [
                {"name": one.name, "values": [self.value(value) for value in one.values]}
                for one in self.lines
            ],
        }


def _tokens(group: Mapping[str, Any]) -> _Amounts:
    measured = group["measured"]
    return {"tokens": measured["prompt_tokens"] + measured["completion_tokens"]}


def _cost(group: Mapping[str, Any]) -> _Amounts:
    return {one["currency"]: one["micro"] for one in group["cost"]}


# Of a group of a report, what is drawn of it, by units.
METRICS: Mapping[str, Callable[[Mapping[str, Any]], _Amounts]] = {
    "calls": lambda group: {"calls": group["calls"]},
    "errors": lambda group: {"errors": group["errors"]},
    "tokens": _tokens,
    "images": lambda group: {"images": group["images"]},
    "cost": _cost,
}


def charts_of(
    report: Mapping[str, Any], metric: str, by: str, per: str, *, top: int
) -> list[Chart]:
    """Return the charts of a report: one, or of cost one a currency.

    Args:
        report: of `Usage.report`, grouped by `per`, and by `by` unless that is `all`.
        metric: one of METRICS.
        by: what has a line each.
        per: one of STEPS.
        top: how many lines there are at most; the smallest are put together beside them.
    """
    times = list(_times(report["since"], report["until"], per))
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for group in report["groups"]:
        time, name = group[per][: _LENGTH[per]], _name(group, by)
        for unit, amount in METRICS[metric](group).items():
            line = found[unit][name]
            line[time] = line.get(time, 0) + amount
    is_money = metric == "cost"
    title = f"{metric} per {per}" if by == "all" else f"{metric} per {per} and {by}"
    units = found or {"no cost is known" if is_money else metric: {}}
    return [
        Chart(title, unit, times, _largest(units[unit], times, top), is_money=is_money)
        for unit in sorted(units)
    ]


def left_out(report: Mapping[str, Any], metric: str) -> Iterator[str]:
    """Yield sentences about what cannot be drawn."""
    groups = report["groups"]
    estimated = sum(
        one["estimated"]["prompt_tokens"] + one["estimated"]["completion_tokens"] for one in groups
    )
    if metric == "tokens" and estimated:
        yield f"Not drawn: {estimated:,} tokens that are estimates."
    unpriced = sum(one["unpriced_calls"] for one in groups)
    if metric == "cost" and unpriced:
        yield f"Not drawn: {unpriced:,} calls whose cost is not known."


def _times(since: str, until: str, per: str) -> Iterator[str]:
    time, end = datetime.fromisoformat(since), datetime.fromisoformat(until)
    if per == "day":
        time = time.replace(hour=0)
    while time < end:
        yield time.isoformat()[: _LENGTH[per]]
        time += STEPS[per]


def _name(group: Mapping[str, Any], by: str) -> str:
    """Return what a line is called: of a key or group of keys its name."""
    if by == "all":
        return "all"
    return group.get(f"{by}_name") or group[by] or "none"


def _largest(lines: Mapping[str, Mapping[str, int]], times: Sequence[str], top: int) -> list[Line]:
    made = [Line(name, [line.get(time, 0) for time in times]) for name, line in lines.items()]
    made.sort(key=lambda line: (-line.total, line.name))
    if len(made) <= top:
        return made
    rest = [sum(values) for values in zip(*(line.values for line in made[top:]), strict=True)]
    return [*made[:top], Line(f"{len(made) - top} {_OTHERS}", rest)]
