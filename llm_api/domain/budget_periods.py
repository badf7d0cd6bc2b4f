"""Periods of budgets: calendar days, ISO weeks and months in UTC, and all time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

DAY, WEEK, MONTH, TOTAL = "day", "week", "month", "total"
PERIODS = (DAY, WEEK, MONTH, TOTAL)
_A_DAY, _A_WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a period, in UTC: `end` is the first moment after it.

    Both are None for all time.
    """

    start: datetime | None = None
    end: datetime | None = None


def period_name(period: str, moment: datetime) -> str:
    """Name the period of a moment: `2026-11-23`, `2026-W48`, `2026-11` or `total`.

    Args:
        period: one of PERIODS.
        moment: timezone-aware, in UTC.
    """
    if period == TOTAL:
        return TOTAL
    if period == WEEK:
        year, week, _ = moment.isocalendar()
        return f"{year}-W{week:02d}"
    return moment.date().isoformat()[: None if period == DAY else 7]


def period_of(name: str) -> str:
    """Return which of PERIODS has a name that `period_name` has given."""
    if name == TOTAL:
        return TOTAL
    if "W" in name:
        return WEEK
    # The name of a month is that of a day without the day.
    return DAY if name.count("-") > 1 else MONTH


@lru_cache(maxsize=256)
def span_of(name: str) -> Span:
    """Return the time of the period with a name; a week begins on Monday (ISO 8601)."""
    match period_of(name):
        case "day":
            start = _midnight(date.fromisoformat(name))
            return Span(start, start + _A_DAY)
        case "week":
            start = _midnight(date.fromisoformat(f"{name}-1"))
            return Span(start, start + _A_WEEK)
        case "month":
            first = date.fromisoformat(f"{name}-01")
            after = (first + timedelta(days=31)).replace(day=1)
            return Span(_midnight(first), _midnight(after))
    return Span()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
