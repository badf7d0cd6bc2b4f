"""Places are counted exactly, by threads and by processes, and none is lost with its process."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_api.storage.redis.concurrency import (
    ConcurrencyCounter,
    MemoryConcurrency,
    RedisConcurrency,
)
from tests.storage.crowd import in_processes, in_threads
from tests.support.servers import ValkeyServer
from tests.support.timings import Timings
from tests.support.waiting import wait_until

PATIENCE = 20
LEASE = 0.5
AWAY_S = 10.0  # for so long a Redis that has failed is left alone
NAME = "key_1:streams"
IN_REDIS = f"llm_api:slots:{NAME}"
WARNING = "concurrency is counted in memory for a while"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Make the clock of the process below."""
    return Clock()


@pytest.fixture
def process(valkey: ValkeyServer, store: Any, clock: Clock) -> Iterator[RedisConcurrency]:  # noqa: ARG001  # it is emptied
    """Be a process whose places are in Redis."""
    with closing(RedisConcurrency(valkey.url, clock, lease=LEASE)) as slots:
        yield slots


@pytest.fixture
def other(valkey: ValkeyServer, store: Any) -> Iterator[RedisConcurrency]:  # noqa: ARG001  # it is emptied
    """Be another process."""
    with closing(RedisConcurrency(valkey.url)) as slots:
        yield slots


@pytest.fixture(params=["memory", "redis"])
def slots(request: pytest.FixtureRequest) -> Iterator[ConcurrencyCounter]:
    """Count in memory, and in Redis."""
    if request.param == "redis":
        yield request.getfixturevalue("process")
        return
    with closing(MemoryConcurrency()) as counted:
        yield counted


def taken(slots: ConcurrencyCounter, limit: int, *owners: str, name: str = NAME) -> list[bool]:
    """Try to take a place for each owner."""
    return [slots.acquire(name, limit, owner) for owner in owners]


def take_and_die(url: str, position: int) -> None:
    """Try to take 10 of 12 places, in a process that gives none back."""
    Timings(redis_patience=10.0).use(pytest.MonkeyPatch())  # on a machine full of tests
    slots = RedisConcurrency(url)
    taken(slots, 12, *[f"req_{position}_{number}" for number in range(10)])


def take_for_a_moment(url: str, owner: str) -> None:
    """Take a place whose lease is short, in a process that ends."""
    assert RedisConcurrency(url, lease=LEASE).acquire(NAME, 1, owner)


# --- wherever they are counted ---


def test_there_are_so_many_places_and_no_more(slots: ConcurrencyCounter) -> None:
    assert taken(slots, 2, "a", "b", "c", "d") == [True, True, False, False]


def test_a_place_that_is_given_back_is_free(slots: ConcurrencyCounter) -> None:
    taken(slots, 2, "a", "b")

    slots.release(NAME, "a")

    assert taken(slots, 2, "c", "d") == [True, False]


def test_each_name_has_places_of_its_own(slots: ConcurrencyCounter) -> None:
    taken(slots, 1, "a")

    assert taken(slots, 1, "a", name="key_2:streams") == [True]
    assert taken(slots, 1, "b") == [False]


def test_a_limit_that_was_lowered_counts_at_once(slots: ConcurrencyCounter) -> None:
    taken(slots, 3, "a", "b", "c")
    slots.release(NAME, "a")

    assert taken(slots, 2, "d") == [False]
    assert taken(slots, 3, "d") == [True]


def test_of_40_at_once_5_get_a_place(slots: ConcurrencyCounter) -> None:
    got: list[bool] = []

    in_threads(
        lambda owner: got.append(slots.acquire(NAME, 5, owner)), [(f"{n}",) for n in range(40)]
    )

    assert sorted(got) == [False] * 35 + [True] * 5


def test_what_many_take_and_give_back_is_free_in_the_end(slots: ConcurrencyCounter) -> None:
    def work(position: int) -> None:
        for number in range(30):
            owner = f"{position}_{number}"
            if slots.acquire(NAME, 4, owner):
                slots.release(NAME, owner)

    in_threads(work, [(position,) for position in range(8)])

    assert taken(slots, 4, "a", "b", "c", "d", "e") == [True] * 4 + [False]


# --- in Redis ---


def test_processes_share_their_places(process: RedisConcurrency, other: RedisConcurrency) -> None:
    assert taken(process, 2, "a") + taken(other, 2, "b", "c") == [True, True, False]

    process.release(NAME, "a")

    assert taken(other, 2, "c") == [True]


def test_of_four_processes_at_once_twelve_calls_get_a_place(
    valkey: ValkeyServer, store: Any
) -> None:
    in_processes(take_and_die, [(valkey.url, position) for position in range(4)])

    assert store.zcard(IN_REDIS) == 12


def test_the_place_of_a_process_that_died_falls_free(
    valkey: ValkeyServer, process: RedisConcurrency
) -> None:
    in_processes(take_for_a_moment, [(valkey.url, "dead")])

    wait_until(lambda: process.acquire(NAME, 1, "alive"), PATIENCE, "the lease ends")


def test_the_place_of_a_process_that_lives_is_its_own(
    process: RedisConcurrency, other: RedisConcurrency, store: Any
) -> None:
    process.acquire(NAME, 1, "alive")
    ends_at = store.zscore(IN_REDIS, "alive")

    later = ends_at + 2 * LEASE * 1000
    wait_until(lambda: store.zscore(IN_REDIS, "alive") > later, PATIENCE, "it is renewed")

    assert taken(other, 1, "b") == [False]


def test_a_place_that_was_given_back_is_not_renewed(process: RedisConcurrency, store: Any) -> None:
    taken(process, 2, "a", "b")
    process.release(NAME, "a")
    ends_at = store.zscore(IN_REDIS, "b")

    wait_until(lambda: store.zscore(IN_REDIS, "b") > ends_at, PATIENCE, "the other is renewed")

    assert store.zrange(IN_REDIS, 0, -1) == [b"b"]


def test_nothing_stays_in_redis(process: RedisConcurrency, store: Any) -> None:
    taken(process, 2, "a", "b", "c")

    for owner in ("a", "b"):
        process.release(NAME, owner)

    assert store.keys() == []


def test_a_process_that_ends_renews_no_more(valkey: ValkeyServer, store: Any) -> None:
    threads = set(threading.enumerate())
    with closing(RedisConcurrency(valkey.url, lease=LEASE)) as slots:
        slots.acquire(NAME, 1, "a")

    wait_until(lambda: set(threading.enumerate()) <= threads, PATIENCE, "its thread ends")
    wait_until(lambda: not store.exists(IN_REDIS), PATIENCE, "its lease ends")


# --- while Redis is away ---


@contextmanager
def refused(valkey: ValkeyServer, _store: Any) -> Iterator[None]:
    """Let there be no server; it has forgotten everything afterwards."""
    valkey.stop()
    yield
    valkey.start()


@contextmanager
def silent(valkey: ValkeyServer, _store: Any) -> Iterator[None]:
    """Accept and say nothing."""
    valkey.freeze()
    yield
    valkey.thaw()


@contextmanager
def read_only(_valkey: ValkeyServer, store: Any) -> Iterator[None]:
    """Be a replica."""
    store.replicaof("127.0.0.1", "1")
    yield
    store.replicaof("NO", "ONE")


@contextmanager
def locked(_valkey: ValkeyServer, store: Any) -> Iterator[None]:
    """Want a password that we do not have."""
    store.config_set("requirepass", "hunter2")
    yield
    store.config_set("requirepass", "")


FAULTS: dict[str, Callable[[ValkeyServer, Any], Any]] = {
    "refused": refused,
    "silent": silent,
    "read-only": read_only,
    "locked": locked,
}
in_each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@in_each_fault
def test_while_redis_is_away_places_are_counted_in_memory(
    fault: Any, valkey: ValkeyServer, store: Any, process: RedisConcurrency
) -> None:
    with fault(valkey, store):
        assert taken(process, 2, "a", "b", "c") == [True, True, False]

        process.release(NAME, "a")

        assert taken(process, 2, "c", "d") == [True, False]


@in_each_fault
def test_that_redis_is_away_is_told_once(
    fault: Any,
    valkey: ValkeyServer,
    store: Any,
    process: RedisConcurrency,
    clock: Clock,
    caplog: Any,
) -> None:
    with fault(valkey, store):
        taken(process, 9, *"abcd")
        clock.now += AWAY_S
        taken(process, 9, *"efgh")

    assert [record.message for record in caplog.records] == [WARNING]


@in_each_fault
def test_when_redis_is_back_places_are_counted_there(
    fault: Any, valkey: ValkeyServer, store: Any, process: RedisConcurrency, clock: Clock
) -> None:
    with fault(valkey, store):
        taken(process, 2, "a")
    clock.now += AWAY_S

    assert taken(process, 1, "b", "c") == [True, False]
    process.release(NAME, "a")
    process.release(NAME, "b")

    assert store.keys() == []
    assert taken(process, 1, "d") == [True]


def test_a_place_given_back_while_redis_was_away_is_free_when_it_is_there_again(
    valkey: ValkeyServer, other: RedisConcurrency, clock: Clock
) -> None:
    with closing(RedisConcurrency(valkey.url, clock, lease=600)) as patient:
        patient.acquire(NAME, 1, "a")
        with silent(valkey, None):
            patient.release(NAME, "a")
        clock.now += AWAY_S

        assert taken(patient, 1, "b") == [True]
        patient.release(NAME, "b")

        assert taken(other, 1, "c") == [True]


def test_a_process_that_asks_for_nothing_more_gives_back_what_it_owes(
    valkey: ValkeyServer, process: RedisConcurrency, other: RedisConcurrency, clock: Clock
) -> None:
    taken(process, 2, "a", "b")
    with silent(valkey, None):
        process.release(NAME, "a")
    clock.now += AWAY_S

    wait_until(lambda: other.acquire(NAME, 2, "c"), PATIENCE, "the place is free")

    assert taken(other, 2, "d") == [False]


def test_a_place_whose_taking_was_never_answered_is_given_back(
    valkey: ValkeyServer, store: Any, clock: Clock
) -> None:
    with closing(RedisConcurrency(valkey.url, clock, lease=600)) as patient:
        taken(patient, 1, "before", name="key_2")  # its connection is open
        with silent(valkey, None):
            assert patient.acquire(NAME, 1, "a")
        wait_until(lambda: store.zcard(IN_REDIS), PATIENCE, "the question has been heard")
        clock.now += AWAY_S

        assert taken(patient, 1, "b") == [True]
        assert store.zrange(IN_REDIS, 0, -1) == [b"b"]


def test_places_are_counted_by_a_redis_that_is_full(
    process: RedisConcurrency, other: RedisConcurrency, store: Any, caplog: Any
) -> None:
    store.config_set("maxmemory", "1")
    try:
        got = taken(process, 2, "a") + taken(other, 2, "b", "c")
    finally:
        store.config_set("maxmemory", "0")

    assert got == [True, True, False]
    assert caplog.records == []


class Loading(socketserver.StreamRequestHandler):
    """Says to every command that it is loading what is on its disk."""

    def handle(self) -> None:
        """Answer."""
        for line in self.rfile:
            if line.startswith(b"*"):  # a command; the lines that follow are its parts
                self.wfile.write(b"-LOADING Valkey is loading the dataset in memory\r\n")


def test_places_are_counted_in_memory_while_redis_is_loading(caplog: Any) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Loading) as server:
        threading.Thread(target=server.serve_forever).start()
        with closing(RedisConcurrency(f"redis://127.0.0.1:{server.server_address[1]}")) as slots:
            got = taken(slots, 2, "a", "b", "c")
        server.shutdown()

    assert got == [True, True, False]
    assert [record.message for record in caplog.records] == [WARNING]


def test_places_are_counted_in_memory_where_there_never_was_a_redis(tmp_path: Path) -> None:
    with closing(RedisConcurrency(ValkeyServer(tmp_path).url)) as slots:
        assert taken(slots, 1, "a", "b") == [True, False]
