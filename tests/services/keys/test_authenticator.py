"""Keys are found fast, refused soon after they end, and known while the store is away."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import new_secret
from llm_api.errors import RateLimited, Unavailable
from llm_api.services.keys.authenticator import FRESH_S, STALE_S, KeyAuthenticator, digest_of
from llm_api.storage.threads import StoreThreads
from tests.services.keys.kept_keys import Clock, KeptKeys
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOP = ApiKey("key_1", "shop")
TEXT, OTHER = new_secret(), new_secret()
STATIC = "a-secret-of-the-environment"
HERE = "192.0.2.1"


@pytest.fixture
def kept() -> KeptKeys:
    """Keep one key."""
    store = KeptKeys()
    store.add(SHOP, digest_of(TEXT))
    return store


@pytest.fixture
def clock() -> Clock:
    """Stand still."""
    return Clock()


@pytest.fixture
def ring(kept: KeptKeys, clock: Clock) -> KeyAuthenticator:
    """Make the ring, whose clock on the wall goes with the other."""
    static = {STATIC: ApiKey("env:ci", "ci")}

    def now() -> datetime:
        return NOW + timedelta(seconds=clock.seconds - 1_000)

    return KeyAuthenticator(kept, StoreThreads(1), static, clock=clock, now=now)


def change(kept: KeptKeys, **fields: object) -> None:
    """Change the key."""
    kept.add(replace(SHOP, **fields), digest_of(TEXT))


# --- finding ---


def test_a_key_is_looked_up_once_and_then_known(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    found = [ring.authenticate(TEXT, HERE) for _ in range(3)]

    assert found == [SHOP] * 3
    assert kept.looks == [digest_of(TEXT)]


def test_a_key_of_the_environment_needs_no_store(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    kept.is_away = True

    assert ring.authenticate(STATIC, HERE) == ApiKey("env:ci", "ci")
    assert kept.looks == []


def test_a_key_that_nobody_has_is_remembered_too(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    assert [ring.authenticate(OTHER, HERE) for _ in range(3)] == [None] * 3
    assert len(kept.looks) == 1


@pytest.mark.parametrize(
    "text",
    ["", "sk-1", "' OR 1=1--", TEXT[:-1], TEXT[:20], TEXT.lower()],
    ids=["nothing", "another's", "SQL", "cut", "short", "lower case"],
)
def test_what_cannot_be_a_key_is_not_looked_up(
    text: str, ring: KeyAuthenticator, kept: KeptKeys
) -> None:
    assert ring.authenticate(TEXT, HERE)

    assert ring.authenticate(text, HERE) is None
    assert kept.looks == [digest_of(TEXT)]


def test_a_hundred_first_requests_are_one_look(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    may_answer = threading.Event()
    kept.before = lambda: may_answer.wait(10)
    with ThreadPoolExecutor(100) as pool:
        finding = [pool.submit(ring.authenticate, TEXT, HERE) for _ in range(100)]
        wait_until(lambda: bool(kept.looks), 10, "one looks")
        may_answer.set()

    assert [one.result() for one in finding] == [SHOP] * 100
    assert len(kept.looks) == 1


def test_a_hundred_first_requests_fail_together(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    kept.is_away, may_answer = True, threading.Event()
    kept.before = lambda: may_answer.wait(10)
    with ThreadPoolExecutor(100) as pool:
        finding = [pool.submit(ring.authenticate, TEXT, HERE) for _ in range(100)]
        wait_until(lambda: bool(kept.looks), 10, "one looks")
        may_answer.set()

    assert {type(one.exception()) for one in finding} == {Unavailable}


def test_a_look_that_breaks_ends_the_wait_of_the_others(
    ring: KeyAuthenticator, kept: KeptKeys
) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    kept.before = give_up
    with pytest.raises(KeyboardInterrupt):
        ring.authenticate(TEXT, HERE)

    kept.before = lambda: None
    assert ring.authenticate(TEXT, HERE) == SHOP


# --- ends ---


@pytest.mark.parametrize(
    "end", [{"disabled_at": NOW}, {"expires_at": NOW}], ids=["disabled", "expired"]
)
def test_a_key_that_has_ended_opens_nothing(
    end: dict[str, object], ring: KeyAuthenticator, kept: KeptKeys
) -> None:
    change(kept, **end)

    assert [ring.authenticate(TEXT, HERE) for _ in range(2)] == [None, None]
    assert len(kept.looks) == 1


def test_a_known_key_is_refused_half_a_minute_after_it_was_disabled(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    ring.authenticate(TEXT, HERE)
    change(kept, disabled_at=NOW)

    clock.seconds += FRESH_S

    assert ring.authenticate(TEXT, HERE) is None
    assert FRESH_S <= 60


def test_a_known_key_is_refused_the_moment_it_expires(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    change(kept, expires_at=NOW + timedelta(seconds=5))
    assert ring.authenticate(TEXT, HERE)

    clock.seconds += 5

    assert ring.authenticate(TEXT, HERE) is None
    assert len(kept.looks) == 1


def test_a_changed_key_is_asked_for_at_once(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    ring.authenticate(TEXT, HERE)
    change(kept, disabled_at=NOW)

    ring.forget("key_1")

    assert ring.authenticate(TEXT, HERE) is None


def test_another_key_is_not_forgotten(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    ring.authenticate(TEXT, HERE)

    ring.forget("key_2")

    assert ring.authenticate(TEXT, HERE)
    assert len(kept.looks) == 1


# --- the store is away ---


def test_a_known_key_opens_for_an_hour_while_the_store_is_away(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    ring.authenticate(TEXT, HERE)
    kept.is_away = True

    clock.seconds += STALE_S - 1
    assert ring.authenticate(TEXT, HERE) == SHOP

    clock.seconds += 1
    with pytest.raises(Unavailable):
        ring.authenticate(TEXT, HERE)


def test_an_unknown_key_is_neither_let_in_nor_called_invalid_while_the_store_is_away(
    ring: KeyAuthenticator, kept: KeptKeys
) -> None:
    kept.is_away = True

    with pytest.raises(Unavailable) as caught:
        ring.authenticate(OTHER, HERE)

    error = caught.value
    assert (error.reason, error.retryable, error.status) == ("keys_unavailable", True, 503)
    assert (error.retry_after or 0) >= 1


def test_a_key_that_was_unknown_may_be_known_by_now(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    ring.authenticate(OTHER, HERE)
    kept.is_away = True
    clock.seconds += FRESH_S

    with pytest.raises(Unavailable):
        ring.authenticate(OTHER, HERE)


def test_an_expired_key_opens_nothing_while_the_store_is_away(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    change(kept, expires_at=NOW + timedelta(seconds=60))
    ring.authenticate(TEXT, HERE)
    kept.is_away = True

    clock.seconds += 60

    assert ring.authenticate(TEXT, HERE) is None


def test_a_store_that_is_away_is_asked_every_five_seconds(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    ring.authenticate(TEXT, HERE)
    kept.is_away = True
    clock.seconds += FRESH_S
    for _ in range(40):
        ring.authenticate(TEXT, HERE)
        clock.seconds += 0.5

    assert len(kept.looks) == 1 + 4


def test_who_has_a_known_key_waits_for_nobody_else_s_attempt(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    ring.authenticate(TEXT, HERE)
    kept.is_away, may_answer = True, threading.Event()
    clock.seconds += FRESH_S
    ring.authenticate(TEXT, HERE)
    clock.seconds += 5
    kept.before = lambda: may_answer.wait(10)
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(ring.authenticate, TEXT, HERE)
        wait_until(lambda: len(kept.looks) == 3, 10, "one looks")
        assert ring.authenticate(TEXT, HERE) == SHOP
        assert not attempt.done()
        may_answer.set()


def test_the_store_s_return_is_noticed(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock
) -> None:
    kept.is_away = True
    with pytest.raises(Unavailable):
        ring.authenticate(TEXT, HERE)
    kept.is_away = False

    clock.seconds += 5

    assert ring.authenticate(TEXT, HERE) == SHOP


def test_an_outage_is_warned_of_once(
    ring: KeyAuthenticator, kept: KeptKeys, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    kept.is_away = True
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            with pytest.raises(Unavailable):
                ring.authenticate(TEXT, HERE)
            clock.seconds += 5

    assert [record.message for record in caplog.records] == ["keys cannot be looked up"]


# --- guesses ---


def test_an_address_may_guess_thirty_times(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    assert [ring.authenticate(new_secret(), HERE) for _ in range(30)] == [None] * 30

    with pytest.raises(RateLimited) as caught:
        ring.authenticate(new_secret(), HERE)

    assert (caught.value.reason, caught.value.retry_after) == ("too_many_invalid_keys", 2)
    assert len(kept.looks) == 30


def test_an_address_that_guessed_may_use_what_is_known_here(ring: KeyAuthenticator) -> None:
    ring.authenticate(TEXT, HERE)
    for number in range(30):
        ring.authenticate(f"sk-{number}", HERE)

    assert ring.authenticate(TEXT, HERE) == SHOP
    assert ring.authenticate(STATIC, HERE)


def test_another_address_may_guess(ring: KeyAuthenticator) -> None:
    for number in range(30):
        ring.authenticate(f"sk-{number}", HERE)

    assert ring.authenticate("sk-30", "192.0.2.2") is None


def test_a_guess_more_is_allowed_every_two_seconds(ring: KeyAuthenticator, clock: Clock) -> None:
    for number in range(30):
        ring.authenticate(f"sk-{number}", HERE)

    clock.seconds += 2

    assert ring.authenticate("sk-30", HERE) is None
    with pytest.raises(RateLimited):
        ring.authenticate("sk-31", HERE)


def test_one_wrong_key_sent_again_and_again_is_one_guess(
    ring: KeyAuthenticator, clock: Clock
) -> None:
    for _ in range(100):
        ring.authenticate(OTHER, HERE)
        clock.seconds += 1

    assert ring.authenticate(TEXT, HERE) == SHOP


def test_guesses_drive_out_no_key_in_use(ring: KeyAuthenticator, kept: KeptKeys) -> None:
    ring.authenticate(TEXT, HERE)
    for number in range(10_001):
        ring.authenticate(f"sk-{number}", str(number))

    assert ring.authenticate(TEXT, HERE) == SHOP
    assert len(kept.looks) == 1


def test_the_digest_is_that_of_the_whole_secret() -> None:
    assert digest_of("abc").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert digest_of(TEXT) != digest_of(TEXT[:-1])
