"""So many run at once, and those that wait come in in their order."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from llm_api.runtime.concurrency import ConcurrencyLimit
from tests.support.waiting import wait_until

PATIENCE = 20.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Run what waits."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


def waiting(
    pool: ThreadPoolExecutor, limit: ConcurrencyLimit, order: list[int], count: int
) -> list[Future[None]]:
    """Let so many wait, one after the other; each notes its number when it has a slot."""

    def wait(number: int) -> None:
        assert limit.acquire(PATIENCE)
        order.append(number)

    begun = []
    for number in range(count):
        begun.append(pool.submit(wait, number))
        wait_until(lambda n=number: limit.waiting == n + 1, PATIENCE, "it waits")
    return begun


def test_so_many_get_a_slot_and_no_more() -> None:
    limit = ConcurrencyLimit(2)

    assert [limit.try_acquire() for _ in range(3)] == [True, True, False]


def test_a_released_slot_is_free() -> None:
    limit = ConcurrencyLimit(1)
    limit.try_acquire()

    limit.release()

    assert (limit.free, limit.acquire(0)) == (1, True)


def test_those_that_wait_get_slots_in_their_order(pool: ThreadPoolExecutor) -> None:
    limit, order = ConcurrencyLimit(1), []
    limit.try_acquire()
    begun = waiting(pool, limit, order, 3)

    for number in range(3):
        limit.release()
        begun[number].result(PATIENCE)

    assert order == [0, 1, 2]


def test_a_slot_is_passed_on_and_not_taken_by_others(pool: ThreadPoolExecutor) -> None:
    limit = ConcurrencyLimit(1)
    limit.try_acquire()
    [first] = waiting(pool, limit, [], 1)

    limit.release()

    assert not limit.try_acquire()
    first.result(PATIENCE)


def test_a_wait_ends_with_its_time_and_leaves_the_queue() -> None:
    limit = ConcurrencyLimit(1)
    limit.try_acquire()

    assert not limit.acquire(0.01)

    assert limit.waiting == 0
    limit.release()
    assert limit.free == 1


def test_a_full_queue_refuses_at_once(pool: ThreadPoolExecutor) -> None:
    limit = ConcurrencyLimit(1, max_waiting=1)
    limit.try_acquire()
    [first] = waiting(pool, limit, [], 1)

    assert not limit.acquire(PATIENCE)

    limit.release()
    first.result(PATIENCE)


class CutError(BaseException):
    """What a worker that ends raises in its calls."""


@pytest.mark.parametrize("gets_slot", [True, False])
def test_a_wait_that_is_cut_loses_no_slot(*, gets_slot: bool) -> None:
    limit = ConcurrencyLimit(1)
    limit.try_acquire()

    def cut(*_: object) -> None:
        if gets_slot:
            limit.release()  # just before
        raise CutError

    before = signal.signal(signal.SIGUSR1, cut)
    me = threading.get_ident()
    threading.Timer(0.1, signal.pthread_kill, (me, signal.SIGUSR1)).start()
    with pytest.raises(CutError):
        limit.acquire(PATIENCE)
    signal.signal(signal.SIGUSR1, before)

    assert (limit.free, limit.waiting) == (int(gets_slot), 0)


def test_of_many_threads_never_more_than_the_limit_run(pool: ThreadPoolExecutor) -> None:
    limit, lock = ConcurrencyLimit(3), threading.Lock()
    active, most = 0, 0

    def work() -> None:
        nonlocal active, most
        for _ in range(200):
            assert limit.acquire(PATIENCE)
            with lock:
                active += 1
                most = max(most, active)
            with lock:
                active -= 1
            limit.release()

    for future in [pool.submit(work) for _ in range(12)]:
        future.result(PATIENCE)

    assert (most <= 3, limit.free, limit.waiting) == (True, 3, 0)
