"""Processes share their answers through Redis, and never one that is another's."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from llm_api.domain.calls import IdempotencyKey, RecordedAnswer
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


@pytest.fixture
def ticket() -> IdempotencyKey:
    """Make a ticket."""
    return IdempotencyKey("ticket", "fingerprint", joins=True, keep_s=3_600, max_bytes=4 << 20)


@pytest.fixture
def two(valkey: ValkeyServer) -> Iterator[tuple[RedisAnswers, RedisAnswers]]:
    """Be two processes."""
    both = RedisAnswers(valkey.url, claim_lasts=LASTS), RedisAnswers(valkey.url, claim_lasts=LASTS)
    yield both
    for one in both:
        one.close()


Two = tuple[RedisAnswers, RedisAnswers]


def name_of(ticket: IdempotencyKey) -> str:
    """Return the name that a ticket has in Redis."""
    return f"llm_api:answer:{ticket.key}"


def let_renew() -> None:
    """Wait for several renewals of a quick one."""
    threading.Event().wait(2 * QUICK)


def test_a_request_is_claimed_once(two: Two, store: Any, ticket: IdempotencyKey) -> None:
    assert [one.claim(ticket) for one in two] == [True, False]
    assert store.pttl(name_of(ticket)) > 0


def test_an_answer_is_shared_as_it_is(two: Two, store: Any, ticket: IdempotencyKey) -> None:
    one, other = two
    one.claim(ticket)
    assert other.look_up(ticket) == ("fingerprint", None)

    one.publish(ticket, ANSWER)

    assert other.look_up(ticket) == ("fingerprint", ANSWER)
    assert store.pttl(name_of(ticket)) > 3_000_000


@pytest.mark.parametrize(
    "answer", [None, RecordedAnswer("text/plain", {}, b"x" * (MAX_SHARED_BYTES + 1))], ids=str
)
def test_a_request_without_an_answer_to_share_can_be_claimed_again(
    two: Two, store: Any, ticket: IdempotencyKey, answer: RecordedAnswer | None
) -> None:
    one, other = two
    one.claim(ticket)

    one.publish(ticket, answer)

    assert store.exists(name_of(ticket)) == 0
    assert other.claim(ticket)


def test_a_claim_is_renewed_while_its_process_lives(
    two: Two, store: Any, ticket: IdempotencyKey
) -> None:
    one, _ = two
    one.claim(ticket)
    ends_at = store.pexpiretime(name_of(ticket))

    wait_until(
        lambda: store.pexpiretime(name_of(ticket)) > ends_at, PATIENCE, "the claim is renewed"
    )


@pytest.mark.usefixtures("store")
def test_a_claim_of_a_process_that_ended_expires(
    valkey: ValkeyServer, two: Two, ticket: IdempotencyKey
) -> None:
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as ended:
        ended.claim(ticket)

    wait_until(lambda: two[0].claim(ticket), PATIENCE, "the claim expires")


@pytest.mark.usefixtures("store")
def test_a_process_that_ends_renews_no_more(valkey: ValkeyServer, ticket: IdempotencyKey) -> None:
    before = set(threading.enumerate())
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as ended:
        ended.claim(ticket)
        assert [thread.name for thread in set(threading.enumerate()) - before] == ["answer-claims"]

    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("store")
def test_first_claims_at_once_start_one_thread(two: Two) -> None:
    before = set(threading.enumerate())
    tickets = [
        IdempotencyKey(f"ticket {n}", "fingerprint", joins=True, keep_s=60, max_bytes=1_000)
        for n in range(32)
    ]

    in_threads(two[0].claim, [(ticket,) for ticket in tickets])

    assert [thread.name for thread in set(threading.enumerate()) - before] == ["answer-claims"]


def lost(two: Two, store: Any, ticket: IdempotencyKey) -> None:
    """Let the first lose its claim, as after a pause of its process, and the other claim."""
    one, other = two
    assert one.claim(ticket)
    store.delete(name_of(ticket))
    assert other.claim(ticket)


def test_a_lost_claim_does_not_shorten_the_answer_of_another(
    valkey: ValkeyServer, two: Two, store: Any, ticket: IdempotencyKey
) -> None:
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as loser:
        lost((loser, two[1]), store, ticket)
        two[1].publish(ticket, ANSWER)

        let_renew()

    assert store.pttl(name_of(ticket)) > 3_000_000


@pytest.mark.parametrize("has_ended", [True, False])
@pytest.mark.parametrize("late", [None, RecordedAnswer("text/plain", {}, b"late")], ids=str)
def test_a_lost_claim_does_not_replace_what_is_anothers(
    two: Two, store: Any, ticket: IdempotencyKey, late: RecordedAnswer | None, *, has_ended: bool
) -> None:
    lost(two, store, ticket)
    if has_ended:
        two[1].publish(ticket, ANSWER)
    before = store.get(name_of(ticket))

    two[0].publish(ticket, late)

    assert store.get(name_of(ticket)) == before
    if not has_ended:
        two[1].publish(ticket, ANSWER)
    assert two[0].look_up(ticket) == ("fingerprint", ANSWER)


def test_a_claim_is_renewed_by_its_owner_alone(
    valkey: ValkeyServer, store: Any, ticket: IdempotencyKey
) -> None:
    anothers = b'{"fingerprint": "fingerprint", "owner": "another"}'
    with closing(RedisAnswers(valkey.url, claim_lasts=QUICK)) as one:
        one.claim(ticket)
        store.set(name_of(ticket), anothers, px=5_000)

        let_renew()

    assert store.get(name_of(ticket)) == anothers
    assert store.pttl(name_of(ticket)) < 5_000


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_nothing_known(
    two: Two, store: Any, ticket: IdempotencyKey, garbage: bytes
) -> None:
    store.set(name_of(ticket), garbage)

    assert two[0].look_up(ticket)[1] is None


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("joins", [True, False])
def test_garbage_holds_up_no_request(
    two: Two, store: Any, ticket: IdempotencyKey, garbage: bytes, *, joins: bool
) -> None:
    """The first process of a new version may find what an older one has left."""
    asked = IdempotencyKey(ticket.key, "fingerprint", joins=joins, keep_s=60, max_bytes=1_000)
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


def test_without_redis_every_request_is_ours(ticket: IdempotencyKey, tmp_path: Path) -> None:
    answers = RedisAnswers(ValkeyServer(tmp_path).url)  # not started

    assert answers.claim(ticket)
    assert answers.look_up(ticket) == ("", None)
    assert not answers.has_waiting(ticket)
    answers.publish(ticket, ANSWER)
    answers.close()


def test_who_waits_is_known_to_who_answers(two: Two, ticket: IdempotencyKey) -> None:
    one, other = two
    one.claim(ticket)
    assert not one.has_waiting(ticket)

    other.look_up(ticket)

    assert one.has_waiting(ticket)
