"""ClickHouse keeps the contract of a usage store."""

from collections.abc import Iterator
from functools import partial

import pytest

from llm_api.storage import UsageStore
from tests.storage.contract import StoreOpener, UsageStoreContract
from tests.support.clickhouse import ClickHouseServer
from tests.support.clickhouse_engine import missing_engine
from tests.support.ports import LOOPBACK, closed_port

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
