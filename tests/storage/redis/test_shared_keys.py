"""A key that one process has found is known to the others while the database is away."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llm_api.domain.access import ApiKey, Budget, KeyGroup, Limits
from llm_api.domain.key_format import new_secret
from llm_api.errors import Unavailable
from llm_api.services.keys.authenticator import FRESH_S, STALE_S, KeyAuthenticator, digest_of
from llm_api.storage.redis.shared_keys import RedisKeys
from llm_api.storage.threads import StoreThreads
from tests.services.keys.kept_keys import Clock, KeptKeys
from tests.support.ports import closed_port
from tests.support.servers import ValkeyServer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = new_secret()
DIGEST = digest_of(SECRET)
FULL = ApiKey(
    "key_0123456789abcdef",
    "shop",
    created_at=NOW - timedelta(days=3),
    expires_at=NOW + timedelta(days=3),
    models=("m", "gpt-*"),
    routes=("/v1/*",),
    limits=Limits("60/minute", 1_000, 5, 2),
    budgets=(Budget("day", "CNY", 5_000_000), Budget("month", "tokens", 7)),
    tags=("team=video",),
    group=KeyGroup(
        *("group_1", "video", datetime(2026, 11, 22, tzinfo=UTC)),
        Limits("5/minute"),
        (Budget("week", "CNY", 5),),
    ),
)
PLAIN = ApiKey("key_1", "plain")
HERE = "192.0.2.1"
GARBAGE = [
    b"",
    b"no JSON",
    b"\xff",
    b"null",
    b"5",
    b"[]",
    b"{}",
    b'{"id": "key_1"}',
    *(
        json.dumps(
            dict.fromkeys(["created_at", "expires_at", "models", "routes"])
            | {"id": "key_1", "name": "n", "limits": {}, "budgets": [], "tags": []}
            | wrong
        ).encode()
        for wrong in (
            {"id": 7},
            {"is_admin": True},
            {"disabled_at": "2026-01-01T00:00:00+00:00"},
            {"models": [7]},
            {"models": 7},
            {"limits": []},
            {"budgets": [{"unit": "CNY"}]},
            {"expires_at": "soon"},
            {"expires_at": "2030-01-01T00:00:00"},
            {"expires_at": 5},
            {"group": 5},
            {"group": {"id": "group_1"}},
        )
    ),
]


@pytest.fixture
def shared(valkey: ValkeyServer, store: Any) -> Iterator[RedisKeys]:
    """Share keys through an empty Valkey."""
    assert store.dbsize() == 0
    keys = RedisKeys(valkey.url, STALE_S)
    yield keys
    keys.close()


@pytest.fixture
def kept() -> KeptKeys:
    """Keep two keys in the database."""
    database = KeptKeys()
    database.add(FULL, DIGEST)
    return database


@pytest.fixture
def worker(kept: KeptKeys, shared: RedisKeys) -> Callable[[], KeyAuthenticator]:
    """Start workers, each with a memory of its own."""
    return lambda: KeyAuthenticator(
        kept, StoreThreads(1), {}, clock=Clock(), now=lambda: NOW, shared=shared
    )


@pytest.mark.parametrize("key", [FULL, PLAIN], ids=["full", "plain"])
def test_a_key_is_shared_as_it_is_for_an_hour(shared: RedisKeys, store: Any, key: ApiKey) -> None:
    shared.put(DIGEST, key)

    found = shared.get(DIGEST)
    assert found is not None
    assert found[0] == key
    assert 0 <= found[1] < 60
    assert 3_500_000 < store.pttl(f"llm_api:key:{DIGEST}") <= 3_600_000


def test_the_secret_is_nowhere(shared: RedisKeys, store: Any) -> None:
    shared.put(DIGEST, FULL)

    everything = b"".join(name + store.get(name) for name in store.scan_iter())
    assert SECRET.encode() not in everything
    assert DIGEST.encode() in everything


def test_an_admin_s_key_is_not_shared(shared: RedisKeys, store: Any) -> None:
    shared.put(DIGEST, ApiKey("key_1", "boss", is_admin=True))

    assert store.dbsize() == 0


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
def test_what_is_none_of_ours_is_no_key(shared: RedisKeys, store: Any, raw: bytes) -> None:
    store.set(f"llm_api:key:{DIGEST}", raw, px=60_000)

    assert shared.get(DIGEST) is None


def test_a_key_without_an_end_is_not_believed(shared: RedisKeys, store: Any) -> None:
    shared.put(DIGEST, PLAIN)
    store.persist(f"llm_api:key:{DIGEST}")

    assert shared.get(DIGEST) is None


def test_while_redis_is_away_nothing_is_known_and_nothing_raised() -> None:
    with closed_port() as port:
        keys = RedisKeys(f"redis://127.0.0.1:{port}", STALE_S)
        keys.put(DIGEST, FULL)
        keys.revoke(FULL.id)
        keys.remove(DIGEST)
        assert keys.get(DIGEST) is None
        keys.close()


# --- two workers ---


def test_a_key_in_use_opens_in_every_worker_while_the_database_is_away(
    worker: Callable[[], KeyAuthenticator], kept: KeptKeys
) -> None:
    assert worker().authenticate(SECRET, HERE) == FULL
    kept.is_away = True

    other = worker()
    assert [other.authenticate(SECRET, HERE) for _ in range(3)] == [FULL] * 3
    with pytest.raises(Unavailable):
        other.authenticate(new_secret(), HERE)


def test_without_redis_it_does_not(kept: KeptKeys) -> None:
    alone = KeyAuthenticator(kept, StoreThreads(1), {}, now=lambda: NOW)
    kept.is_away = True

    with pytest.raises(Unavailable):
        alone.authenticate(SECRET, HERE)


def test_an_hour_after_the_last_look_it_opens_nowhere(
    kept: KeptKeys, shared: RedisKeys, worker: Callable[[], KeyAuthenticator], store: Any
) -> None:
    worker().authenticate(SECRET, HERE)
    kept.is_away = True
    store.pexpire(f"llm_api:key:{DIGEST}", 60_000)  # 59 minutes are over
    clock = Clock()
    other = KeyAuthenticator(kept, StoreThreads(1), {}, clock=clock, now=lambda: NOW, shared=shared)
    assert other.authenticate(SECRET, HERE) == FULL

    store.flushall()
    clock.seconds += 50
    assert other.authenticate(SECRET, HERE) == FULL
    clock.seconds += 20
    with pytest.raises(Unavailable):
        other.authenticate(SECRET, HERE)


@pytest.mark.parametrize("looks_meanwhile", [False, True])
def test_a_key_that_was_changed_opens_in_no_other_worker(
    worker: Callable[[], KeyAuthenticator],
    kept: KeptKeys,
    shared: RedisKeys,
    *,
    looks_meanwhile: bool,
) -> None:
    one, other = worker(), worker()
    one.authenticate(SECRET, HERE)

    one.forget(FULL.id)
    if looks_meanwhile:  # a look-up that began before the change ends behind it
        shared.put(DIGEST, FULL)
    kept.is_away = True

    with pytest.raises(Unavailable):
        other.authenticate(SECRET, HERE)


def test_a_key_that_the_database_no_longer_has_is_forgotten_by_all(
    worker: Callable[[], KeyAuthenticator], kept: KeptKeys, store: Any
) -> None:
    worker().authenticate(SECRET, HERE)
    kept.keys.clear()  # by somebody who writes into the database
    assert worker().authenticate(SECRET, HERE) is None
    kept.is_away = True

    with pytest.raises(Unavailable):
        worker().authenticate(SECRET, HERE)
    assert store.dbsize() == 0


def test_a_key_that_has_expired_meanwhile_is_refused(
    worker: Callable[[], KeyAuthenticator], kept: KeptKeys, shared: RedisKeys
) -> None:
    worker().authenticate(SECRET, HERE)
    kept.is_away = True
    later = KeyAuthenticator(
        kept, StoreThreads(1), {}, now=lambda: NOW + timedelta(days=4), shared=shared
    )

    assert later.authenticate(SECRET, HERE) is None


def test_when_the_database_is_back_it_decides(
    worker: Callable[[], KeyAuthenticator], kept: KeptKeys, shared: RedisKeys
) -> None:
    worker().authenticate(SECRET, HERE)
    kept.is_away, clock = True, Clock()
    other = KeyAuthenticator(kept, StoreThreads(1), {}, clock=clock, now=lambda: NOW, shared=shared)
    assert other.authenticate(SECRET, HERE) == FULL
    kept.is_away = False
    kept.keys.clear()
    clock.seconds += FRESH_S

    assert other.authenticate(SECRET, HERE) is None
