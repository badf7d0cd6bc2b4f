"""Gauges are read every few seconds, written when they change, and tasks are counted by one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import values

from llm_api.domain.tasks import Task
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metrics import Metrics
from llm_api.server.shared_metrics import FOLDER_VARIABLE
from llm_api.services.gauges import Gauges, TaskGauge
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.task_table import SqlTasks
from llm_api.storage.threads import StoreThreads
from tests.conftest import AppOf
from tests.observability.test_metrics import shown, worker
from tests.support import replies
from tests.support.schema import give_schema
from tests.support.upstream import ScriptedUpstream

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[SqlTasks]:
    """Open an empty store."""
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    give_schema(url)
    engine = make_engine(url)
    yield SqlTasks(engine)
    engine.dispose()


def test_a_gauge_is_written_when_it_has_changed() -> None:
    values, metrics = iter([0, 3, 3, 0]), Metrics()
    gauges = Gauges(metrics)
    gauges.add(catalogue.STREAMS, lambda: next(values))

    written = []
    for _ in range(4):
        gauges.read()
        written.append((bool(metrics._families), shown(metrics)["llm_api_streams_in_progress",]))

    assert [shown for _, shown in written] == [0, 3, 3, 0]
    assert not written[0][0]  # an idle worker has loaded nothing


def test_tasks_are_counted_by_one_worker_and_vanish_when_they_have_ended(
    tasks: SqlTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared))
    counters = []
    for slot in (0, 1):
        metrics = worker(shared, slot)
        counters.append(TaskGauge(Gauges(metrics), metrics, tasks, StoreThreads(1)))
    now = datetime(2026, 11, 29, tzinfo=UTC)
    later = now + timedelta(days=1)
    at = {"created_at": now, "due_at": now, "deadline_at": later, "expires_at": later}
    tasks.add(Task("img_1", "image", **at))

    for counter in counters:
        counter.read()
    seen = shown(shared)["llm_api_tasks", "image", "queued"]
    tasks.delete("img_1")
    leader, other = counters
    leader._asked_at = float("-inf")
    leader.read()

    assert (seen, shown(shared)["llm_api_tasks", "image", "queued"]) == (1, 0)
    assert other._asked_at == float("-inf")
    leader.close()
    other.read()
    assert other._asked_at > 0  # the lock has fallen
    other.close()
    values.close_all_multiprocess_files()


def test_open_circuits_and_refused_calls_are_shown(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    app = app_of({**upstream_env, "CIRCUIT_BREAKER": "true"})
    services = app.extensions["llm_api"]
    upstream.script(replies.api_error(401))
    answer = app.test_client().post("/api/v1/llm/chat", json=CHAT)
    assert answer.status_code == 502

    services.gauges.read()
    during = shown(services.metrics)["llm_api_calls_in_progress",]
    answer.close()
    services.gauges.read()

    found = shown(services.metrics)
    assert found["llm_api_open_circuits", "fast"] == 1
    assert found["llm_api_upstream_attempts_total", "fast", "upstream_auth"] == 1
    assert (during, found["llm_api_calls_in_progress",]) == (1, 0)
