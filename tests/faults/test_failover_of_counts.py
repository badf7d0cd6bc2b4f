"""A primary of a cluster, or behind sentinels, goes away during traffic: no caller notices."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.valkey_groups import ValkeyCluster, WatchedValkey
from tests.support.waiting import wait_until

KINDS: dict[str, type[ValkeyCluster | WatchedValkey]] = {
    "cluster": ValkeyCluster,
    "sentinels": WatchedValkey,
}
# A store that has failed is asked again after a second. Counts are exact while it answers in time,
# which on a machine full of tests it may not.
TIMINGS = Timings(away_counts=1.0, redis_patience=10.0)
PATIENCE = 30
BEFORE = [f"192.0.2.{number}" for number in range(12)]
MEANWHILE = [f"198.51.100.{number}" for number in range(12)]


@pytest.fixture(params=KINDS)
def group(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[ValkeyCluster | WatchedValkey]:
    """Run each kind of several servers."""
    with KINDS[request.param](tmp_path) as servers:
        yield servers


@pytest.fixture
def service(
    group: ValkeyCluster | WatchedValkey, tmp_path: Path, upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service with its counts there: each address may ask five times."""
    counts = {"RATE_LIMIT": "5/hour", "RATELIMIT_STORAGE_URI": group.url, "TRUSTED_PROXIES": "1"}
    with own_service(tmp_path, {**fast_upstream(upstream.url), **counts}, timings=TIMINGS) as one:
        yield one


def ask(service: Service, address: str) -> int:
    """Return the status of a request from an address."""
    with requests.Session() as session:
        headers = {"X-Forwarded-For": address}
        return session.get(f"{service.url}/v1/models", headers=headers, timeout=10).status_code


def ask_all(service: Service, addresses: list[str]) -> Counter[int]:
    """Count the statuses of requests at once, one from each address."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        return Counter(pool.map(lambda address: ask(service, address), addresses))


def is_counted_there(service: Service) -> bool:
    """Whether the counts of all addresses, which are in all nodes, are where they should be."""

    def turns() -> list[int]:
        return [service.log().count(f"counted in {where}") for where in ("memory", "the store")]

    before = turns()
    ask_all(service, MEANWHILE)
    return turns() == before and before[0] == before[1]


def test_counts_outlive_a_primary(group: ValkeyCluster | WatchedValkey, service: Service) -> None:
    assert ask_all(service, BEFORE * 2) == {200: 24}
    wait_until(group.is_copied, PATIENCE, "the replica has the counts")

    group.primary.stop()
    while not group.has_failed_over():
        assert ask_all(service, MEANWHILE).keys() <= {200, 429}

    wait_until(lambda: is_counted_there(service), PATIENCE, service.log)
    assert ask_all(service, BEFORE * 5) == {200: 36, 429: 24}
    assert "Traceback" not in service.log()
