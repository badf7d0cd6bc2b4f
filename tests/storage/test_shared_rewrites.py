"""SQL databases and Valkey keep the contract of a store of rewrites."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import redis

from llm_api.services.prompts import SharedRewrites
from llm_api.storage import StoreError
from llm_api.storage.redis.shared_rewrites import RedisRewrites
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.rewrite_table import SqlRewrites
from tests.storage.changing import empty_tables
from tests.storage.contract_rewrites import FIRST, NOW, SECOND, WEEK, SharedRewritesContract
from tests.support.servers import ValkeyServer


@contextmanager
def opened(url: str) -> Iterator[SqlRewrites]:
    """Open the store on a database with the schema and without rows."""
    empty_tables(url)
    engine = make_engine(url)
    yield SqlRewrites(engine)
    engine.dispose()


@pytest.fixture
def table(shared_database: str) -> Iterator[SqlRewrites]:
    """Open the store on each of the databases."""
    with opened(shared_database) as store:
        yield store


class TestSqlRewrites(SharedRewritesContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def stores(self, shared_database: str) -> Iterator[tuple[SharedRewrites, SharedRewrites]]:
        """Open the store twice on a database with the schema and without rows."""
        with opened(shared_database) as ours, opened(shared_database) as theirs:
            yield ours, theirs


def test_expired_rewrites_are_deleted_and_pinned_ones_stay(table: SqlRewrites) -> None:
    table.put(FIRST)
    table.put(SECOND)
    table.pin(SECOND.name)

    expired = table.get(FIRST.name, NOW + WEEK)
    deleted = table.prune(NOW + WEEK, 10), table.prune(NOW + WEEK, 10)

    assert expired is None
    assert deleted == (1, 0)
    assert table.get(FIRST.name, NOW) is None
    assert table.get(SECOND.name, NOW) is not None


def test_the_lease_of_a_dead_process_runs_out(table: SqlRewrites) -> None:
    now = datetime.now(UTC)
    table.claim("r", "dead", now, now + timedelta(seconds=15))

    granted = [
        table.claim("r", "next", now + timedelta(seconds=14), now + timedelta(seconds=29)),
        table.claim("r", "next", now + timedelta(seconds=16), now + timedelta(seconds=31)),
        table.claim("r", "late", now + timedelta(seconds=16), now + timedelta(seconds=31)),
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
