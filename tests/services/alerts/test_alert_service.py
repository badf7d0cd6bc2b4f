"""An alert is stored once for each address, whoever notices it how often."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from llm_api.domain.tasks import Task, WebhookPlan
from llm_api.runtime.drain import Drain
from llm_api.services.alerts.alert_service import Alert, AlertService
from llm_api.services.alerts.upstream_watch import LOGGER, UpstreamWatch
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.task_table import SqlTasks
from llm_api.storage.threads import StoreThreads
from tests.support.schema import give_schema
from tests.support.tables import each
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URLS = ("https://one.example/hook", "https://two.example/hook")
HOUR = timedelta(hours=1)
SAID = Alert("upstream.key_refused", "fast", {"upstream": "fast"}, HOUR)


class Tasks(SqlTasks):
    """A store that can be away, and remembers what was added."""

    is_away = False

    def __init__(self, engine: sa.Engine) -> None:
        """Begin empty and there."""
        super().__init__(engine)
        self.added: list[Task] = []

    def add(self, task: Task) -> None:
        """See TaskStore."""
        if self.is_away:
            raise StoreError("It is away.")
        super().add(task)
        self.added.append(task)


class Clock:
    """A clock that stands until it is set."""

    now = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Tasks]:
    """Open a store of tasks."""
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    give_schema(url)
    engine = make_engine(url)
    yield Tasks(engine)
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    """Stop the time."""
    return Clock()


def worker(tasks: SqlTasks, clock: Clock) -> AlertService:
    """Make the service of a worker, which works on no tasks."""
    engine = TaskEngine(tasks, StoreThreads(1), Drain(), now=clock)
    engine.close()
    poster: object = None
    return AlertService(URLS, Webhooks(WebhookPlan(), engine, poster, clock), clock, interval=0.01)  # type: ignore[arg-type]  # nothing is posted


def test_an_alert_is_stored_once_for_each_address(tasks: Tasks, clock: Clock) -> None:
    workers = [worker(tasks, clock) for _ in range(2)]

    for one in (*workers, *workers, worker(tasks, clock)):
        one.send(SAID)

    assert [task.document["url"] for task in tasks.added] == list(URLS)
    assert json.loads(str(tasks.added[0].document["body"])) == {
        "type": "upstream.key_refused",
        "timestamp": "2026-11-22T12:00:00+00:00",
        "data": {"upstream": "fast"},
    }


def test_the_same_is_told_again_when_its_time_is_over(tasks: Tasks, clock: Clock) -> None:
    counts = []
    for minutes in (0, 59, 61, 121, 130):
        clock.now = NOW + timedelta(minutes=minutes)
        worker(tasks, clock).send(SAID)
        counts.append(len(tasks.added))

    assert counts == [2, 2, 2, 4, 4]


def test_an_alert_without_another_is_remembered_as_long_as_it_says(
    tasks: Tasks, clock: Clock
) -> None:
    late = datetime(2026, 12, 1, tzinfo=UTC)
    worker(tasks, clock).send(Alert("budget.threshold_reached", "key_1 50", {}, until=late))
    worker(tasks, clock).send(Alert("judge.drift", "seer", {}))

    ends = [task.expires_at for task in tasks.added]
    assert ends == [late, late, NOW + timedelta(days=2), NOW + timedelta(days=2)]


def test_what_the_database_does_not_take_waits_for_it(tasks: Tasks, clock: Clock) -> None:
    alerts = worker(tasks, clock)
    alerts.close()  # its thread takes nothing away
    tasks.is_away = True
    alerts.notice(SAID)
    alerts.work()
    tasks.is_away = False

    alerts.work()
    alerts.work()

    assert len(tasks.added) == 2


def test_what_is_looked_for_is_sent_from_the_thread(tasks: Tasks, clock: Clock) -> None:
    alerts = worker(tasks, clock)
    alerts.look_by(lambda: alerts.send(SAID))

    alerts.start()
    wait_until(lambda: len(tasks.added) == 2, 20, lambda: "not sent")
    alerts.close()


@each(
    ("message", "said", "types"),
    [
        ("circuit opened", {"cause": "upstream_timeout"}, ["circuit.opened"]),
        ("circuit closed", {}, ["circuit.closed"]),
        ("circuit opened", {"cause": "upstream_timeout", "scope": "one caller"}, []),
        (
            "circuit opened",
            {"cause": "upstream_account"},
            ["circuit.opened", "upstream.account_refused"],
        ),
        ("upstream key refused", {"cause": "upstream_auth"}, ["upstream.key_refused"]),
        ("upstream account refused", {"cause": "upstream_account"}, ["upstream.account_refused"]),
        ("something else", {"cause": "upstream_auth"}, []),
    ],
)
def test_warnings_of_upstreams_are_alerts(
    message: str, said: dict[str, str], types: list[str]
) -> None:
    alerts: list[Alert] = []
    watch = UpstreamWatch(alerts.append)
    watch.listen()
    logger = logging.getLogger(LOGGER)

    logger.warning(message, extra={"upstream": "fast", "model": None, "secret": "x", **said})
    watch.close()
    logger.warning(message, extra={"upstream": "fast", **said})

    assert [alert.type for alert in alerts] == types
    assert all(alert.data.keys() <= {"upstream", "cause"} for alert in alerts)
