"""Processes share their answers through Redis, and never one that is another's."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.repeats import IdempotencyKey, RecordedAnswer
from llm_api.services.idempotency import IdempotencyService
from llm_api.storage.redis.shared_answers import MAX_SHARED_BYTES, RedisAnswers
from tests.storage.crowd import in_threads
from tests.support.servers import ValkeyServer
from tests.support.waiting import wait_until

ANSWER = RecordedAnswer("text/event-stream", {"X-Accel-Buffering": "no"}, b"data: \x00\xff\n\n")
PATIENCE = 20
LASTS = 6.0  # seconds; renewed every two
QUICK = 0.6  # renewed every 0.2 s
GARBAGE = [
    b"",
    b"no JSON",
    b"\xff",
    b"null",
    b"5",
    b"[]",
    b'"text"',
    b'{"body": 5}',
    b'{"body": "!"}',
    b'{"fingerprint": "fingerprint", "body": "YQ=="}',
    b"[" * 2_000,
]


@pytest.fixture
def identity() -> IdempotencyKey:
    """Make the key of a request."""
    return IdempotencyKey("ticket", "fingerprint", joins=True, keep_s=3_600, max_bytes=4 << 20)


@pytest.fixture
def two(valkey: ValkeyServer) -> Iterator[tuple[RedisAnswers, RedisAnswers]]:
    """Be two processes."""
    both = RedisAnswers(valkey.url, claim_lasts=LASTS), RedisAnswers(valkey.url, claim_lasts=LASTS)
    yield both
    for one in both:
        one.close()


Two = tuple[RedisAnswers, RedisAnswers]


def name_of(identity: IdempotencyKey) -> str:
    """Return the name that a request has in Redis."""
    return f"llm_api:answer:{identity.key}"


def let_renew() -> None:
    """Wait for several renewals of a quick one."""
    threading.Event().wait(2 * QUICK)


def test_a_request_is_claimed_once(two: Two, store: Any, identity: IdempotencyKey) -> None:
    assert [one.claim(identity) for one in two] == [True, False]
    assert store.pttl(name_of(identity)) > 0


def test_an_answer_is_shared_as_it_is(two: Two, store: Any, identity: IdempotencyKey) -> None:
    one, other = two
    one.claim(identity)
    assert other.look_up(identity) == ("fingerprint", None)

    one.publish(identity, ANSWER)

    assert other.look_up(identity) == ("fingerprint", ANSWER)
    assert store.pttl(name_of(identity)) > 3_000_000


@pytest.mark.parametrize(
    "answer", [None, RecordedAnswer("text/plain", {}, b"x" * (MAX_SHARED_BYTES + 1))], ids=str
)
def test_a_request_without_an_answer_to_share_can_be_claimed_again(
    two: Two, store: Any, identity: IdempotencyKey, answer: RecordedAnswer | None
) -> None:
    one, other = two
    one.claim(identity)

    one.publish(identity, answer)

    assert store.exists(name_of(identity)) == 0
    assert other.claim(identity)


def test_a_claim_is_renewed_while_its_process_lives(
    two: Two, store: Any, identity: IdempotencyKey
) -> None:
    one, _ = two
    one.claim(identity)
    ends_at = store.pexpiretime(name_of(identity))

    wait_until(
        lambda: store.pexpiretime(name_of(identity)) > ends_at,
        PATIENCE,
        "the claim is renewed",
    )


@pytest.mark.usefixtures("store")
def test_a_claim_of_a_process_that_ended_expires(
    valkey: ValkeyServer, two: Two, identity: IdempotencyKey
) -> None:
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as ended:
        ended.claim(identity)

    wait_until(lambda: two[0].claim(identity), PATIENCE, "the claim expires")


@pytest.mark.usefixtures("store")
def test_a_process_that_ends_renews_no_more(valkey: ValkeyServer, identity: IdempotencyKey) -> None:
    before = set(threading.enumerate())
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as ended:
        ended.claim(identity)
        assert [thread.name for thread in set(threading.enumerate()) - before] == ["answer-claims"]

    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("store")
def test_first_claims_at_once_start_one_thread(two: Two) -> None:
    before = set(threading.enumerate())
    identities = [
        IdempotencyKey(f"ticket {n}", "fingerprint", joins=True, keep_s=60, max_bytes=1_000)
        for n in range(32)
    ]

    in_threads(two[0].claim, [(identity,) for identity in identities])

    assert [thread.name for thread in set(threading.enumerate()) - before] == ["answer-claims"]


def lost(two: Two, store: Any, identity: IdempotencyKey) -> None:
    """Let the first lose its claim, as after a pause of its process, and the other claim."""
    one, other = two
    assert one.claim(identity)
    store.delete(name_of(identity))
    assert other.claim(identity)


def test_a_lost_claim_does_not_shorten_the_answer_of_another(
    valkey: ValkeyServer, two: Two, store: Any, identity: IdempotencyKey
) -> None:
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as loser:
        lost((loser, two[1]), store, identity)
        two[1].publish(identity, ANSWER)

        let_renew()

    assert store.pttl(name_of(identity)) > 3_000_000


@pytest.mark.parametrize("has_ended", [True, False])
@pytest.mark.parametrize("late", [None, RecordedAnswer("text/plain", {}, b"late")], ids=str)
def test_a_lost_claim_does_not_replace_what_is_anothers(
    two: Two,
    store: Any,
    identity: IdempotencyKey,
    late: RecordedAnswer | None,
    *,
    has_ended: bool,
) -> None:
    lost(two, store, identity)
    if has_ended:
        two[1].publish(identity, ANSWER)
    before = store.get(name_of(identity))

    two[0].publish(identity, late)

    assert store.get(name_of(identity)) == before
    if not has_ended:
        two[1].publish(identity, ANSWER)
    assert two[0].look_up(identity) == ("fingerprint", ANSWER)


def test_a_claim_is_renewed_by_its_owner_alone(
    valkey: ValkeyServer, store: Any, identity: IdempotencyKey
) -> None:
    anothers = b'{"fingerprint": "fingerprint", "owner": "another"}'
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as one:
        one.claim(identity)
        store.set(name_of(identity), anothers, px=5_000)

        let_renew()

    assert store.get(name_of(identity)) == anothers
    assert store.pttl(name_of(identity)) < 5_000


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_nothing_known(
    two: Two, store: Any, identity: IdempotencyKey, garbage: bytes
) -> None:
    store.set(name_of(identity), garbage)

    assert two[0].look_up(identity)[1] is None


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("joins", [True, False])
def test_garbage_holds_up_no_request(
    two: Two, store: Any, identity: IdempotencyKey, garbage: bytes, *, joins: bool
) -> None:
    """The first process of a new version may find what an older one has left."""
    asked = IdempotencyKey(identity.key, "fingerprint", joins=joins, keep_s=60, max_bytes=1_000)
    store.set(name_of(asked), garbage)
    has_left = threading.Event()
    replays = IdempotencyService(two[0])

    with ThreadPoolExecutor() as pool:
        joining = pool.submit(replays.join, asked, has_left.is_set)
        wait_for_it = threading.Thread(target=joining.exception)
        wait_for_it.start()
        wait_for_it.join(PATIENCE / 4)
        is_done = joining.done()
        has_left.set()
        assert is_done
        assert joining.result()[1]


def test_without_redis_every_request_is_ours(identity: IdempotencyKey, tmp_path: Path) -> None:
    answers = RedisAnswers(ValkeyServer(tmp_path).url)  # not started

    assert answers.claim(identity)
    assert answers.look_up(identity) == ("", None)
    assert not answers.has_waiting(identity)
    answers.publish(identity, ANSWER)
    answers.close()


def test_who_waits_is_known_to_who_answers(two: Two, identity: IdempotencyKey) -> None:
    one, other = two
    one.claim(identity)
    assert not one.has_waiting(identity)

    other.look_up(identity)

    assert one.has_waiting(identity)
