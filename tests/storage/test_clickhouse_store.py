"""ClickHouse keeps the contract of a usage store."""

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests

from llm_api.storage import StoreError, UsageStore
from llm_api.storage.factory import open_store
from tests.storage.asking import calls_by, kept_count, sums_of, total_of
from tests.storage.checkout import fast_upstream, own_service
from tests.storage.contract import StoreOpener, UsageStoreContract
from tests.storage.records import ended
from tests.support.clickhouse import ClickHouseServer
from tests.support.clickhouse_engine import missing_engine
from tests.support.ports import LOOPBACK, closed_port
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

PATIENCE = 30
pytestmark = pytest.mark.skipif(bool(missing_engine()), reason=missing_engine())


def open_clickhouse(url: str) -> UsageStore:
    """Open the store; for other processes, to which a closure cannot be sent."""
    from llm_api.storage.clickhouse.calls import ClickHouseUsage, connect  # noqa: PLC0415

    return ClickHouseUsage(partial(connect, url))


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """Run ClickHouse."""
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


class TestClickHouseUsage(UsageStoreContract):
    """Runs on the engine of ClickHouse 26."""

    @pytest.fixture
    def opener(self, clickhouse: ClickHouseServer) -> StoreOpener:
        """Open it on a database without tables."""
        return partial(open_clickhouse, clickhouse.new_database())

    @pytest.fixture
    def unready_opener(self, clickhouse: ClickHouseServer) -> StoreOpener:
        """Open it on a database that is not there."""
        return partial(open_clickhouse, clickhouse.url_of("missing"))

    @pytest.fixture
    def unreachable_opener(self) -> Iterator[StoreOpener]:
        """Open it where nothing listens."""
        with closed_port() as port:
            yield partial(open_clickhouse, f"clickhouse://me:hunter2@{LOOPBACK}:{port}/x")


@pytest.fixture
def url(clickhouse: ClickHouseServer) -> str:
    """Create a database without tables."""
    return clickhouse.new_database()


@pytest.fixture
def store(url: str) -> Iterator[UsageStore]:
    """Open the store on it."""
    with closing(open_clickhouse(url)) as opened:
        yield opened


def test_sums_are_exact_while_copies_are_not_merged(
    clickhouse: ClickHouseServer, url: str, store: UsageStore
) -> None:
    store.check()
    for table in ("usage_counts", "usage_calls"):
        never = "max_bytes_to_merge_at_max_space_in_pool = 1"
        clickhouse.run(url, f"ALTER TABLE {table} MODIFY SETTING {never}")
    for _ in range(5):
        store.add([ended(f"req_{number}", cost_micro=7, currency="CNY") for number in range(3)])

    total = total_of(store)

    assert clickhouse.run(url, "SELECT count() FROM usage_counts") == "15"
    assert (total.calls, total.cost_micro) == (3, {"CNY": 21})
    assert len(store.find("req_1", None, 9)) == 1
    assert kept_count(store) == 3


def test_of_copies_the_first_is_kept_before_and_after_they_are_merged(
    clickhouse: ClickHouseServer, url: str, store: UsageStore
) -> None:
    store.add([ended("req_1")])
    store.add([ended("req_1", status="killed")])
    before = calls_by(store, "status")
    for table in ("usage_counts", "usage_calls"):
        clickhouse.run(url, f"OPTIMIZE TABLE {table} FINAL")

    assert before == calls_by(store, "status") == {"ok": 1}
    assert store.find("req_1", None, 9) == [ended("req_1")]


def test_a_batch_of_which_only_the_counts_were_stored_is_counted_once(
    clickhouse: ClickHouseServer, url: str, store: UsageStore
) -> None:
    store.check()
    clickhouse.run(url, "RENAME TABLE usage_calls TO hidden")
    with pytest.raises(StoreError):
        store.add([ended("req_1")])
    clickhouse.run(url, "RENAME TABLE hidden TO usage_calls")

    store.add([ended("req_1")])

    assert total_of(store).calls == 1
    assert store.find("req_1", None, 9) == [ended("req_1")]


def test_a_pruned_call_that_comes_again_is_not_counted_again(store: UsageStore) -> None:
    store.add([ended("req_1")])
    assert kept_count(store) == 1

    store.add([ended("req_1")])

    assert total_of(store).calls == 1


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    with (
        ClickHouseServer(tmp_path) as server,
        closing(open_clickhouse(server.new_database())) as it,
    ):
        it.add([ended("req_1")])
        server.stop()
        with pytest.raises(StoreError, match="does not answer"):
            it.add([ended("req_2")])
        server.start()

        assert total_of(it).calls == 1


def test_a_refusal_has_the_code_of_the_server_and_nothing_else_of_it(
    clickhouse: ClickHouseServer,
) -> None:
    missing = open_clickhouse(clickhouse.url_of("canary"))
    with closing(missing), pytest.raises(StoreError) as caught:
        missing.check()

    assert str(caught.value) == "ClickHouse refused a statement (81 of its error codes)."


def test_a_service_keeps_its_rows_there_and_in_its_spool_while_it_is_away(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with ClickHouseServer(tmp_path) as server:
        url = server.new_database()
        env = {**fast_upstream(upstream.url), "USAGE_STORE": url}
        with own_service(tmp_path, env) as service, closing(open_clickhouse(url)) as store:
            assert _ask(service) == 200
            wait_until(lambda: _calls_in(store) == 1, PATIENCE, service.log)
            server.stop()
            assert [_ask(service) for _ in range(3)] == [200] * 3
            server.start()

            wait_until(lambda: _calls_in(store) == 4, PATIENCE, service.log)
            report = requests.get(f"{service.url}/api/v1/usage", timeout=10).json()

    assert [group["calls"] for group in report["groups"]] == [4]


def test_where_its_packages_are_missing_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llm_api.storage.clickhouse.calls", raising=False)
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)

    with pytest.raises(StoreError, match="`make clickhouse` installs them"):
        open_store("sqlite://", "clickhouse://h", Path("unused"))


def _ask(service: Service) -> int:
    body = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
    return requests.post(f"{service.url}/api/v1/llm/chat", json=body, timeout=20).status_code


def _calls_in(store: UsageStore) -> int:
    begin = datetime.now(UTC) - timedelta(days=1)
    return sum(sums.calls for sums in sums_of(store, since=begin, until=begin + timedelta(days=2)))
