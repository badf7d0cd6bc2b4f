"""Processes share their answers through Redis, and never one that is another's."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from llm_api.domain.calls import IdempotencyKey, RecordedAnswer
from llm_api.services.idempotency import IdempotencyService
from llm_api.storage.redis import shared_answers
from llm_api.storage.redis.shared_answers import MAX_SHARED_BYTES, RedisAnswers
from tests.support.servers import ValkeyServer
from tests.support.waiting import wait_until

ANSWER = RecordedAnswer("text/event-stream", {"X-Accel-Buffering": "no"}, b"data: \x00\xff\n\n")
PATIENCE = 20
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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let claims be renewed at once."""
    monkeypatch.setattr(shared_answers, "_RENEW_S", 0.05)


@pytest.fixture
def ticket(request: pytest.FixtureRequest) -> IdempotencyKey:
    """Make a ticket that no other test has: the threads that renew outlive them."""
    return IdempotencyKey(
        request.node.name, "fingerprint", joins=True, keep_s=3_600, max_bytes=4 << 20
    )


@pytest.fixture
def two(valkey: ValkeyServer) -> Iterator[tuple[RedisAnswers, RedisAnswers]]:
    """Be two processes."""
    both = RedisAnswers(valkey.url), RedisAnswers(valkey.url)
    yield both
    for one in both:
        one.close()


Two = tuple[RedisAnswers, RedisAnswers]


def name_of(ticket: IdempotencyKey) -> str:
    """Return the name that a ticket has in Redis."""
    return f"llm_api:answer:{ticket.key}"


def let_renew() -> None:
    """Wait for several renewals."""
    threading.Event().wait(0.5)


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
    two: Two, store: Any, ticket: IdempotencyKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_answers, "_CLAIM_S", 30.0)
    one, _ = two
    one.claim(ticket)
    store.pexpire(name_of(ticket), 5_000)

    wait_until(lambda: store.pttl(name_of(ticket)) > 20_000, PATIENCE, "the claim is renewed")


def test_a_claim_that_nobody_renews_ends(
    two: Two, ticket: IdempotencyKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisAnswers, "_start_renewing", lambda _: None)  # as after a kill
    monkeypatch.setattr(shared_answers, "_CLAIM_S", 0.2)
    one, other = two
    one.claim(ticket)

    wait_until(lambda: other.claim(ticket), PATIENCE, "the claim ends")


def lost(two: Two, store: Any, ticket: IdempotencyKey) -> None:
    """Let the first lose its claim, as after a pause of its process, and the other claim."""
    one, other = two
    assert one.claim(ticket)
    store.delete(name_of(ticket))
    assert other.claim(ticket)


def test_a_lost_claim_does_not_shorten_the_answer_of_another(
    two: Two, store: Any, ticket: IdempotencyKey
) -> None:
    lost(two, store, ticket)
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
    two: Two, store: Any, ticket: IdempotencyKey
) -> None:
    one, _ = two
    one.claim(ticket)
    anothers = b'{"fingerprint": "fingerprint", "owner": "another"}'
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
