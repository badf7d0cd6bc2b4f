"""The checker of the books finds each kind of mistake."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.books import Books, Row, wrong_sums
from tests.chaos.load import ANSWERED, CUT, LEFT, UpstreamCall

MOMENT = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC).replace(tzinfo=None)
HOUR = {"minute": 0, "second": 0, "microsecond": 0}
COUNTS = ("cached_tokens", "reasoning_tokens", "images", "cost_micro", "total_ms")
LABELS = ("key_id", "route", "model", "upstream", "currency", "tags")


def row_of(name: str = "call", **fields: Any) -> dict[str, Any]:
    """Make the row of a good call."""
    good = {"status": "ok", "reason": None, "attempts": 1, "usage_source": "upstream"}
    counts = {**dict.fromkeys(COUNTS), "prompt_tokens": 5, "completion_tokens": 2}
    labels = dict.fromkeys(LABELS, "same")
    return {"lineage_id": name, "created_at": MOMENT, **good, **counts, **labels, **fields}


def books_of(row: Row | None, *, end: str = ANSWERED, hits: int = 1) -> Books:
    """Make the books of one call."""
    return Books(
        [UpstreamCall("call", "whole", end)],
        Counter({"call": hits} if hits else {}),
        [] if row is None else [row],
    )


def wrongs(books: Books) -> list[str]:
    """Collect all that is wrong."""
    return [*books.wrong_ends(), *books.wrong_counts(), *books.wrong_rows()]


@pytest.mark.parametrize(
    "books",
    [
        books_of(row_of()),
        books_of(row_of(), end=CUT),
        books_of(row_of(status="client_closed"), end=LEFT),
        books_of(row_of(status="killed", attempts=0), end=CUT),
        books_of(row_of(status="killed", attempts=0), end=CUT, hits=0),
        books_of(None, end=CUT, hits=0),
    ],
)
def test_good_books_pass(books: Books) -> None:
    assert wrongs(books) == []


@pytest.mark.parametrize(
    "books",
    [
        books_of(None),
        books_of(None, end=CUT),
        books_of(None, hits=0),
        books_of(row_of(), hits=0),
        books_of(row_of(), hits=2),
        books_of(row_of(), end="status 503: b''"),
        books_of(row_of(attempts=2)),
        books_of(row_of("unknown")),
        books_of(row_of(status="killed", attempts=0)),
        books_of(row_of(status="client_closed")),
        books_of(row_of(status="upstream_error"), end=CUT),
    ],
)
def test_a_mistake_is_found(books: Books) -> None:
    assert wrongs(books) != []


def test_a_second_row_is_found() -> None:
    books = Books(
        [UpstreamCall("call", "whole", ANSWERED)], Counter(["call"]), [row_of(), row_of()]
    )

    assert wrongs(books) == ["call: 2 rows"]


def sum_of(**fields: Any) -> dict[str, Any]:
    """Make the sums of two good calls."""
    hour = MOMENT.replace(**HOUR)
    counted = {"prompt_tokens": 10, "completion_tokens": 4, "attempts": 2, "calls": 2}
    return {**row_of(), **dict.fromkeys(COUNTS, 0), **counted, "starts_at": hour, **fields}


def test_right_sums_pass() -> None:
    assert wrong_sums([row_of(), row_of()], [sum_of()], **HOUR) == []


@pytest.mark.parametrize(
    "sums",
    [[], [sum_of(calls=3)], [sum_of(prompt_tokens=9)], [sum_of(tags="")], [sum_of(), sum_of()]],
)
def test_wrong_sums_are_found(sums: list[Row]) -> None:
    assert wrong_sums([row_of(), row_of()], sums, **HOUR) != []
