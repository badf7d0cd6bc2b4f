"""Who waits for the answer of another request gets it whole, gets an error, or asks anew."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from llm_api.domain.calls import never
from llm_api.domain.repeats import IdempotencyKey, RecordedAnswer
from llm_api.errors import ApiError, InvalidRequest, Unavailable
from llm_api.services.idempotency import MAX_KEPT_BYTES, IdempotencyService, Recording
from llm_api.upstream.faults import ClientGone
from tests.support.waiting import wait_until

KEY = IdempotencyKey("key", "fingerprint", joins=True, keep_s=60, max_bytes=4 << 20)
FIRST, RETRY = replace(KEY, joins=False), KEY
PIECE = b"x" * (256 << 10)
PATIENCE = 20


@dataclass
class Shared:
    """What another process knows."""

    is_free: bool = True
    entry: tuple[str, RecordedAnswer | None] = ("", None)
    while_asked: Callable[[], object] = lambda: None
    is_waited_for: bool = False
    published: list[RecordedAnswer | None] = field(default_factory=list)

    def claim(self, _identity: IdempotencyKey) -> bool:
        """Say whether the request is left to us."""
        self.while_asked()
        return self.is_free

    def look_up(self, _identity: IdempotencyKey) -> tuple[str, RecordedAnswer | None]:
        """Return what the other has."""
        return self.entry

    def has_waiting(self, _identity: IdempotencyKey) -> bool:
        """Say whether a client of the other waits."""
        self.while_asked()
        return self.is_waited_for

    def publish(self, _identity: IdempotencyKey, answer: RecordedAnswer | None) -> None:
        """Keep it."""
        self.published.append(answer)


@pytest.fixture
def replays() -> IdempotencyService:
    """Know nothing yet, and nobody else."""
    return IdempotencyService()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Wait elsewhere."""
    with ThreadPoolExecutor() as executor:
        yield executor


def begun(replays: IdempotencyService, *pieces: bytes, identity: IdempotencyKey = KEY) -> Recording:
    """Begin a streamed answer."""
    recording, is_first = replays.join(identity, never)
    assert is_first
    recording.begin("text/event-stream", {})
    for piece in pieces:
        replays.record(recording, piece)
    return recording


def followed(replays: IdempotencyService, identity: IdempotencyKey = KEY) -> Recording:
    """Join an answer that another request gets."""
    recording, is_first = replays.join(identity, never)
    assert not is_first
    return recording


def body_of(recording: Recording) -> bytes:
    """Wait for the end of an answer."""
    return b"".join(recording.pieces(60, never))


# --- the first leaves ---


def test_an_answer_that_somebody_follows_goes_on(replays: IdempotencyService) -> None:
    recording = begun(replays, b"a")
    follower = followed(replays)

    assert replays.is_awaited(recording)
    replays.record(recording, b"b")
    replays.finish(recording)

    assert body_of(follower) == b"ab"
    assert follower.is_whole


def test_nobody_joins_a_call_that_is_given_up(replays: IdempotencyService) -> None:
    """Its end is decided from the moment that nobody waited; a repeat must not get it."""
    recording, _ = replays.join(KEY, never)

    assert not replays.is_awaited(recording)

    repeat, is_first = replays.join(KEY, never)
    assert is_first
    assert repeat is not recording


def test_what_is_left_of_a_call_that_is_given_up_does_not_touch_its_successor(
    replays: IdempotencyService,
) -> None:
    given_up = begun(replays, b"a")
    replays.is_awaited(given_up)
    successor = begun(replays, b"b")

    replays.record(given_up, b"c")
    replays.fail(given_up, ClientGone())

    assert followed(replays) is successor
    replays.finish(successor)
    assert body_of(followed(replays)) == b"b"


def test_a_repeat_that_comes_while_redis_is_asked_is_not_lost() -> None:
    """The look at Redis takes time, in which a repeat may come."""
    shared = Shared()
    replays = IdempotencyService(shared)
    recording = begun(replays, b"a")
    joined: list[tuple[Recording, bool]] = []

    def join() -> None:
        shared.while_asked = lambda: None
        joined.append(replays.join(KEY, never))

    shared.while_asked = join
    is_awaited = replays.is_awaited(recording)

    [(repeat, is_first)] = joined
    # It makes the call itself, or the call goes on for it.
    assert is_first or (is_awaited and repeat is recording)
    if is_first:
        replays.finish(begun_again(repeat))
    else:
        replays.finish(recording)
    assert followed(replays).is_whole
    assert shared.published[-1] is not None


def begun_again(recording: Recording) -> Recording:
    """Begin the answer of a repeat."""
    recording.begin("text/event-stream", {})
    return recording


def test_an_answer_that_goes_on_for_another_process_is_shared_whoever_asked_meanwhile() -> None:
    """Or its claim would be kept for ever, and with it every repeat."""
    shared = Shared(is_waited_for=True)
    replays = IdempotencyService(shared)
    recording = begun(replays, b"a")
    others: list[Recording] = []

    def join() -> None:
        shared.while_asked = lambda: None
        others.append(replays.join(KEY, never)[0])

    shared.while_asked = join
    assert replays.is_awaited(recording)

    replays.finish(recording)
    for other in others:
        if other is not recording:
            replays.fail(other)

    assert RecordedAnswer("text/event-stream", {}, b"a") in shared.published


# --- ends ---


def test_who_waits_for_an_answer_that_never_began_gets_its_error(
    replays: IdempotencyService, pool: ThreadPoolExecutor
) -> None:
    recording, _ = replays.join(KEY, never)
    waiting = pool.submit(followed(replays).wait_for_head, never)

    replays.fail(recording, Unavailable("No.", reason="overloaded"))

    with pytest.raises(Unavailable):
        waiting.result(PATIENCE)


def test_an_answer_that_broke_is_not_whole(replays: IdempotencyService) -> None:
    recording = begun(replays, b"a")
    follower = followed(replays)

    replays.fail(recording)

    assert body_of(follower) == b"a"
    assert not follower.is_whole
    assert replays.join(KEY, never)[1]


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_follower_that_leaves_is_noticed_while_nothing_comes(
    replays: IdempotencyService, pool: ThreadPoolExecutor, *, has_begun: bool
) -> None:
    recording, _ = replays.join(KEY, never)
    follower = followed(replays)
    has_left = threading.Event()
    waiting: Future[object]
    if has_begun:
        recording.begin("text/event-stream", {})
        waiting = pool.submit(list, follower.pieces(3_600, has_left.is_set))
    else:
        waiting = pool.submit(follower.wait_for_head, has_left.is_set)

    has_left.set()

    if has_begun:
        assert waiting.result(PATIENCE) == []
    else:
        assert isinstance(waiting.exception(PATIENCE), ClientGone)
    follower.unfollow()
    assert not replays.is_awaited(recording)


def test_a_silence_is_told_to_who_follows(replays: IdempotencyService) -> None:
    recording = begun(replays, b"a")
    pieces = followed(replays).pieces(0.3, never)

    assert [next(pieces), next(pieces)] == [b"a", b""]

    replays.finish(recording)
    assert list(pieces) == []


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_a_fault_of_our_own_leaves_nothing_to_wait_for(error: BaseException) -> None:
    def fail() -> None:
        shared.while_asked = lambda: None
        raise error

    shared = Shared(while_asked=fail)
    replays = IdempotencyService(shared)

    with pytest.raises(type(error)):
        replays.join(KEY, never)

    assert replays.join(KEY, never)[1]


def test_a_fault_of_our_own_is_no_answer_for_who_joined(pool: ThreadPoolExecutor) -> None:
    joined = threading.Event()

    def fail() -> None:
        assert joined.wait(PATIENCE)
        raise ValueError

    replays = IdempotencyService(Shared(while_asked=fail))
    first = pool.submit(replays.join, KEY, never)
    wait_until(lambda: replays._running, PATIENCE, "the first has come")
    waiting = pool.submit(followed(replays).wait_for_head, never)
    joined.set()

    assert isinstance(first.exception(PATIENCE), ValueError)
    error = waiting.exception(PATIENCE)
    assert isinstance(error, ApiError)
    assert not isinstance(error, ClientGone)


def test_another_body_under_a_key_of_another_process_is_refused() -> None:
    replays = IdempotencyService(Shared(is_free=False, entry=("other", None)))

    with pytest.raises(InvalidRequest):
        replays.join(KEY, never)


# --- memory ---


def test_an_answer_that_grows_too_large_is_not_recorded(replays: IdempotencyService) -> None:
    identity = replace(FIRST, max_bytes=2 * len(PIECE))
    recording = begun(replays, PIECE, PIECE, identity=identity)
    assert not recording.is_over

    replays.record(recording, b"x")

    assert recording.is_over
    assert replays.join(RETRY, never)[1]


def test_an_answer_that_somebody_waits_for_may_grow(replays: IdempotencyService) -> None:
    recording = begun(replays, PIECE, identity=replace(FIRST, max_bytes=len(PIECE)))
    follower = followed(replays, RETRY)

    replays.record(recording, b"x")
    replays.finish(recording)

    assert body_of(follower) == PIECE + b"x"


def running_at_most(replays: IdempotencyService) -> int:
    """Count how many answers of a piece can be in progress at once, and end them."""
    limit = MAX_KEPT_BYTES // len(PIECE) + 10
    recordings = [begun(replays, PIECE, identity=replace(FIRST, key=f"{n}")) for n in range(limit)]
    running = [recording for recording in recordings if not recording.is_over]
    for recording in running:
        replays.fail(recording)
    return len(running)


def give_two_at_once(replays: IdempotencyService) -> None:
    for recording in [begun(replays, PIECE, identity=FIRST) for _ in range(2)]:
        replays.finish(recording)


def give_in_one_piece(replays: IdempotencyService) -> None:
    recording = begun(replays, identity=FIRST)
    recording.append(PIECE)
    replays.finish(recording)


def give_up(replays: IdempotencyService) -> None:
    recording = begun(replays, PIECE, identity=FIRST)
    replays.is_awaited(recording)
    replays.fail(recording)


def give_to_a_follower(replays: IdempotencyService) -> None:
    recording = begun(replays, PIECE, identity=replace(FIRST, max_bytes=1 + len(PIECE)))
    followed(replays, RETRY)
    replays.record(recording, PIECE)
    replays.finish(recording)


@pytest.mark.parametrize(
    "give", [None, give_two_at_once, give_in_one_piece, give_up, give_to_a_follower]
)
def test_the_answers_in_progress_are_bounded_whatever_came_before(
    replays: IdempotencyService, give: Callable[[IdempotencyService], None] | None
) -> None:
    for _ in range(MAX_KEPT_BYTES // len(PIECE) + 50 if give else 0):
        give(replays)  # type: ignore[misc]  # it is not None here

    assert running_at_most(replays) == MAX_KEPT_BYTES // len(PIECE)
