"""What is kept in Redis can be kept in a cluster, or behind sentinels, and outlives a primary."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.repeats import IdempotencyKey, RecordedAnswer
from llm_api.services.prompts import SharedRewrites
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.services.quotas.shared_windows import SharedWindows
from llm_api.storage.redis.concurrency import RedisConcurrency
from llm_api.storage.redis.connection import RedisConnection, failures, make_client
from llm_api.storage.redis.shared_answers import RedisAnswers
from llm_api.storage.redis.shared_items import RedisItems
from llm_api.storage.redis.shared_keys import RedisKeys
from llm_api.storage.redis.shared_rewrites import RedisRewrites
from tests.storage.contract_rewrites import SharedRewritesContract
from tests.storage.crowd import in_threads
from tests.support.timings import Timings
from tests.support.valkey_groups import ValkeyCluster, WatchedValkey
from tests.support.waiting import wait_until

Group = ValkeyCluster | WatchedValkey
KINDS: dict[str, type[Group]] = {"cluster": ValkeyCluster, "sentinels": WatchedValkey}
PATIENCE = 30
ANSWER = RecordedAnswer("application/json", {}, b"{}")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module", params=KINDS)
def group(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Group]:
    """Run each kind of several servers."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as servers:
        yield servers


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for answers as long as a machine full of tests takes."""
    Timings(redis_patience=10.0).use(monkeypatch)


@pytest.fixture
def client(group: Group) -> Iterator[Any]:
    """Look into the servers, which are empty."""
    with closing(make_client(group.url)) as opened:
        opened.flushall()
        yield opened


@pytest.fixture
def two_of(group: Group, client: Any) -> Iterator[Callable[[Callable[[str], Any]], list[Any]]]:  # noqa: ARG001  # it has emptied them
    """Be two processes that open something."""
    with ExitStack() as stack:
        yield lambda make: [stack.enter_context(closing(make(group.url))) for _ in range(2)]


def test_limits_are_exact(group: Group, client: Any) -> None:
    [fifty] = parse_limits("50/hour")
    granted: list[bool] = []
    with closing(make_client(group.url)) as other:
        windows = [SharedWindows(one) for one in (client, other)]

        def use(number: int) -> None:
            state = windows[number % 2].use(fifty, "key_1", 1)
            granted.append(not state.is_exceeded)

        in_threads(use, [(number,) for number in range(120)])

    assert granted.count(True) == 50


def test_a_window_that_is_over_becomes_the_one_before(client: Any) -> None:
    [limit] = parse_limits("1000/hour")
    windows = SharedWindows(client)
    for number in range(20):  # in slots of all nodes
        key = _key_of(f"key_{number}")
        windows.use(limit, f"key_{number}", 800)
        client.pexpire(key, HOUR_MS - 1_000)

        assert windows.use(limit, f"key_{number}", 500).is_exceeded
        assert client.exists(f"{key}/-1")


def test_places_are_shared(two_of: Any) -> None:
    one, other = two_of(RedisConcurrency)
    for name in map(str, range(20)):
        assert one.acquire(name, 1, "req_1")
        assert not other.acquire(name, 1, "req_2")
        one.release(name, "req_1")
        assert other.acquire(name, 1, "req_3")


def test_answers_are_shared(two_of: Any) -> None:
    one, other = two_of(RedisAnswers)
    for ticket in map(str, range(20)):
        identity = IdempotencyKey(ticket, "same", joins=True, keep_s=60, max_bytes=1_000)
        assert [one.claim(identity), other.claim(identity)] == [True, False]
        assert other.look_up(identity) == ("same", None)
        assert one.has_waiting(identity)
        one.publish(identity, ANSWER)
        assert other.look_up(identity) == ("same", ANSWER)


def test_items_are_shared_and_the_oldest_go(two_of: Any) -> None:
    one, other = two_of(lambda url: RedisItems(url, max_items=12))
    named = [{"id": f"msg_{number}"} for number in range(20)]
    one.keep("key_1", named[:10])
    one.keep("key_1", named[10:])

    found = other.find("key_1", [item["id"] for item in named])

    assert list(found) == [f"msg_{number}" for number in range(8, 20)]


def test_keys_are_shared_until_they_are_changed(two_of: Any) -> None:
    one, other = two_of(lambda url: RedisKeys(url, 3_600))
    for number in range(20):
        key = ApiKey(f"key_{number}", "shop", created_at=datetime(2026, 11, 22, tzinfo=UTC))
        one.put(f"digest-{number}", key)
        assert other.get(f"digest-{number}")[0] == key
        other.revoke(key.id)
        assert one.get(f"digest-{number}") is None


class TestRewrites(SharedRewritesContract):
    """They keep their contract."""

    @pytest.fixture
    def stores(self, two_of: Any) -> tuple[SharedRewrites, SharedRewrites]:
        """Be two processes."""
        one, other = two_of(RedisRewrites)
        return one, other


def test_nothing_is_left_open(group: Group) -> None:
    before = group.open_connections()
    client = make_client(group.url)
    client.set("a", 1)
    assert group.open_connections() > before

    client.close()

    wait_until(lambda: group.open_connections() == before, PATIENCE, "a connection stayed open")


def test_callers_of_silent_servers_all_go_on_without_them(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timings(redis_patience=1.0).use(monkeypatch)
    connection = RedisConnection(group.url, "they are away")
    told: list[str] = []

    def ask() -> None:
        told.append(connection.call(lambda: connection.client.get("a"), otherwise="nothing"))

    with closing(connection):
        connection.call(lambda: connection.client.set("a", 1), otherwise=None)
        group.freeze()
        try:
            in_threads(ask, [()] * 40)
        finally:
            group.thaw()

    assert told == ["nothing"] * 40


@pytest.mark.parametrize("kind", KINDS)
def test_counts_go_on_where_a_replica_takes_the_place_of_a_silent_primary(
    kind: str, tmp_path: Path
) -> None:
    limit, now = parse_limits("1000/hour"), [0.0]
    with KINDS[kind](tmp_path) as group, closing(make_client(group.url, timeout=1.0)) as client:
        name = next(one for one in map(str, range(99)) if group.is_of_primary(_key_of(one)))
        counter = RateCounter(SharedWindows(client), failures(), lambda: now[0])

        def left_after(cost: int) -> int:
            now[0] += 11  # for ten seconds a store that has failed is left alone
            return counter.hit(limit, name, cost=cost).remaining

        assert left_after(700) == 300
        wait_until(group.is_copied, PATIENCE, "the replica has the count")
        group.primary.freeze()

        assert left_after(1) == 999  # in memory
        wait_until(lambda: left_after(1) == 299, PATIENCE, "counts are in the replica")
        assert group.has_failed_over()


def _key_of(subject: str) -> str:
    return f"LIMITS:{{LIMITER/{subject}/1000/1/hour}}"
