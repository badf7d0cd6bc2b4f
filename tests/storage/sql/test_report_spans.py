"""A report of any span of whole hours is the sum of its hours, however it is read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from llm_api.domain.usage import UsageQuery
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.records import ended
from tests.support.service import REPOSITORY_ROOT

START = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 24 * 4
MOMENTS = st.integers(0, HOURS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.tuples(MOMENTS, MOMENTS).filter(lambda ends: ends[0] < ends[1]))
def test_every_span_counts_its_hours(tmp_path: Path, ends: tuple[int, int]) -> None:
    url = f"sqlite:///{tmp_path / 'spans.db'}"
    store = SqlUsageStore(make_engine(url))
    if not (tmp_path / "spans.db").exists():
        migrate.upgrade(url, REPOSITORY_ROOT)
        store.add(
            [
                ended(f"req_{hour}", created_at=START + timedelta(hours=hour, minutes=59))
                for hour in range(HOURS)
            ]
        )
    since, until = (START + timedelta(hours=hour) for hour in ends)

    for group_by in ((), ("hour",), ("day",)):
        groups = store.report(UsageQuery(since, until, group_by))

        assert sum(group.calls for group in groups) == ends[1] - ends[0]
    store.close()


def test_times_are_read_of_the_span_alone(tmp_path: Path) -> None:
    # Results are the same without: PostgreSQL then reads the times of all years.
    url = f"sqlite:///{tmp_path / 'spans.db'}"
    migrate.upgrade(url, REPOSITORY_ROOT)
    engine, read = make_engine(url), list[str]()
    event.listen(engine, "before_cursor_execute", lambda *told: read.append(told[2]))
    store = SqlUsageStore(engine)

    store.report(UsageQuery(START, START + timedelta(days=2), ("day",)))

    [of_times] = [text for text in read if "usage_times" in text]
    assert "usage_times.starts_at >= " in of_times
    assert "usage_times.starts_at < " in of_times
    store.close()
