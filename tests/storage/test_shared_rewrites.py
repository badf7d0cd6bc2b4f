"""SQL databases and Valkey keep the contract of a store of rewrites."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from llm_api.services.prompts.keeping.rewrite_leases import SharedRewrites
from llm_api.storage import StoreError
from llm_api.storage.redis.shared_rewrites import RedisRewrites
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.rewrite_table import SqlRewrites
from tests.storage.changing import empty_tables
from tests.storage.contract_rewrites import FIRST, NOW, SECOND, WEEK, SharedRewritesContract
from tests.support.servers import ValkeyServer


class TestSqlRewrites(SharedRewritesContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def stores(self, shared_database: str) -> tuple[SharedRewrites, SharedRewrites]:
        """Open the store twice on a database with the schema and without rows."""
        empty_tables(shared_database)
        return SqlRewrites(make_engine(shared_database)), SqlRewrites(make_engine(shared_database))


def test_expired_rewrites_are_deleted_and_pinned_ones_stay(shared_database: str) -> None:
    empty_tables(shared_database)
    store = SqlRewrites(make_engine(shared_database))
    store.put(FIRST)
    store.put(SECOND)
    store.pin(SECOND.name)

    expired = store.get(FIRST.name, NOW + WEEK)
    deleted = store.prune(NOW + WEEK, 10), store.prune(NOW + WEEK, 10)

    assert expired is None
    assert deleted == (1, 0)
    assert store.get(FIRST.name, NOW) is None
    assert store.get(SECOND.name, NOW) is not None


def test_the_lease_of_a_dead_process_runs_out(shared_database: str) -> None:
    empty_tables(shared_database)
    store, now = SqlRewrites(make_engine(shared_database)), datetime.now(UTC)
    store.claim("r", "dead", now, now + timedelta(seconds=15))

    granted = [
        store.claim("r", "next", now + timedelta(seconds=14), now + timedelta(seconds=29)),
        store.claim("r", "next", now + timedelta(seconds=16), now + timedelta(seconds=31)),
        store.claim("r", "late", now + timedelta(seconds=16), now + timedelta(seconds=31)),
    ]

    assert granted == [False, True, False]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


class TestRedisRewrites(SharedRewritesContract):
    """Runs on Valkey."""

    @pytest.fixture
    def stores(self, valkey: ValkeyServer) -> Iterator[tuple[SharedRewrites, SharedRewrites]]:
        """Open the store twice on an empty Valkey."""
        client = redis.Redis.from_url(valkey.url)
        client.flushall()
        client.close()
        both = RedisRewrites(valkey.url), RedisRewrites(valkey.url)
        yield both
        for store in both:
            store.close()


def test_a_redis_that_is_away_is_an_error_of_the_store() -> None:
    store = RedisRewrites("redis://127.0.0.1:9")

    with pytest.raises(StoreError):
        store.latest("r", NOW)
    store.close()
