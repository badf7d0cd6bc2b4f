"""Uses are counted in Valkey as the library counts them, exactly and with few commands."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from llm_api.services.quotas.rate_counter import parse_limits
from llm_api.services.quotas.shared_windows import SharedWindows
from tests.support.servers import ValkeyServer

[TEN_AN_HOUR] = parse_limits("10/hour")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator[Any]:
    """Look into Valkey, which is empty."""
    client: Any = redis.Redis.from_url(valkey.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def windows(client: Any) -> SharedWindows:
    """Count in Valkey."""
    return SharedWindows(client)


@pytest.fixture
def library(valkey: ValkeyServer) -> Iterator[SlidingWindowCounterRateLimiter]:
    """Count there as another release does."""
    storage: Any = RedisStorage(valkey.url)
    yield SlidingWindowCounterRateLimiter(storage)
    storage.storage.close()


def let_pass(client: Any, ms: int) -> None:
    """Let all counts be so much older."""
    for key in client.scan_iter():
        client.pexpire(key, client.pttl(key) - ms)  # at once where nothing is left


@pytest.mark.parametrize("seed", range(5))
def test_a_use_says_what_the_library_says_of_it(
    client: Any, windows: SharedWindows, library: SlidingWindowCounterRateLimiter, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # a test's
    for _ in range(60):
        let_pass(client, round(chance.choice([0.01, 0.1, 0.7, 2.2]) * chance.random() * HOUR_MS))
        cost = chance.choice([1, 1, 2, 5, 11])

        state = windows.use(TEN_AN_HOUR, "ours", cost)
        is_within = library.hit(TEN_AN_HOUR, "theirs", cost=cost)
        previous, _, current, _ = library.storage.get_sliding_window(  # type: ignore[union-attr]
            TEN_AN_HOUR.key_for("theirs"), HOUR_MS // 1000
        )
        remaining = library.get_window_stats(TEN_AN_HOUR, "theirs").remaining

        assert (state.text, state.limit) == ("10 per 1 hour", 10)
        assert (state.is_exceeded, state.remaining) == (not is_within, remaining)
        assert (state.reset_in > 0) is bool(previous or current)


def test_what_is_left_to_wait_is_told_as_the_library_tells_it(
    client: Any, windows: SharedWindows, library: SlidingWindowCounterRateLimiter
) -> None:
    windows.use(TEN_AN_HOUR, "key", 4)
    let_pass(client, HOUR_MS * 7 // 5)

    state = windows.use(TEN_AN_HOUR, "key", 1)

    before = library.storage.get_sliding_window(TEN_AN_HOUR.key_for("key"), HOUR_MS // 1000)  # type: ignore[union-attr]
    assert before[0] == 4
    assert state.reset_in == pytest.approx(before[1] % (HOUR_MS / 1000 / 4), abs=5)


def test_processes_of_another_release_count_along(
    windows: SharedWindows, library: SlidingWindowCounterRateLimiter
) -> None:
    windows.use(TEN_AN_HOUR, "key", 3)
    library.hit(TEN_AN_HOUR, "key", cost=4)

    assert windows.use(TEN_AN_HOUR, "key", 1).remaining == 2
    assert library.get_window_stats(TEN_AN_HOUR, "key").remaining == 2


@pytest.mark.parametrize(("cost", "left"), [(0, 6), (3, 3), (6, 0), (7, 0), (500, 0)])
def test_what_was_used_already_is_counted_up_to_the_limit(
    windows: SharedWindows, cost: int, left: int
) -> None:
    windows.use(TEN_AN_HOUR, "key", 4)

    state = windows.use(TEN_AN_HOUR, "key", cost, is_past=True)

    assert (state.remaining, state.is_exceeded) == (left, False)


def test_what_is_refused_uses_nothing_up(client: Any, windows: SharedWindows) -> None:
    windows.use(TEN_AN_HOUR, "key", 8)

    refused = [windows.use(TEN_AN_HOUR, "key", cost) for cost in (3, 11)]
    let_pass(client, HOUR_MS + HOUR_MS // 60)
    refused.append(windows.use(TEN_AN_HOUR, "key", 4))

    assert [state.is_exceeded for state in refused] == [True] * 3
    assert [state.remaining for state in refused] == [2, 2, 3]


def test_everybody_has_a_count_of_his_own(windows: SharedWindows) -> None:
    windows.use(TEN_AN_HOUR, "key", 10)

    assert windows.use(TEN_AN_HOUR, "another", 10).remaining == 0


def test_counts_go_when_no_window_covers_them(client: Any, windows: SharedWindows) -> None:
    windows.use(TEN_AN_HOUR, "key", 10)
    let_pass(client, 2 * HOUR_MS + 1)

    assert client.dbsize() == 0
    assert windows.use(TEN_AN_HOUR, "key", 1).remaining == 9


def test_of_many_at_once_no_more_than_the_limit_pass(windows: SharedWindows) -> None:
    [item] = parse_limits("100/hour")
    with ThreadPoolExecutor(8) as callers:
        states = list(callers.map(lambda _: windows.use(item, "key", 1), range(300)))

    assert sum(not state.is_exceeded for state in states) == item.amount


def test_a_use_takes_six_commands_at_most(client: Any, windows: SharedWindows) -> None:
    for hour in range(3):
        let_pass(client, hour * HOUR_MS // 2)
        windows.use(TEN_AN_HOUR, "key", 1)
        before = client.info()["total_commands_processed"]
        windows.use(TEN_AN_HOUR, "key", 1)
        after = client.info()["total_commands_processed"]

        assert after - before - 1 <= 6
