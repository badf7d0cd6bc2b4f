"""G15 and G19: sums are those of the rows, to the last millionth, and a day is one of UTC."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat

import pytest

from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.sums import DAY, HOUR, summed, summed_by_day
from tests.storage.records import ended

MAX_COUNT = 2**31 - 1
ROWS = 100_000
NAIVE = datetime(2026, 11, 22, 12, 30, tzinfo=UTC).replace(tzinfo=None)
# Days on which clocks are put forward or back somewhere, and on which seconds were put in.
ODD_DAYS = [
    (2016, 12, 31),
    (2017, 1, 1),
    (2026, 3, 8),
    (2026, 3, 29),
    (2026, 10, 25),
    (2026, 11, 1),
]


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the machine be somewhere in the world."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield os.environ["TZ"]
    monkeypatch.undo()
    time.tzset()


def report(
    store: SqlUsageStore, since: datetime, until: datetime, *group_by: str
) -> list[UsageSums]:
    """Ask for a report."""
    return store.report(UsageQuery(since, until, group_by))


def test_g15_sums_go_beyond_two_to_the_31(store: SqlUsageStore) -> None:
    counted = dict.fromkeys(
        ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "images"],
        MAX_COUNT,
    )
    big = {**counted, "total_ms": 2**40, "cost_micro": 2**53 + 1, "currency": "CNY"}
    for start in range(0, 10, 2):
        store.add([ended(f"req_{start + n}", **big) for n in range(2)])

    [sums] = report(store, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))

    assert set(sums.measured.values()) == {10 * MAX_COUNT}
    assert (sums.images, sums.total_ms) == (10 * MAX_COUNT, 10 * 2**40)
    assert sums.cost_micro == {"CNY": 10 * (2**53 + 1)}  # which no float can tell


def test_g15_the_sum_of_many_rows_is_exact() -> None:
    row = {name: getattr(ended(), name) for name in UsageRecord.__slots__}
    row |= {"created_at": NAIVE, "cost_micro": 2**40 + 1, "currency": "CNY"}

    [sums] = summed(repeat(row, ROWS), DAY)

    assert (sums["calls"], sums["cost_micro"]) == (ROWS, ROWS * (2**40 + 1))
    assert sums["prompt_tokens"] == 5 * ROWS


@pytest.mark.usefixtures("time_zone")
def test_g19_a_day_ends_at_midnight_utc(store: SqlUsageStore) -> None:
    midnights = [datetime(*day, tzinfo=UTC) for day in ODD_DAYS]
    step = timedelta(microseconds=1)
    for number, midnight in enumerate(midnights):
        moments = [midnight - step, midnight, midnight + timedelta(days=1) - step]
        store.add([ended(f"{number}_{n}", created_at=one) for n, one in enumerate(moments)])

    for midnight in midnights:
        end = midnight + timedelta(days=1)
        of_the_day = report(store, midnight, end, "day")
        of_the_hours = report(store, midnight, end, "hour")
        shown = midnight.strftime("%Y-%m-%d")
        # A neighbour's last microsecond is one more of this day.
        calls = 2 + (end in midnights)
        assert [(one.group["day"], one.calls) for one in of_the_day] == [(shown, calls)]
        assert [one.group["hour"] for one in of_the_hours] == [
            f"{shown}T00:00:00Z",
            f"{shown}T23:00:00Z",
        ]
        assert sum(one.calls for one in of_the_hours) == calls


def test_g19_sums_are_those_of_the_rows(store: SqlUsageStore) -> None:
    chance = random.Random(20261122)  # noqa: S311  # the same rows at every run
    begin = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    records = [
        ended(
            f"req_{number:04}",
            created_at=begin + timedelta(seconds=chance.randrange(3 * 86_400)),
            model=chance.choice("abc"),
            status=chance.choice(["ok", "ok", "timeout"]),
            prompt_tokens=chance.randrange(10**9),
            cost_micro=chance.randrange(10**12),
            currency=chance.choice(["CNY", "USD"]),
            attempts=chance.randrange(1, 4),
        )
        for number in range(1_000)
    ]
    for start in range(0, len(records), 37):
        store.add(records[start : start + 40])  # three of the next batch come twice

    since, until = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    for form, name in [("%Y-%m-%d", "day"), ("%Y-%m-%dT%H:00:00Z", "hour")]:
        expected: Counter[tuple[str, ...]] = Counter()
        for one in records:
            group = (one.created_at.strftime(form), one.model)
            expected[(*group, "calls")] += 1
            expected[(*group, "errors")] += one.status != "ok"
            expected[(*group, "tokens")] += one.prompt_tokens or 0
            expected[(*group, one.currency or "")] += one.cost_micro or 0
        found: Counter[tuple[str, ...]] = Counter()
        for sums in report(store, since, until, name, "model"):
            group = (sums.group[name], sums.group["model"])
            found[(*group, "calls")] = sums.calls
            found[(*group, "errors")] = sums.errors
            found[(*group, "tokens")] = sums.measured["prompt_tokens"]
            for currency, cost in sums.cost_micro.items():
                found[(*group, currency)] = cost
        assert found == expected


@pytest.mark.parametrize("start", [HOUR, DAY], ids=["hour", "day"])
def test_g19_no_row_falls_between_two_spans(start: dict[str, int]) -> None:
    row = {name: getattr(ended(), name) for name in UsageRecord.__slots__}
    moments = [NAIVE + timedelta(minutes=37 * n) for n in range(500)]

    sums = summed([row | {"created_at": moment} for moment in moments], start)

    assert sum(one["calls"] for one in sums) == 500
    assert [one["starts_at"] for one in sums] == sorted({m.replace(**start) for m in moments})


def test_g19_the_sums_of_days_are_those_of_their_hours() -> None:
    row = {name: getattr(ended(), name) for name in UsageRecord.__slots__}
    moments = [NAIVE + timedelta(minutes=37 * n) for n in range(500)]
    rows = [row | {"created_at": at, "key_id": f"key_{at.minute % 7}"} for at in moments]

    assert summed_by_day(summed(rows, HOUR)) == summed(rows, DAY)


def test_g19_the_sums_of_any_span_are_those_of_its_rows(store: SqlUsageStore) -> None:
    chance = random.Random(19)  # noqa: S311  # the same rows and spans at every run
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    hours = 5 * 24
    moments = [begin + timedelta(seconds=chance.randrange(hours * 3_600)) for _ in range(400)]
    store.add([ended(f"req_{n:03}", created_at=moment) for n, moment in enumerate(moments)])

    for _ in range(60):
        first, last = sorted(chance.sample(range(hours + 1), 2))
        since, until = begin + timedelta(hours=first), begin + timedelta(hours=last)
        inside = [moment for moment in moments if since <= moment < until]
        for name, form in [("day", "%Y-%m-%d"), ("hour", "%Y-%m-%dT%H:00:00Z")]:
            found = {sums.group[name]: sums.calls for sums in report(store, since, until, name)}
            assert found == Counter(moment.strftime(form) for moment in inside)
        assert sum(sums.calls for sums in report(store, since, until)) == len(inside)
