"""Periods of budgets have names that sort apart, and a beginning and an end in UTC."""

from datetime import UTC, datetime

from llm_api.domain.budget_periods import Span, period_name, period_of, span_of
from tests.support.tables import each


def utc(year: int, month: int, day: int) -> datetime:
    """Return a midnight."""
    return datetime(year, month, day, tzinfo=UTC)


@each(
    ("period", "moment", "name", "span"),
    [
        ("day", utc(2026, 11, 30), "2026-11-30", Span(utc(2026, 11, 30), utc(2026, 12, 1))),
        ("month", utc(2026, 12, 31), "2026-12", Span(utc(2026, 12, 1), utc(2027, 1, 1))),
        ("month", utc(2028, 2, 29), "2028-02", Span(utc(2028, 2, 1), utc(2028, 3, 1))),
        # A Sunday, and the Monday after it.
        ("week", utc(2026, 11, 29), "2026-W48", Span(utc(2026, 11, 23), utc(2026, 11, 30))),
        ("week", utc(2026, 11, 30), "2026-W49", Span(utc(2026, 11, 30), utc(2026, 12, 7))),
        # The days around a new year are of one ISO week, of the year that has its Thursday.
        ("week", utc(2026, 12, 31), "2026-W53", Span(utc(2026, 12, 28), utc(2027, 1, 4))),
        ("week", utc(2027, 1, 3), "2026-W53", Span(utc(2026, 12, 28), utc(2027, 1, 4))),
        ("week", utc(2024, 12, 30), "2025-W01", Span(utc(2024, 12, 30), utc(2025, 1, 6))),
        ("total", utc(2026, 11, 30), "total", Span()),
    ],
)
def test_a_moment_is_of_one_period(period: str, moment: datetime, name: str, span: Span) -> None:
    found = period_name(period, moment)

    assert (found, period_of(found), span_of(found)) == (name, period, span)
    # The column has room for no more.
    assert len(found) <= 10
