"""A finished answer ends at once or within moments, whatever its upstream goes on writing."""

import time
from collections.abc import Callable, Iterator

import pytest

from llm_api.upstream import faults
from llm_api.upstream.answers import relay
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.collect import collect_chunks
from tests.upstream.streamed import (
    DONE,
    choice,
    counted,
    ended,
    event,
    more,
    relay_batches,
    stream_of,
    text,
)

BEGINNING = 1_000.0
EMPTY = event(choice({}))
# What comes after the end of an answer whose upstream does not hang up.
NOISE = {
    "silence": b"",
    "comments": b": heartbeat\n\n",
    "events without data": b"data: \n\n",
    "names": b"event: ping\n\n",
    "empty chunks": stream_of(EMPTY),
    "chunks without choices": stream_of(event()),
    "reasons": stream_of(ended()),
}


class Clock:
    """A clock that only the upstream moves."""

    def __init__(self) -> None:
        """Begin at any time."""
        self.now = BEGINNING

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Make a clock that stands."""
    return Clock()


def endless(clock: Clock, noise: bytes, *events: bytes) -> Iterator[bytes]:
    """Yield events and then noise for an hour."""
    yield from (stream_of(one) for one in events)
    for _ in range(36_000):
        clock.now += 0.1
        yield noise


def relayed(
    pieces: Iterator[bytes], clock: Callable[[], float] = time.monotonic, *, choice_count: int = 1
) -> list[bytes]:
    """Return the chunks that are passed on of a stream with its usage."""
    answer = StreamedAnswer(shows_usage=True, choice_count=choice_count)
    batches = relay_batches(pieces, answer, 60.0, clock=clock)
    return [chunk for batch in batches for chunk in batch]


@pytest.mark.parametrize("name", NOISE)
def test_an_answer_with_its_usage_ends_at_once(clock: Clock, name: str) -> None:
    chunks = relayed(endless(clock, NOISE[name], text("Hi"), ended(), counted()), clock)

    assert chunks == [text("Hi"), ended(), counted()]
    assert clock.now == BEGINNING


def test_a_usage_that_came_first_ends_it_at_once_too(clock: Clock) -> None:
    chunks = relayed(endless(clock, b"", text("Hi"), counted(), ended()), clock)

    assert chunks == [text("Hi"), ended(), counted()]
    assert clock.now == BEGINNING


@pytest.mark.parametrize("name", NOISE)
def test_an_answer_without_its_usage_ends_after_a_moment(clock: Clock, name: str) -> None:
    chunks = relayed(endless(clock, NOISE[name], text("Hi"), ended()), clock)

    assert chunks[:2] == [text("Hi"), ended()]
    assert 1 < clock.now - BEGINNING < 3


@pytest.mark.parametrize("name", NOISE)
def test_an_answer_that_is_put_together_ends_as_soon(clock: Clock, name: str) -> None:
    answer = StreamedAnswer()
    pieces = endless(clock, NOISE[name], text("Hi"), ended())

    completion = collect_chunks(relay.events_in(pieces, answer, clock=clock), answer)

    assert completion.text == "Hi"
    assert 1 < clock.now - BEGINNING < 3


def test_the_usage_may_come_within_that_moment() -> None:
    pieces = iter([stream_of(text("Hi"), ended()), b": heartbeat\n\n", b"", stream_of(counted())])

    assert relayed(pieces) == [text("Hi"), ended(), counted()]


def test_a_body_is_hastened_when_its_end_is_due() -> None:
    ticks: list[float] = []
    pieces = [stream_of(text("Hi")), b"", stream_of(ended()), b"", stream_of(DONE)]

    list(relay_batches(pieces, StreamedAnswer(), 60.0, ticks.append))

    assert len(ticks) == 1
    assert 0 < ticks[0] < 2


def test_no_keep_alive_is_due_once_the_answer_has_ended() -> None:
    pieces = [stream_of(text("Hi")), b"", stream_of(ended()), b"", b"", stream_of(DONE)]

    assert list(relay_batches(pieces, StreamedAnswer())) == [[text("Hi")], [], [ended()]]


def test_what_is_said_behind_a_reason_for_the_end_is_passed_on(clock: Clock) -> None:
    """Some relays write it into every chunk."""
    said = [event(choice({"content": word}, finish_reason="stop")) for word in "abc"]

    def slowly() -> Iterator[bytes]:
        for one in said:
            yield stream_of(one)
            for _ in range(3):
                clock.now += 0.5
                yield b""

    assert b"".join(relayed(slowly(), clock)).count(b'"content"') == 3


def test_a_usage_in_every_chunk_is_no_end() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    said = [event(choice({"content": w}, finish_reason="stop"), usage=usage) for w in "abc"]

    assert b"".join(relayed(iter([stream_of(*said, DONE)]))).count(b'"content"') == 3


def test_an_answer_of_several_choices_waits_for_all() -> None:
    first = [event(choice({"content": "a"}, 0)), event(choice({}, 0, finish_reason="stop"))]
    second = [event(choice({"content": "b"}, 1)), event(choice({}, 1, finish_reason="stop"))]
    events = [*first, counted(), *second, counted()]

    chunks = relayed(iter([stream_of(one) for one in events]), choice_count=2)

    assert b'"content":"b"' in b"".join(chunks)


def test_an_answer_that_was_not_finished_waits(clock: Clock) -> None:
    def slowly() -> Iterator[bytes]:
        yield stream_of(text("a"))
        for _ in range(10):
            clock.now += 60
            yield b": heartbeat\n\n"
        yield stream_of(more("b"), ended(), DONE)

    answer = StreamedAnswer()

    chunks = [chunk for batch in relay_batches(slowly(), answer, clock=clock) for chunk in batch]
    assert chunks == [text("a"), more("b"), ended()]


@pytest.mark.parametrize(
    "fault", [faults.timed_out(), faults.while_reading(ConnectionResetError())], ids=["late", "cut"]
)
def test_an_answer_that_is_put_together_needs_no_end_of_its_connection(
    fault: faults.Fault,
) -> None:
    def breaking() -> Iterator[bytes]:
        yield stream_of(text("Hi"), ended())
        raise fault

    answer = StreamedAnswer()

    assert collect_chunks(relay.events_in(breaking(), answer), answer).text == "Hi"
