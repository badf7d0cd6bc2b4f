"""A real Valkey for what is kept in it."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.support.servers import ValkeyServer


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[Any]:
    """Look into Valkey, which is empty."""
    client: Any = redis.Redis.from_url(valkey.url)
    client.flushall()
    yield client
    client.close()
