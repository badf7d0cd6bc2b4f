"""A store that is slow stops no call, and a row that it refuses no other row."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.ledger.conftest import Prepare
from tests.storage.records import ended, stored_rows
from tests.support.service import Service
from tests.support.waiting import wait_until

_SLOW_STORE = '''
"""A usage store that reads as a large SQLite file does: long, and without letting others run."""
from pathlib import Path

from gevent import monkey

sleep = monkey.get_original("time", "sleep")


class Store:
    def add(self, records):
        pass

    def prune(self, before, at_most):
        return 0

    def check(self):
        pass

    def close(self):
        pass

    def report(self, query):
        Path("reading").touch()
        sleep(4)
        return []


def make(folder):
    return Store()
'''


def get(service: Service, path: str) -> int:
    """Get a page and return the status."""
    connection = http.client.HTTPConnection(*service.address, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_report_that_takes_long_stops_no_other_request(prepare: Prepare, tmp_path: Path) -> None:
    env = {"USAGE_STORE": "slow_store:make", "WEB_CONCURRENCY": "1"}
    service = prepare(env, starts=False)
    (tmp_path / "project" / "slow_store.py").write_text(_SLOW_STORE)
    with service, ThreadPoolExecutor() as pool:
        report = pool.submit(get, service, "/api/v1/usage")
        wait_until((tmp_path / "project" / "reading").exists, 20, service.log)

        assert get(service, "/healthz") == 200

        assert not report.done()
        assert report.result() == 200


def test_a_row_that_the_database_cannot_take_holds_up_no_other(
    store: SqlUsageStore, database: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", store, StoreThreads(1))
    spool.begin(ended("before"))
    spool.end(ended("before"))
    # An upstream that tells of 2^31 images, each for 5,000 VND.
    spool.end(ended("too much", cost_micro=2**31 * 5_000 * 10**6, currency="VND"))
    spool.end(ended("after"))

    def kept() -> set[str]:
        return {row["request_id"] for row in stored_rows(database)}

    try:
        wait_until(lambda: {"before", "after"} <= kept(), 10, lambda: f"only {kept()} are kept")
    finally:
        spool._file = None  # what it cannot empty would be tried again at the end
        spool.close()
