"""Events that are recorded a moment later are recorded, all of them, and hold nobody up."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from llm_api.domain.lineage import LineageEvent
from llm_api.services.lineage.late_records import LateRecords
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def happened(number: int) -> LineageEvent:
    """Make an event."""
    return LineageEvent("shop:7", "rewrite", None, NOW, id=f"ev_{number}")


def broken() -> LineageEvent:
    """Fail to make one."""
    raise KeyError("words of a prompt")


@pytest.fixture
def recorded() -> list[str]:
    """Name what was recorded."""
    return []


@pytest.fixture
def late(recorded: list[str]) -> Iterator[LateRecords]:
    """Make a queue in front of that."""
    records = LateRecords(lambda event: recorded.append(event.id))
    yield records
    records.close()


def test_what_is_put_is_recorded_by_the_thread_that_is_woken(
    late: LateRecords, recorded: list[str]
) -> None:
    late.thread.start()
    for number in range(3):
        late.put(lambda number=number: happened(number))
        late.thread.woken.set()

    wait_until(lambda: len(recorded) == 3, 20, "all are recorded")
    assert recorded == ["ev_0", "ev_1", "ev_2"]


def test_an_event_that_cannot_be_made_holds_up_no_other(
    late: LateRecords, recorded: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for make in (broken, lambda: happened(1)):
        late.put(make)

    late.flush()

    assert recorded == ["ev_1"]
    assert [record.message for record in caplog.records] == ["lineage event not made"]


def test_what_waits_at_the_end_is_recorded(late: LateRecords, recorded: list[str]) -> None:
    late.put(lambda: happened(1))

    late.close()

    assert recorded == ["ev_1"]
