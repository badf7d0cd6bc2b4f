"""What is left of limits is read where calls are counted, and reading counts nothing."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from llm_api.domain.access import ApiKey, KeyGroup, Limits
from llm_api.services.quotas.limit_states import LimitReader
from llm_api.services.quotas.rate_counter import MonotonicMemoryStorage, RateCounter, parse_limits
from llm_api.services.quotas.shared_windows import SharedWindows
from llm_api.storage.redis.concurrency import (
    ConcurrencyCounter,
    MemoryConcurrency,
    RedisConcurrency,
)
from tests.support.servers import ValkeyServer

LIMITS = Limits("5/minute;100/day", 1_000, 3, 2, 8)
GROUP = KeyGroup("group_1", "team", limits=Limits("9/hour"))
KEY = ApiKey("key_1", "shop", limits=LIMITS, group=GROUP)
Counters = tuple[RateCounter, ConcurrencyCounter, bool]


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    """Count in memory, and in Valkey."""
    if request.param == "memory":
        yield RateCounter(MonotonicMemoryStorage(), ()), MemoryConcurrency(), False
        return
    with ValkeyServer(request.getfixturevalue("tmp_path")) as server:
        client: Any = redis.Redis.from_url(server.url)
        with closing(client), closing(RedisConcurrency(server.url)) as slots:
            yield RateCounter(SharedWindows(client), redis.RedisError), slots, True


def left_of(reader: LimitReader, key: ApiKey = KEY) -> dict[str, int]:
    """Return what is left, by the limit."""
    return {f"{one.holder} {one.name} {one.text}": one.left for one in reader.of_key(key)}


def test_what_is_left_is_what_calls_have_left(counters: Counters) -> None:
    rates, slots, is_shared = counters
    reader = LimitReader(rates, slots, Limits())
    rates.hit(parse_limits("5/minute;100/day"), KEY.id)
    rates.hit(parse_limits("1000/minute"), f"{KEY.id}:tokens", cost=400)
    rates.hit(parse_limits("9/hour"), GROUP.id, cost=9)
    assert slots.acquire(f"{KEY.id}:requests", 3, "req_1")

    for _ in "123":  # reading takes nothing
        assert left_of(reader) == {
            "key requests 5/minute": 4,
            "key requests 100/day": 99,
            "key tokens_per_minute 1000/minute": 600,
            "key images_per_minute 8/minute": 8,
            "key concurrent_requests ": 2,
            "key concurrent_streams ": 2,
            "group requests 9/hour": 0,
        }
    assert {one.is_shared for one in reader.of_key(KEY)} == {is_shared}
    slots.release(f"{KEY.id}:requests", "req_1")
    assert left_of(reader)["key concurrent_requests "] == 3
    assert rates.hit(parse_limits("5/minute;100/day"), KEY.id).remaining == 3


def test_a_key_without_limits_is_held_by_those_of_the_settings() -> None:
    rates = RateCounter(MonotonicMemoryStorage(), ())
    reader = LimitReader(rates, MemoryConcurrency(), Limits("7/2 minute"))

    assert left_of(reader, ApiKey("key_2", "plain")) == {"key requests 7/2 minute": 7}


def test_while_the_store_is_away_it_is_said_whose_counts_they_are() -> None:
    class Away(MonotonicMemoryStorage):
        def use(self, *_: Any, **__: Any) -> Any:
            raise ConnectionError

    reader = LimitReader(RateCounter(Away(), ConnectionError), MemoryConcurrency(), LIMITS)

    assert {one.is_shared for one in reader.of_key(ApiKey("key_3", "lone"))} == {False}
