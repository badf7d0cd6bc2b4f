"""Tasks are claimed, worked on, renewed, released and taken over."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llm_api.domain.tasks import Task, TaskState
from llm_api.runtime.drain import Drain
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost
from llm_api.services.tasks.engine import TaskEngine
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.task_table import SqlTasks
from llm_api.storage.threads import StoreThreads
from tests.support.schema import give_schema
from tests.support.waiting import wait_until

PATIENCE = 15.0


class FlakyTasks(SqlTasks):
    """A store that can be away."""

    is_away = False

    def save(self, task: Task, worker: str) -> bool:
        """Save, unless it is away."""
        if self.is_away:
            raise StoreError("The database is away.")
        return super().save(task, worker)


@dataclass
class Shop:
    """A store, and the engines that work on it."""

    store: FlakyTasks
    engines: list[TaskEngine] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)

    def engine(
        self,
        work: Callable[[ClaimedTask], None],
        lease: float = 30.0,
        count: Callable[[Task], None] = lambda _: None,
    ) -> TaskEngine:
        """Make the engine of another worker; `count` is told of the tasks that it ends."""
        self.drains.append(Drain())
        engine = TaskEngine(self.store, StoreThreads(2), self.drains[-1], lease=lease, count=count)
        engine.register("test", work)
        self.engines.append(engine)
        return engine

    def has_ended(self, task_id: str = "t1") -> bool:
        """Whether a task has ended."""
        task = self.store.get(task_id)
        return task is not None and task.state.has_ended


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Open a store."""
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    give_schema(url)
    engine = make_engine(url)
    opened = Shop(FlakyTasks(engine))
    yield opened
    for one in opened.engines:
        one.close()
    engine.dispose()


def new(task_id: str = "t1", seconds: float = 60, kind: str = "test") -> Task:
    """Make a task that is due."""
    now = datetime.now(UTC)
    return Task(task_id, kind, now, now, now + timedelta(seconds=seconds), now + timedelta(days=1))


def finish(claimed: ClaimedTask) -> None:
    """End a task well."""
    claimed.end(TaskState.SUCCEEDED, {"by": "me"})


def test_a_task_that_is_run_is_worked_on_at_once(shop: Shop) -> None:
    claimed = shop.engine(finish).run(new())

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)
    task = shop.store.get("t1")
    assert task is not None
    assert (task.state, task.document, task.claimed_by) == (
        TaskState.SUCCEEDED,
        {"by": "me"},
        "",
    )


def test_a_task_that_has_ended_is_told_once(shop: Shop) -> None:
    told: list[Task] = []
    claimed = shop.engine(finish, count=told.append).run(new())

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)
    assert [(task.id, task.state) for task in told] == [("t1", TaskState.SUCCEEDED)]


def test_a_task_that_is_added_is_found(shop: Shop) -> None:
    shop.engine(finish).add(new())

    wait_until(shop.has_ended, PATIENCE, "ended")


def test_tasks_of_another_kind_are_left_alone(shop: Shop) -> None:
    engine = shop.engine(finish)
    engine.add(new("other", kind="unknown"))
    engine.add(new())

    wait_until(shop.has_ended, PATIENCE, "ended")

    assert not shop.has_ended("other")


def test_an_error_of_ours_puts_a_task_off(shop: Shop) -> None:
    def fail(_: ClaimedTask) -> None:
        raise ZeroDivisionError

    claimed = shop.engine(fail).run(new())

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)
    task = shop.store.get("t1")
    assert task is not None
    assert (task.state.has_ended, task.claimed_by) == (False, "")
    assert task.due_at > datetime.now(UTC) + timedelta(seconds=10)


def test_an_error_of_ours_behind_the_deadline_ends_a_task(shop: Shop) -> None:
    def fail(_: ClaimedTask) -> None:
        raise ZeroDivisionError

    shop.engine(fail).add(new(seconds=-1))

    wait_until(shop.has_ended, PATIENCE, "ended")
    task = shop.store.get("t1")
    assert task is not None
    assert task.state is TaskState.EXPIRED


def test_a_database_that_is_away_for_a_while_loses_nothing(shop: Shop) -> None:
    begun = threading.Event()

    def work(claimed: ClaimedTask) -> None:
        shop.store.is_away = True
        begun.set()
        claimed.end(TaskState.SUCCEEDED, {"picture": "kept"})

    shop.engine(work).run(new())
    begun.wait(PATIENCE)
    shop.store.is_away = False

    wait_until(shop.has_ended, PATIENCE, "ended")


def test_a_claim_that_was_lost_is_known_at_the_next_save(shop: Shop) -> None:
    lost: list[bool] = []
    go = threading.Event()

    def work(claimed: ClaimedTask) -> None:
        go.wait(PATIENCE)
        try:
            claimed.save({"mine": True})
        except ClaimLost:
            lost.append(claimed.must_end)
            raise

    claimed = shop.engine(work).run(new())
    assert claimed is not None
    stored = shop.store.get("t1")
    assert stored is not None
    shop.store.delete("t1")
    go.set()

    assert claimed.ended.wait(PATIENCE)
    assert lost == [True]


def test_a_task_that_was_given_up_is_worked_on_again_while_others_go_on(shop: Shop) -> None:
    go, tries = threading.Event(), []

    def work(claimed: ClaimedTask) -> None:
        if claimed.task.id == "t1":
            go.wait(2 * PATIENCE)
        else:
            tries.append(claimed)
            if len(tries) == 1:
                raise StoreError("The database is away.")
        finish(claimed)

    engine = shop.engine(work, lease=0.6)
    engine.run(new())
    engine.run(new("t2"))

    wait_until(lambda: shop.has_ended("t2"), PATIENCE, "worked on again")
    assert not shop.has_ended()
    go.set()
    wait_until(shop.has_ended, PATIENCE, "ended, too")


def test_a_wish_to_cancel_reaches_the_worker_that_has_the_task(shop: Shop) -> None:
    def work(claimed: ClaimedTask) -> None:
        wait_until(lambda: claimed.wants_cancel, PATIENCE, "asked")
        claimed.end(TaskState.CANCELLED, {})

    shop.engine(work, lease=1.0).run(new())
    shop.store.ask_to_cancel("t1", datetime.now(UTC))

    wait_until(shop.has_ended, PATIENCE, "cancelled")


def test_a_process_that_ends_claims_nothing_more(shop: Shop) -> None:
    engine = shop.engine(finish)
    shop.drains[0].start()

    assert engine.run(new()) is None
    other = shop.engine(finish)
    other.wake()

    wait_until(shop.has_ended, PATIENCE, "ended by the other")
    assert not shop.drains[0].is_busy


def test_a_worker_with_enough_to_do_leaves_tasks_to_others(shop: Shop) -> None:
    go = threading.Event()

    def work(claimed: ClaimedTask) -> None:
        go.wait(PATIENCE)
        finish(claimed)

    engine = shop.engine(work)
    begun = [engine.run(new(f"t{n}")) for n in range(66)]

    assert begun.count(None) == 2
    go.set()
    wait_until(lambda: all(shop.has_ended(f"t{n}") for n in range(66)), 30, "all ended")


def test_tasks_that_rest_leave_their_places_to_others(shop: Shop) -> None:
    def work(claimed: ClaimedTask) -> None:
        claimed.rest(60)
        claimed.end(TaskState.CANCELLED, {})

    engine = shop.engine(work, lease=0.6)
    for number in range(70):
        engine.add(new(f"t{number}"))

    running = [f"t{number}" for number in range(70)]
    wait_until(lambda: all(map(engine.running, running)), PATIENCE, "all begun")
    for one in running:
        shop.store.ask_to_cancel(one, datetime.now(UTC))
    wait_until(lambda: all(map(shop.has_ended, running)), 30, "all cancelled")


def test_a_rest_ends_where_the_process_does(shop: Shop) -> None:
    def work(claimed: ClaimedTask) -> None:
        while not claimed.should_release:
            claimed.rest(60)
        claimed.release()

    claimed = shop.engine(work).run(new())
    shop.drains[0].start()

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)
    assert not claimed.is_lost


def test_a_rest_ends_where_the_engine_is_closed(shop: Shop) -> None:
    def rest(claimed: ClaimedTask) -> None:
        while not claimed.should_release:
            claimed.rest(PATIENCE)
        claimed.release()

    engine = shop.engine(rest)
    claimed = engine.run(new())
    assert claimed is not None
    wait_until(lambda: claimed.is_resting, PATIENCE, "it rests")

    engine.close()

    assert claimed.ended.wait(PATIENCE / 3)
    task = shop.store.get("t1")
    assert task is not None
    assert (task.state.has_ended, task.claimed_by) == (False, "")


def test_a_rest_ends_where_the_task_is_lost(shop: Shop) -> None:
    def work(claimed: ClaimedTask) -> None:
        while not claimed.is_lost:
            claimed.rest(60)
        raise ClaimLost

    claimed = shop.engine(work, lease=0.6).run(new())
    shop.store.delete("t1")

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)


def test_a_rest_lasts_until_the_deadline_at_most(shop: Shop) -> None:
    def work(claimed: ClaimedTask) -> None:
        claimed.rest(60)
        claimed.end(TaskState.EXPIRED, {})

    claimed = shop.engine(work).run(new(seconds=0.1))

    assert claimed is not None
    assert claimed.ended.wait(PATIENCE)


def test_many_tasks_together_ask_a_vendor_no_more_often(shop: Shop) -> None:
    go = threading.Event()

    def work(_: ClaimedTask) -> None:
        go.wait(PATIENCE)

    engine = shop.engine(work)
    one = engine.run(new())
    assert one is not None
    alone = one.pause_before(2.0)
    for number in range(60):
        engine.run(new(f"other{number}"))

    assert (alone, one.pause_before(2.0), one.pause_before(8.0)) == (2.0, 3.05, 8.0)
    go.set()
