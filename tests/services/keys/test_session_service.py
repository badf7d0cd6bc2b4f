"""Sessions over time: they end when they are not used, and in any case after a while."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import new_secret
from llm_api.errors import RateLimited, Unauthorized, Unavailable
from llm_api.services.keys.authenticator import FRESH_S, KeyAuthenticator, digest_of
from llm_api.services.keys.session_service import IDLE, LONGEST, SessionService, SessionStores
from llm_api.storage import StoreError
from llm_api.storage.session_store import KeptSession
from llm_api.storage.threads import StoreThreads
from tests.services.keys.kept_keys import Clock, KeptKeys

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HERE = "192.0.2.1"
SECRET = new_secret()
SHOP = ApiKey("key_1", "shop")
HOUR = timedelta(hours=1)


class KeysById(KeptKeys):
    """Finds keys by their ids, too."""

    def get(self, key_id: str) -> ApiKey | None:
        """See KeyStore."""
        return next((key for key in self.keys.values() if key.id == key_id), None)


class KeptSessions:
    """A store of sessions in memory that can be away, and counts what it does."""

    def __init__(self) -> None:
        """Begin empty and there."""
        self.rows: dict[str, KeptSession] = {}
        self.looks = self.extensions = 0
        self.is_away = False

    def add(self, session: KeptSession) -> None:
        """See SessionStore."""
        self.rows[session.digest] = session

    def find(self, digest: str, now: datetime) -> KeptSession | None:
        """See SessionStore."""
        self.looks += 1
        if self.is_away:
            raise StoreError("The database is away.")
        found = self.rows.get(digest)
        return found if found is not None and found.ends_at > now else None

    def extend(self, digest: str, ends_at: datetime) -> None:
        """See SessionStore."""
        self.extensions += 1
        self.rows[digest] = replace(self.rows[digest], ends_at=ends_at)

    def end(self, digest: str) -> None:
        """See SessionStore."""
        self.rows.pop(digest, None)


class World:
    """A service of sessions, its stores, and the time."""

    def __init__(self) -> None:
        """Begin with one key and no session."""
        self.clock = Clock()
        self.keys, self.sessions = KeysById(), KeptSessions()
        self.keys.add(SHOP, digest_of(SECRET))
        threads = StoreThreads(1)
        authenticator = KeyAuthenticator(self.keys, threads, {}, clock=self.clock, now=self.now)
        stores = SessionStores(self.sessions, self.keys, threads)
        self.service = SessionService(authenticator, stores, {}, clock=self.clock, now=self.now)

    def now(self) -> datetime:
        """Return the time of day."""
        return NOW + timedelta(seconds=self.clock.seconds - 1_000)

    def wait(self, time: timedelta) -> None:
        """Let time go by."""
        self.clock.seconds += time.total_seconds()

    def is_open(self, token: str) -> bool:
        """Whether a token opens its session."""
        return self.service.find(token, HERE) is not None


@pytest.fixture
def world() -> World:
    """Begin a world."""
    return World()


def test_a_session_that_is_used_goes_on_until_its_longest_time(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)

    used = timedelta(0)
    while used < LONGEST - HOUR:
        world.wait(IDLE - HOUR)
        used += IDLE - HOUR
        assert world.is_open(token) is (used < LONGEST)
    world.wait(IDLE - HOUR)
    assert not world.is_open(token)


def test_a_session_that_is_not_used_ends(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)

    world.wait(IDLE)

    assert not world.is_open(token)


def test_a_session_ends_with_its_key_at_the_latest(world: World) -> None:
    world.keys.add(replace(SHOP, expires_at=NOW + HOUR), digest_of(SECRET))
    token, _ = world.service.sign_in(SECRET, HERE)
    assert world.is_open(token)

    world.wait(HOUR)

    assert not world.is_open(token)


def test_a_session_is_looked_up_and_extended_now_and_then(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)

    for _ in range(20):
        assert world.is_open(token)
    assert (world.sessions.looks, world.sessions.extensions) == (1, 0)
    for _ in range(20):
        world.wait(timedelta(seconds=FRESH_S))
        assert world.is_open(token)
    assert (world.sessions.looks, world.sessions.extensions) == (21, 1)


def test_what_another_process_has_ended_is_noticed(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)
    assert world.is_open(token)
    world.sessions.rows.clear()

    world.wait(timedelta(seconds=FRESH_S))

    assert not world.is_open(token)


def test_a_secret_that_was_replaced_elsewhere_opens_nothing(world: World) -> None:
    """This process may know the former one for a while; a session would outlive it."""
    world.service.sign_in(SECRET, HERE)
    world.keys.keys.clear()
    assert world.service.authenticator.authenticate(SECRET, HERE) == SHOP

    with pytest.raises(Unauthorized):
        world.service.sign_in(SECRET, HERE)


def test_tokens_cannot_be_tried_without_end(world: World) -> None:
    for n in range(30):
        assert not world.is_open(f"{n:043}")

    with pytest.raises(RateLimited):
        world.is_open("x" * 43)
    world.service.authenticator.authenticate(SECRET, HERE)  # keys of the address are still taken


def test_guesses_of_an_address_shut_out_no_session_that_is_in_use(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)
    assert world.is_open(token)
    world.wait(timedelta(seconds=FRESH_S))
    for n in range(30):
        assert not world.is_open(f"{n:043}")
    with pytest.raises(RateLimited):
        world.is_open("x" * 43)

    assert world.is_open(token)


def test_what_is_no_token_is_not_looked_up(world: World) -> None:
    for text in ("", "x", "x" * 4_000, "é" * 43):
        assert not world.is_open(text)

    assert world.sessions.looks == 0


def test_nobody_gets_in_while_the_store_is_away(world: World) -> None:
    token, _ = world.service.sign_in(SECRET, HERE)
    world.sessions.is_away = True

    with pytest.raises(Unavailable) as refused:
        world.is_open(token)

    assert refused.value.reason == "keys_unavailable"
