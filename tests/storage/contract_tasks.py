"""What every store of tasks promises, told through `TaskStore`.

A subclass gives the fixtures `opener` and `unreachable_opener`, as that of test_contract.py does.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Protocol

import pytest

from llm_api.domain.tasks import Task, TaskState
from llm_api.storage import StoreError, TaskStore
from tests.storage.contract import assert_fit_to_show
from tests.storage.crowd import in_processes


class OpenTasks(TaskStore, Protocol):
    """A store that a test opened, and closes."""

    def close(self) -> None:
        """Close its connections."""


# Opens a store at one place, in this process or, sent there by pickle, in another.
TaskOpener = Callable[[], OpenTasks]

NOW = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SHARED = 120  # tasks that processes share


def queued(task_id: str = "img_1", **properties: object) -> Task:
    """Make a task that is due now."""
    usual = {"created_at": NOW, "due_at": NOW, "deadline_at": NOW + DAY, "expires_at": NOW + DAY}
    return Task(task_id, "image", **{**usual, **properties})  # type: ignore[arg-type]


def ended(task: Task, **properties: object) -> Task:
    """End a task well, and its claim with it."""
    usual = {"state": TaskState.SUCCEEDED, "ended_at": NOW, "claimed_by": ""}
    return replace(task, **{**usual, "claimed_until": None, **properties})  # type: ignore[arg-type]


def claim(tasks: TaskStore, worker: str, now: datetime = NOW, at_most: int = 10) -> list[Task]:
    """Claim tasks of the kind `image` for a minute."""
    return tasks.claim(worker, now, now + MINUTE, kinds=["image"], at_most=at_most)


def page_of(tasks: TaskStore, key_id: str | None = "key_1", **wanted: object) -> list[str]:
    """Return the ids of a page of the tasks of a key, the newest first."""
    usual = {"states": (), "after": None, "at_most": 10, "is_oldest_first": False}
    found = tasks.of_key("image", key_id, **{**usual, **wanted})  # type: ignore[arg-type]
    return [task.id for task in found]


ACTS: dict[str, Callable[[TaskStore], object]] = {
    "add": lambda tasks: tasks.add(queued()),
    "get": lambda tasks: tasks.get("img_1"),
    "claim": lambda tasks: claim(tasks, "worker"),
    "save": lambda tasks: tasks.save(queued(), "worker"),
    "renew": lambda tasks: tasks.renew("worker", ["img_1"], NOW),
    "ask_to_cancel": lambda tasks: tasks.ask_to_cancel("img_1", NOW),
    "delete": lambda tasks: tasks.delete("img_1"),
    "expired": lambda tasks: tasks.expired(NOW, 10),
    "unended": lambda tasks: tasks.unended(),
    "newest": lambda tasks: tasks.newest(1, has_ended=False),
    "of_key": page_of,
}


def begun(tasks: TaskStore, *minutes: int, key_id: str | None = "key_1") -> list[Task]:
    """Store tasks of a key that began so many minutes after NOW; their ids have their places."""
    made = [
        queued(f"img_{place}", created_at=NOW + minute * MINUTE, key_id=key_id)
        for place, minute in enumerate(minutes)
    ]
    for task in made:
        tasks.add(task)
    return made


def work(opener: TaskOpener, worker: str, log: Path) -> None:
    """Claim tasks and end them, until none is left; write down what was claimed."""
    claimed: list[str] = []
    with closing(opener()) as tasks:
        while not _are_done(tasks):
            for task in claim(tasks, worker, at_most=3):
                claimed.append(task.id)
                document = {**task.document, "by": worker}
                assert tasks.save(ended(task, document=document), worker)
    log.write_text(json.dumps(claimed))


def ask_for_all(opener: TaskOpener, count: int) -> None:
    """Ask for the end of every task."""
    with closing(opener()) as tasks:
        for number in range(count):
            tasks.ask_to_cancel(f"img_{number}", NOW)


def save_again_and_again(opener: TaskOpener, worker: str, count: int) -> None:
    """Save tasks several times, as what they were when the worker claimed them."""
    with closing(opener()) as tasks:
        for number in range(count):
            task = queued(f"img_{number}", claimed_by=worker, claimed_until=NOW + MINUTE)
            for step in range(5):
                assert tasks.save(replace(task, document={"step": step}), worker)


def _are_done(tasks: TaskStore) -> bool:
    return len(tasks.expired(NOW + 2 * DAY, 2 * SHARED)) == SHARED


class TaskStoreContract:
    """The tests; the store is empty and ready at the beginning of each."""

    @pytest.fixture
    def tasks(self, opener: TaskOpener) -> Iterator[TaskStore]:
        """Open the store."""
        with closing(opener()) as opened:
            yield opened

    # --- listing ---

    def test_tasks_of_a_key_are_listed_from_either_end(self, tasks: TaskStore) -> None:
        begun(tasks, 1, 0, 2)

        assert page_of(tasks) == ["img_2", "img_0", "img_1"]
        assert page_of(tasks, is_oldest_first=True) == ["img_1", "img_0", "img_2"]

    @pytest.mark.parametrize("is_oldest_first", [False, True])
    def test_pages_have_every_task_once_also_of_the_same_moment(
        self, tasks: TaskStore, is_oldest_first: object
    ) -> None:
        made = begun(tasks, 0, 1, 1, 1, 1, 2, 2)
        listed: list[str] = []
        after = None
        while page := page_of(tasks, after=after, at_most=2, is_oldest_first=is_oldest_first):
            listed += page
            after = tasks.get(page[-1])

        ordered = sorted(made, key=lambda one: (one.created_at, one.id))
        expected = [one.id for one in ordered]
        assert listed == (expected if is_oldest_first else expected[::-1])

    def test_a_key_sees_its_own_tasks_of_one_kind(self, tasks: TaskStore) -> None:
        begun(tasks, 0)
        tasks.add(queued("img_7", key_id="key_2"))
        tasks.add(queued("img_8"))
        tasks.add(replace(queued("video_1", key_id="key_1"), kind="video"))

        assert page_of(tasks) == ["img_0"]
        assert page_of(tasks, "key_2") == ["img_7"]
        assert page_of(tasks, None) == ["img_8"]
        assert page_of(tasks, "KEY_1") == []

    def test_tasks_are_listed_by_their_states(self, tasks: TaskStore) -> None:
        begun(tasks, 0)
        tasks.add(ended(queued("img_1", key_id="key_1")))
        tasks.add(queued("img_2", key_id="key_1", state=TaskState.RUNNING))

        assert page_of(tasks, states=[TaskState.SUCCEEDED]) == ["img_1"]
        under_way = page_of(tasks, states=[TaskState.QUEUED, TaskState.RUNNING])
        assert sorted(under_way) == ["img_0", "img_2"]

    def test_a_page_may_begin_after_a_task_that_was_deleted(self, tasks: TaskStore) -> None:
        [_, middle, _] = begun(tasks, 0, 1, 2)
        tasks.delete(middle.id)

        assert page_of(tasks, after=middle) == ["img_0"]
        assert page_of(tasks, after=middle, is_oldest_first=True) == ["img_2"]

    # --- keeping ---

    def test_the_newest_come_first_of_those_that_go_on_and_of_those_that_do_not(
        self, tasks: TaskStore
    ) -> None:
        for number in range(4):
            tasks.add(queued(f"img_{number}", created_at=NOW + number * MINUTE))
        for task in claim(tasks, "worker", at_most=2):
            tasks.save(ended(task), "worker")

        going, over = (tasks.newest(9, has_ended=has_ended) for has_ended in (False, True))

        assert len(going) == len(over) == 2
        for found in (going, over):
            assert [task.id for task in found] == sorted([task.id for task in found], reverse=True)
        assert {task.id for task in going + over} == {f"img_{number}" for number in range(4)}
        assert tasks.newest(1, has_ended=False) == going[:1]

    def test_tasks_that_have_not_ended_are_counted_by_kind_and_state(
        self, tasks: TaskStore
    ) -> None:
        assert tasks.unended() == {}
        for number in range(3):
            tasks.add(queued(f"img_{number}"))
        tasks.add(queued("img_3", state=TaskState.RUNNING))
        tasks.add(ended(queued("img_4")))
        tasks.add(replace(queued("hook_1"), kind="webhook"))

        assert tasks.unended() == {
            ("image", "queued"): 3,
            ("image", "running"): 1,
            ("webhook", "queued"): 1,
        }

    def test_a_task_is_kept_whole(self, tasks: TaskStore) -> None:
        task = queued(
            document={"prompt": 'a "cat" 猫 \x00 😀', "parts": [{"state": "new", "seed": 2**53}]},
            key_id="key_1",
            request_id="req_1",
            lineage_id="shop:7",
            state=TaskState.RUNNING,
            started_at=NOW + MINUTE,
            wants_cancel=True,
        )

        tasks.add(task)

        assert tasks.get("img_1") == task

    def test_a_task_that_is_not_there_is_none(self, tasks: TaskStore) -> None:
        tasks.add(queued("img_1"))

        assert tasks.get("img_2") is None
        assert tasks.get("IMG_1") is None
        assert tasks.get("img_1 ") is None

    def test_the_same_task_is_not_kept_twice(self, tasks: TaskStore) -> None:
        tasks.add(queued(document={"n": 1}))

        with pytest.raises(StoreError):
            tasks.add(queued(document={"n": 2}))

        assert tasks.get("img_1") == queued(document={"n": 1})

    def test_a_time_zone_is_a_way_to_write_a_moment(self, tasks: TaskStore) -> None:
        east = NOW.astimezone(timezone(timedelta(hours=8)))

        tasks.add(queued(due_at=east))

        assert tasks.get("img_1") == queued()
        assert len(claim(tasks, "worker")) == 1

    def test_a_document_may_be_large(self, tasks: TaskStore) -> None:
        task = queued(document={"prompt": "猫" * 400_000})

        tasks.add(task)

        assert tasks.get("img_1") == task

    def test_what_is_deleted_is_gone(self, tasks: TaskStore) -> None:
        tasks.add(queued("img_1"))
        tasks.add(queued("img_2"))

        tasks.delete("img_1")
        tasks.delete("img_1")

        assert tasks.get("img_1") is None
        assert tasks.get("img_2") is not None

    # --- claiming ---

    def test_a_claimed_task_names_its_worker(self, tasks: TaskStore) -> None:
        tasks.add(queued())

        claimed = claim(tasks, "worker")

        assert claimed == [queued(claimed_by="worker", claimed_until=NOW + MINUTE)]
        assert tasks.get("img_1") == claimed[0]

    def test_no_worker_gets_what_is_claimed_not_even_the_same(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        claim(tasks, "worker")

        assert claim(tasks, "other") == []
        assert claim(tasks, "worker") == []

    def test_the_longest_due_are_claimed_first(self, tasks: TaskStore) -> None:
        for number in (3, 1, 2):
            tasks.add(queued(f"img_{number}", due_at=NOW - number * MINUTE))

        claimed = claim(tasks, "worker", at_most=2)

        assert {task.id for task in claimed} == {"img_3", "img_2"}

    def test_what_is_not_due_is_left(self, tasks: TaskStore) -> None:
        tasks.add(queued(due_at=NOW + timedelta(microseconds=1)))

        assert claim(tasks, "worker") == []
        assert len(claim(tasks, "worker", NOW + MINUTE)) == 1

    @pytest.mark.parametrize("state", [state for state in TaskState if state.has_ended])
    def test_what_has_ended_is_left(self, tasks: TaskStore, state: TaskState) -> None:
        tasks.add(queued(state=state))

        assert claim(tasks, "worker") == []

    def test_other_kinds_are_left(self, tasks: TaskStore) -> None:
        tasks.add(replace(queued("hook_1"), kind="webhook"))
        tasks.add(queued("img_1"))

        both = tasks.claim("w", NOW, NOW + MINUTE, kinds=["webhook", "video"], at_most=5)

        assert [task.id for task in both] == ["hook_1"]

    def test_a_claim_that_has_run_out_is_taken_over(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        claim(tasks, "dead")

        assert claim(tasks, "heir", NOW + MINUTE - timedelta(microseconds=1)) == []
        taken = claim(tasks, "heir", NOW + MINUTE)

        assert [task.claimed_by for task in taken] == ["heir"]

    # --- saving ---

    def test_a_worker_saves_what_it_has_done(self, tasks: TaskStore) -> None:
        tasks.add(queued(key_id="key_1"))
        task = claim(tasks, "worker")[0]
        done = ended(task, document={"files": ["file_1"]}, started_at=NOW)

        assert tasks.save(done, "worker")

        assert tasks.get("img_1") == done

    def test_the_same_may_be_saved_twice(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        task = claim(tasks, "worker")[0]

        assert tasks.save(task, "worker")
        assert tasks.save(task, "worker")

    def test_a_claim_that_is_given_back_is_free_at_once(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        task = claim(tasks, "worker")[0]

        tasks.save(replace(task, claimed_by="", claimed_until=None), "worker")

        assert len(claim(tasks, "other")) == 1

    def test_a_claim_can_be_extended(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        task = claim(tasks, "worker")[0]

        tasks.save(replace(task, claimed_until=NOW + 9 * MINUTE), "worker")

        assert claim(tasks, "other", NOW + 2 * MINUTE) == []
        assert len(claim(tasks, "other", NOW + 9 * MINUTE)) == 1

    def test_claims_of_a_worker_are_extended_at_once(self, tasks: TaskStore) -> None:
        ids = [f"img_{number}" for number in range(4)]
        for number in range(4):
            tasks.add(queued(f"img_{number}", due_at=NOW + number * MINUTE / 9))
        claim(tasks, "worker")
        [second] = claim(tasks, "worker", NOW + MINUTE / 9)
        claim(tasks, "other", NOW + MINUTE / 3)
        tasks.ask_to_cancel(second.id, NOW)

        renewed = tasks.renew("worker", ids, NOW + 9 * MINUTE)

        assert renewed == {"img_0": False, "img_1": True}
        late = claim(tasks, "heir", NOW + 5 * MINUTE)
        assert {task.id for task in late} == {"img_2", "img_3"}
        assert tasks.renew("worker", ids, None) == renewed
        assert len(claim(tasks, "heir", NOW + 9 * MINUTE)) == 4
        assert tasks.renew("worker", ids, NOW + 20 * MINUTE) == {}

    def test_a_claim_that_its_worker_has_given_up_runs_out(self, tasks: TaskStore) -> None:
        tasks.add(queued("img_0"))
        tasks.add(queued("img_1"))
        claim(tasks, "worker")

        assert tasks.renew("worker", ["img_0"], NOW + 9 * MINUTE) == {"img_0": False}

        assert [task.id for task in claim(tasks, "heir", NOW + 5 * MINUTE)] == ["img_1"]

    def test_what_has_ended_is_not_extended(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        [task] = claim(tasks, "worker")
        # Whatever its claim says.
        tasks.save(ended(task, claimed_by="worker"), "worker")

        assert tasks.renew("worker", [task.id], NOW + MINUTE) == {}

    def test_a_worker_that_lost_its_claim_changes_nothing(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        late = claim(tasks, "late")[0]
        taken = claim(tasks, "heir", NOW + MINUTE)[0]

        assert not tasks.save(ended(late, document={"by": "late"}), "late")
        assert tasks.get("img_1") == taken

    def test_a_worker_whose_claim_ran_out_saves_as_long_as_nobody_has_taken_over(
        self, tasks: TaskStore
    ) -> None:
        tasks.add(queued())
        task = claim(tasks, "slow")[0]

        assert tasks.save(ended(task), "slow")
        assert claim(tasks, "heir", NOW + MINUTE) == []

    def test_nobody_saves_a_task_that_is_gone_or_was_never_claimed(self, tasks: TaskStore) -> None:
        tasks.add(queued("img_1"))
        tasks.add(queued("img_2"))
        task = claim(tasks, "worker", at_most=1)[0]
        tasks.delete(task.id)
        other = {"img_1": "img_2", "img_2": "img_1"}[task.id]

        assert not tasks.save(task, "worker")
        assert not tasks.save(queued(other), "worker")
        assert tasks.get(task.id) is None

    # --- cancelling ---

    def test_whoever_asks_for_the_end_makes_the_task_due(self, tasks: TaskStore) -> None:
        tasks.add(queued(due_at=NOW + DAY))

        asked = tasks.ask_to_cancel("img_1", NOW)

        assert asked == queued(wants_cancel=True)
        assert claim(tasks, "worker")[0].wants_cancel

    def test_a_worker_that_does_not_know_of_it_does_not_undo_it(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        task = claim(tasks, "worker")[0]
        tasks.ask_to_cancel("img_1", NOW)
        later = replace(task, due_at=NOW + MINUTE, claimed_by="", claimed_until=None)

        assert tasks.save(later, "worker")

        assert [task.wants_cancel for task in claim(tasks, "worker")] == [True]

    def test_a_worker_that_knows_of_it_says_when_it_looks_again(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        tasks.ask_to_cancel("img_1", NOW)
        task = claim(tasks, "worker")[0]
        later = replace(task, due_at=NOW + MINUTE, claimed_by="", claimed_until=None)

        assert tasks.save(later, "worker")

        assert claim(tasks, "worker") == []

    def test_asking_leaves_the_claim_where_it_is(self, tasks: TaskStore) -> None:
        tasks.add(queued())
        task = claim(tasks, "worker")[0]

        tasks.ask_to_cancel("img_1", NOW)

        assert claim(tasks, "other") == []
        assert tasks.save(ended(task), "worker")

    def test_what_has_ended_is_not_asked_for(self, tasks: TaskStore) -> None:
        done = ended(queued())
        tasks.add(done)

        assert tasks.ask_to_cancel("img_1", NOW + MINUTE) == done
        assert tasks.get("img_1") == done

    def test_what_is_not_there_cannot_be_asked_for(self, tasks: TaskStore) -> None:
        assert tasks.ask_to_cancel("img_1", NOW) is None

    # --- the end ---

    def test_tasks_expire_once_they_have_ended(self, tasks: TaskStore) -> None:
        tasks.add(ended(queued("img_1", expires_at=NOW)))
        tasks.add(ended(queued("img_2", expires_at=NOW + timedelta(microseconds=1))))
        tasks.add(queued("img_3", expires_at=NOW - DAY))
        tasks.add(ended(queued("img_4", expires_at=NOW - DAY)))

        assert [task.id for task in tasks.expired(NOW, 9)] == ["img_4", "img_1"]
        assert [task.id for task in tasks.expired(NOW, 1)] == ["img_4"]

    # --- several processes ---

    def test_processes_share_the_work_and_no_task_is_claimed_twice(
        self, opener: TaskOpener, tasks: TaskStore, tmp_path: Path
    ) -> None:
        names = [f"img_{number}" for number in range(SHARED)]
        for name in names:
            tasks.add(queued(name))
        workers = [f"worker_{number}" for number in range(4)]

        in_processes(work, [(opener, worker, tmp_path / worker) for worker in workers])

        claimed = {worker: json.loads((tmp_path / worker).read_text()) for worker in workers}
        assert Counter(chain(*claimed.values())) == dict.fromkeys(names, 1)
        by = {name: worker for worker, of_it in claimed.items() for name in of_it}
        assert {name: _worker_of(tasks, name) for name in names} == by

    def test_what_another_process_asks_for_is_never_overwritten(
        self, opener: TaskOpener, tasks: TaskStore
    ) -> None:
        for number in range(30):
            tasks.add(queued(f"img_{number}"))
        assert len(claim(tasks, "worker", at_most=30)) == 30

        in_processes(_save_or_ask, [(opener, "worker", 30), (opener, "", 30)])

        found = [tasks.get(f"img_{number}") for number in range(30)]
        assert all(task is not None and task.wants_cancel for task in found)
        assert all(task is not None and task.document == {"step": 4} for task in found)

    # --- away ---

    @pytest.mark.parametrize("act", ACTS)
    def test_a_store_that_cannot_be_reached_says_so(
        self, act: str, unreachable_opener: TaskOpener
    ) -> None:
        with closing(unreachable_opener()) as tasks:
            with pytest.raises(StoreError) as caught:
                ACTS[act](tasks)

            assert_fit_to_show(caught.value)


def _worker_of(tasks: TaskStore, name: str) -> object:
    task = tasks.get(name)
    assert task is not None
    return task.document["by"]


def _save_or_ask(opener: TaskOpener, worker: str, count: int) -> None:
    if worker:
        save_again_and_again(opener, worker, count)
    else:
        ask_for_all(opener, count)
