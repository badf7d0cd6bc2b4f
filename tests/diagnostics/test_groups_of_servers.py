"""The doctor's looks at a cluster and at sentinels, and at what was taken for one of them."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from llm_api.storage.redis.connection import make_client
from tests.diagnostics.checking import said_of_limiter
from tests.support.ports import LOOPBACK, closed_port
from tests.support.valkey_groups import SERVICE, ValkeyCluster, WatchedValkey


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Run a cluster."""
    with ValkeyCluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedValkey]:
    """Run a primary, its replica, and sentinels."""
    with WatchedValkey(tmp_path_factory.mktemp("watched")) as servers:
        yield servers


def test_good_groups_are_ok_and_stay_empty(cluster: ValkeyCluster, watched: WatchedValkey) -> None:
    assert [said_of_limiter(group.url) for group in (cluster, watched)] == ["ok", "ok"]

    for group in (cluster, watched):
        with closing(make_client(group.url)) as client:
            assert client.dbsize() == 0


def test_a_server_is_told_from_a_cluster_and_from_a_sentinel(
    cluster: ValkeyCluster, watched: WatchedValkey
) -> None:
    alone = f"{LOOPBACK}:{watched.primary.port}"

    assert "as redis://host:6379/0" in said_of_limiter(f"redis+cluster://{alone}")
    assert "as redis+cluster://" in said_of_limiter(cluster.primary.url)
    assert "Name the sentinels" in said_of_limiter(f"redis+sentinel://{alone}/{SERVICE}")
    assert "as redis+sentinel://" in said_of_limiter(watched.sentinels[0].url)


def test_a_name_that_the_sentinels_do_not_know_is_told(watched: WatchedValkey) -> None:
    said = said_of_limiter(watched.url.replace(SERVICE, "others"))

    assert "Correct the name behind the hosts" in said


@pytest.mark.parametrize("form", ["redis+cluster://:canary@{}", "redis+sentinel://:canary@{}/s"])
def test_hosts_where_nothing_listens_are_told(form: str) -> None:
    with closed_port() as one, closed_port() as other:
        said = said_of_limiter(form.format(f"{LOOPBACK}:{one},{LOOPBACK}:{other}"))

    assert "Start Redis or Valkey" in said
    assert "canary" not in said


def test_passwords_that_are_not_wanted_or_missing_are_told(watched: WatchedValkey) -> None:
    with_password = watched.url.replace("://", "://:canary@")
    assert "Correct user and password" in said_of_limiter(with_password)

    with redis.Redis.from_url(watched.primary.url) as client:
        client.config_set("requirepass", "canary")
        try:
            assert "requires a password" in said_of_limiter(watched.url)
            assert said_of_limiter(f"{with_password}?sentinel_password=") == "ok"
        finally:
            client.config_set("requirepass", "")


def test_groups_without_tls_are_told(cluster: ValkeyCluster, watched: WatchedValkey) -> None:
    for group in (cluster, watched):
        assert "rediss://" in said_of_limiter(group.url.replace("redis+", "rediss+"))


def test_a_cluster_without_slots_is_told(cluster: ValkeyCluster) -> None:
    with redis.Redis.from_url(cluster.nodes[2].url) as client:
        client.execute_command("CLUSTER", "FLUSHSLOTS")

    assert "start the primaries that are missing" in said_of_limiter(cluster.url)


def test_a_silent_group_is_told(cluster: ValkeyCluster) -> None:
    cluster.freeze()
    try:
        assert "did not answer within" in said_of_limiter(cluster.url)
    finally:
        cluster.thaw()
