"""Operators are told once in a period how much of a budget is spent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llm_api.domain.access import ApiKey, Budget, KeyGroup, Reservation
from llm_api.domain.budget_periods import Span
from llm_api.services.alerts.alert_service import Alert
from llm_api.services.alerts.budget_watch import BudgetWatch, reached
from llm_api.services.quotas.budget_states import BudgetReader, BudgetState
from llm_api.storage import StoreError
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ended
from tests.support.schema import give_schema
from tests.support.tables import each

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = "2026-11-22"
GROUP = KeyGroup("group_1", "video", budgets=(Budget("day", "CNY", 100),))
KEY = ApiKey("key_1", "shop", budgets=(Budget("total", "CNY", 100),), group=GROUP)


@pytest.fixture
def usage(tmp_path: Path) -> Iterator[SqlUsageStore]:
    """Open a database."""
    url = f"sqlite:///{tmp_path / 'budgets.db'}"
    give_schema(url)
    store = SqlUsageStore(make_engine(url))
    yield store
    store.close()


def spend(usage: SqlUsageStore, request_id: str, amount: int, *, ends: bool = True) -> None:
    """Make a call of the key at a cost, which reserves as much."""
    shared = Reservation(DAY, "CNY", amount, 999, "group_1")
    wanted = [Reservation("total", "CNY", amount, 999), shared]
    SqlBudgets(usage.engine).reserve("key_1", request_id, NOW, wanted)
    if ends:
        usage.add([ended(request_id, key_id="key_1", cost_micro=amount, currency="CNY")])


def test_each_share_of_each_budget_is_told(usage: SqlUsageStore) -> None:
    reader = BudgetReader(SqlBudgets(usage.engine), StoreThreads(1), lambda: NOW)
    watch, alerts = BudgetWatch(reader), list[Alert]()

    for number, amount in enumerate([40, 15, 40, 10]):
        spend(usage, f"req_{number}", amount)
        watch.watch(KEY, None)
        watch.look(alerts.append)

    told = [(alert.data["of"], alert.data["percent"]) for alert in alerts]
    assert told == [(of, share) for share in (50, 90, 100) for of in ("key", "group")]
    assert len({alert.subject for alert in alerts}) == 6
    assert alerts[1].data | {"starts_at": "", "resets_at": ""} == {
        "percent": 50, "id": "group_1", "name": "video", "of": "group", "budget": "0.0001 CNY/day",
        "period": "day", "unit": "CNY", "limit": "0.000100", "spent": "0.000055",
        "reserved": "0.000000", "left": "0.000045", "starts_at": "", "resets_at": "",
    }  # fmt: skip
    assert alerts[1].until == datetime(2026, 11, 24, tzinfo=UTC)
    assert alerts[0].until is not None
    assert alerts[0].until.year == 9999


def test_a_key_is_watched_until_its_calls_are_settled_and_no_longer(usage: SqlUsageStore) -> None:
    reader = BudgetReader(SqlBudgets(usage.engine), StoreThreads(1), lambda: NOW)
    watch, alerts = BudgetWatch(reader), list[Alert]()
    spend(usage, "req_1", 60, ends=False)
    watch.watch(KEY, None)

    watch.look(alerts.append)
    assert alerts == []
    usage.add([ended("req_1", key_id="key_1", cost_micro=60, currency="CNY")])
    watch.look(alerts.append)
    assert len(alerts) == 2
    watch.look(alerts.append)
    assert len(alerts) == 2


def test_what_cannot_be_sent_is_looked_at_again(usage: SqlUsageStore) -> None:
    reader = BudgetReader(SqlBudgets(usage.engine), StoreThreads(1), lambda: NOW)
    watch, alerts = BudgetWatch(reader), list[Alert]()
    spend(usage, "req_1", 60)
    watch.watch(KEY, None)

    def refuse(_: Alert) -> None:
        raise StoreError("The database is away.")

    with pytest.raises(StoreError):
        watch.look(refuse)
    watch.look(alerts.append)

    assert len(alerts) == 2


@each(
    ("spent", "reserved", "refusing", "percent"),
    [
        (49, 0, None, None),
        (50, 0, None, 50),
        (79, 21, None, 50),
        (80, 0, "key", 80),
        (89, 0, "key", 80),
        (90, 0, None, 90),
        # A call was refused for what others may still take.
        (95, 4, "key", 90),
        (95, 0, "key", 100),
        (95, 0, "group", 90),
        (100, 0, None, 100),
        (130, 0, None, 100),
    ],
)
def test_the_highest_share_that_was_reached_is_told(
    spent: int, reserved: int, refusing: str | None, percent: int | None
) -> None:
    state = BudgetState("key", Budget("day", "CNY", 100), Span(), spent, reserved)

    assert reached(state, has_refused=refusing == "key") == percent


def test_the_budget_that_refuses_when_nearly_all_is_spent_is_used_up(usage: SqlUsageStore) -> None:
    reader = BudgetReader(SqlBudgets(usage.engine), StoreThreads(1), lambda: NOW)
    watch, alerts = BudgetWatch(reader), list[Alert]()
    spend(usage, "req_1", 95)
    watch.watch(KEY, Reservation(DAY, "CNY", 9, 100, "group_1"))
    watch.watch(KEY, None)

    watch.look(alerts.append)

    told = {alert.data["of"]: alert.data["percent"] for alert in alerts}
    assert told == {"key": 90, "group": 100}
