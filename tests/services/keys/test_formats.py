"""The properties of keys are read as they are written, and nothing else is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llm_api.domain.access import Budget
from llm_api.domain.money import budget_text
from llm_api.services.keys import formats
from tests.support.tables import each

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@each(
    ("text", "budget"),
    [
        ("5 CNY/day", Budget("day", "CNY", 5_000_000)),
        ("0.000001 USD/month", Budget("month", "USD", 1)),
        ("12.5 CNY/month", Budget("month", "CNY", 12_500_000)),
        ("100000 tokens/month", Budget("month", "tokens", 100_000)),
        ("5 CNY/week", Budget("week", "CNY", 5_000_000)),
        ("10 tokens/total", Budget("total", "tokens", 10)),
    ],
)
def test_a_budget_is_read_exactly_and_written_the_same(text: str, budget: Budget) -> None:
    assert formats.BUDGET(text) == budget
    assert budget_text(budget) == text


@each(
    "text",
    ["", "5", "5 CNY", "5CNY/day", "-5 CNY/day", "0 CNY/day", "5 cny/day", "5 CNY/year",
     "5  CNY/day", "1.5 tokens/day", "0.0000001 CNY/day", "1e3 CNY/day", "٥ CNY/day",
     "9999999999999999 tokens/day", "5 CNY/day ", "NaN CNY/day"],
)  # fmt: skip
def test_another_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        formats.BUDGET(text)


@each(
    ("text", "moment"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("12h", NOW + timedelta(hours=12)),
        ("30m", NOW + timedelta(minutes=30)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T08:00:00+08:00", datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_an_end_is_read(text: str, moment: datetime) -> None:
    assert formats.end(text, NOW) == moment


@each(
    "text", ["", "0d", "90", "-1d", "9 d", "2026-11-22", "36501d", "9999-12-31", "tomorrow", "٩d"]
)
def test_an_end_that_is_past_far_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # some are datetime's own
        formats.end(text, NOW)


def test_an_overlap_may_be_nothing() -> None:
    assert formats.OVERLAP("0") == timedelta(0)
    assert formats.OVERLAP("7d") == timedelta(days=7)


@each(
    ("read", "good"),
    [
        (formats.NAME, "the shop"),
        (formats.MODEL, "qwen/qwen3-next:free"),
        (formats.ROUTE, "/v1/chat/completions"),
        (formats.ROUTE, "/v1/*"),
        (formats.REQUESTS, "10/second;5000/day"),
        (formats.TAG, "team=video"),
    ],
)
def test_a_good_text_stays_as_it_is(read: Any, good: str) -> None:
    assert read(good) == good


@each(
    ("read", "bad"),
    [
        *[(formats.NAME, bad) for bad in ("", " ", "a\nb", "x" * 65, "\udcff")],
        *[(formats.MODEL, bad) for bad in ("", "a\0b", "x" * 257)],
        *[(formats.ROUTE, bad) for bad in ("", "v1", "/v1/*/x", "/v1?x=1", "*", "/v1 ")],
        *[(formats.REQUESTS, bad) for bad in ("", "60", "0/minute", "many/minute", "-1/day")],
        *[(formats.TAG, bad) for bad in ("", "a,b", "a b", "x" * 41)],
        *[(formats.OVERLAP, bad) for bad in ("", "24", "1w", "-1h", "36501d")],
    ],
)
def test_a_bad_text_is_refused(read: Any, bad: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # some are the library's own
        read(bad)
