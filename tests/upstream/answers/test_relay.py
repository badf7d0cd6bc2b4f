"""The bytes of a streamed answer become batches of chunks, however they were split."""

import time
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.calls import TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.relay import events_in
from llm_api.upstream.faults import Fault
from llm_api.upstream.http.sse import MAX_EVENT_BYTES
from tests.upstream.streamed import (
    DONE,
    choice,
    counted,
    ended,
    event,
    more,
    relay_batches,
    stream_of,
    taken,
    text,
)

READ_BYTES = 65_536
WHOLE = (text("猫"), more(" says "), more("hi"), ended(), counted(), DONE)
ERROR = b'{"error":{"code":429,"message":"slow down"}}'
# A whole answer in one event, but for the mark of its end.
ALL = event(choice({"role": "assistant", "content": "a"}, finish_reason="stop"))
DISCONNECTED = faults.while_reading(ConnectionResetError())


def batches_of(*pieces: bytes, shows_usage: bool = True) -> list[list[bytes]]:
    """Return the batches that the pieces of a stream become."""
    return list(relay_batches(pieces, StreamedAnswer(shows_usage=shows_usage)))


def outcome(pieces: Iterable[bytes]) -> tuple[list[bytes], str | None]:
    """Return the chunks that are passed on, and why no more are."""
    chunks: list[bytes] = []
    try:
        for batch in relay_batches(pieces, StreamedAnswer(shows_usage=True)):
            chunks += batch
    except Fault as fault:
        return chunks, fault.error.reason
    return chunks, None


def breaking(*pieces: bytes, fault: Fault = DISCONNECTED) -> Iterator[bytes]:
    """Yield pieces, and break off."""
    yield from pieces
    raise fault


# --- batches ---


def test_what_comes_in_together_is_passed_on_together() -> None:
    stream = stream_of(*WHOLE)

    assert batches_of(stream) == [[*WHOLE[:4]], [counted()]]


def test_what_comes_in_alone_is_passed_on_alone() -> None:
    pieces = [stream_of(one) for one in WHOLE]

    assert batches_of(*pieces) == [[one] for one in WHOLE[:5]]


def test_an_event_is_passed_on_before_the_next_piece_is_asked_for() -> None:
    pieces = iter([stream_of(text("a")), stream_of(DONE)])

    batches = relay_batches(pieces, StreamedAnswer())

    assert next(batches) == [text("a")]
    assert next(pieces) == stream_of(DONE)


def test_a_silence_is_an_empty_batch_until_the_answer_has_ended() -> None:
    batches = batches_of(stream_of(text("a")), b"", b"", stream_of(ended()), b"", stream_of(DONE))

    assert batches == [[text("a")], [], [], [ended()]]


def test_a_silence_in_the_middle_of_an_event_is_an_empty_batch() -> None:
    stream = stream_of(ALL, DONE)

    assert batches_of(stream[:20], b"", stream[20:]) == [[], [ALL]]


@pytest.mark.parametrize("said", [b": keep-alive\n\n", b"event: message\n", stream_of(counted())])
def test_what_is_not_passed_on_does_not_hide_a_silence(said: bytes) -> None:
    def slowly() -> Iterator[bytes]:
        yield stream_of(text("a"))
        for _ in range(2):
            time.sleep(0.05)
            yield said
        yield stream_of(ended(), DONE)

    batches = list(relay_batches(slowly(), StreamedAnswer(), 0.04))

    assert batches == [[text("a")], [], [], [ended()]]


def test_a_silence_begins_when_something_was_passed_on() -> None:
    pieces = [stream_of(text("a")), b": keep-alive\n\n", stream_of(ended(), DONE)]

    assert list(relay_batches(pieces, StreamedAnswer(), 60)) == [[text("a")], [ended()]]


@pytest.mark.parametrize("said", [b": ping\n\n", b"event: message\n", b"id: 7\nretry: 3\n\n"])
def test_what_is_not_data_makes_no_batch(said: bytes) -> None:
    assert batches_of(said, stream_of(ALL, DONE)) == [[ALL]]


def test_the_fields_of_an_event_beside_its_data_are_not_passed_on() -> None:
    framed = b"id: 7\nevent: chunk\nretry: 3\n" + stream_of(ALL)

    assert outcome([framed, stream_of(DONE)]) == ([ALL], None)


# --- any split ---

TAILS = (
    b"",
    b"\n",
    stream_of(text("late")),
    stream_of(text("late"))[:-2],
    stream_of(ERROR),
    stream_of(ERROR)[:-2],
    b"data: no JSON",
)


@st.composite
def split_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Make a stream that ends in one of many ways, and a split of its bytes."""
    kinds = [text("猫"), more("x"), ended(), counted(), ERROR, b"{", event(choice({}, 1))]
    events = draw(st.lists(st.sampled_from(kinds), max_size=4))
    end = draw(st.sampled_from([b"", stream_of(DONE), b"data: [DONE]", b"data: [DO"]))
    line_end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    stream = stream_of(*events) + end + draw(st.sampled_from(TAILS))
    stream = stream.replace(b"\n", line_end)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=6))
    return stream, [stream[a:b] for a, b in pairwise([0, *sorted(cuts), len(stream)])]


@given(split_streams())
def test_any_split_of_the_bytes_gives_the_chunks_of_the_whole(
    case: tuple[bytes, list[bytes]],
) -> None:
    stream, pieces = case

    assert outcome(pieces) == outcome([stream])


@given(split_streams())
def test_single_bytes_give_the_chunks_of_the_whole(case: tuple[bytes, list[bytes]]) -> None:
    stream, _ = case

    assert outcome(stream[at : at + 1] for at in range(len(stream))) == outcome([stream])


def test_wherever_a_whole_answer_is_split_in_two_it_stays_whole() -> None:
    stream = stream_of(*WHOLE)

    for cut in range(len(stream)):
        assert outcome([stream[:cut], stream[cut:]]) == (taken(WHOLE, shows_usage=True), None)


def test_no_batch_is_empty_but_for_a_silence() -> None:
    """An empty batch is a ping to the client."""
    stream = stream_of(*WHOLE)

    for cut in range(1, len(stream)):
        for shows_usage in (True, False):
            assert [] not in batches_of(stream[:cut], stream[cut:], shows_usage=shows_usage)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_lines_may_end_as_they_like(line_end: bytes) -> None:
    stream = stream_of(*WHOLE).replace(b"\n", line_end)

    assert outcome([stream]) == (taken(WHOLE, shows_usage=True), None)


# --- ends ---


@pytest.mark.parametrize("end", [b"data: [DONE]\n", b"data: [DONE]", b"data:[DONE]\n\n"])
def test_the_mark_of_the_end_needs_no_blank_line(end: bytes) -> None:
    assert outcome([stream_of(ALL), end]) == ([ALL], None)


@pytest.mark.parametrize("late", TAILS)
def test_what_comes_after_the_mark_of_the_end_is_not_looked_at(late: bytes) -> None:
    assert outcome([stream_of(ALL, DONE) + late]) == ([ALL], None)


def test_nothing_is_read_behind_the_mark_of_the_end() -> None:
    pieces = iter([stream_of(ALL, DONE), stream_of(text("late"))])

    list(relay_batches(pieces, StreamedAnswer()))

    assert next(pieces) == stream_of(text("late"))


@pytest.mark.parametrize("half", [b"", b"data: ", b'data: {"id":', b"data: [DO", b"\n"])
def test_half_an_event_at_the_end_is_no_event(half: bytes) -> None:
    assert outcome([stream_of(text("a"), ended()) + half]) == ([text("a"), ended()], None)


@pytest.mark.parametrize("half", [b"", b"data: ", b'data: {"id":', b"data: [DO", b"\n"])
def test_an_answer_without_an_end_is_cut_whatever_it_ends_on(half: bytes) -> None:
    assert outcome([stream_of(text("a")) + half]) == ([text("a")], "upstream_truncated")


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_the_last_event_needs_no_blank_line(end: bytes) -> None:
    pieces = [stream_of(text("a")), b"data: " + ended() + end]

    assert outcome(pieces) == ([text("a"), ended()], None)


def test_the_usage_that_comes_last_needs_no_blank_line() -> None:
    pieces = [stream_of(text("a"), ended()), b"data: " + counted()]

    assert outcome(pieces) == ([text("a"), ended(), counted()], None)


@pytest.mark.parametrize("end", [b"\n\n", b""])
def test_an_error_may_be_the_last_event(end: bytes) -> None:
    pieces = [stream_of(text("a")), b"data: " + ERROR + end]

    assert outcome(pieces) == ([text("a")], "upstream_rate_limited")


def test_what_came_before_an_error_is_passed_on_first() -> None:
    stream = stream_of(text("a"), more("b"), ERROR, more("c"), DONE)

    assert outcome([stream]) == ([text("a"), more("b")], "upstream_rate_limited")


def test_a_connection_that_breaks_off_cuts_the_answer() -> None:
    assert outcome(breaking(stream_of(text("a")))) == ([text("a")], "upstream_truncated")


@pytest.mark.parametrize("fault", [DISCONNECTED, faults.timed_out()], ids=["reset", "silence"])
def test_an_answer_that_ended_needs_no_end_of_its_connection(fault: Fault) -> None:
    pieces = breaking(stream_of(text("a"), ended()), fault=fault)

    assert outcome(pieces) == ([text("a"), ended()], None)


def test_an_answer_that_is_silent_for_too_long_is_a_time_out() -> None:
    pieces = breaking(stream_of(text("a")), b"", fault=faults.timed_out())

    assert outcome(pieces) == ([text("a")], "upstream_timeout")


@pytest.mark.parametrize("stream", [b"", b": ping\n\n", stream_of(DONE)])
def test_a_stream_without_a_chunk_is_a_bad_response(stream: bytes) -> None:
    assert outcome([stream]) == ([], "upstream_bad_response")


# --- bounds ---


def test_fifty_megabytes_without_a_line_end_are_given_up_at_thirty_two() -> None:
    pieces = iter([stream_of(text("a")), *[b"data: " + b"x" * (READ_BYTES - 6)] * 800])

    assert outcome(pieces) == ([text("a")], "upstream_too_large")

    left = sum(map(len, pieces))
    assert left >= 800 * READ_BYTES - MAX_EVENT_BYTES - READ_BYTES


def test_more_lines_than_an_event_has_are_given_up() -> None:
    pieces = [b"data: x\n" * (READ_BYTES // 8)] * 800

    assert outcome(pieces) == ([], "upstream_too_large")


@pytest.mark.parametrize("read_bytes", [1_460, READ_BYTES, MAX_EVENT_BYTES])
def test_an_event_as_large_as_an_answer_passes(read_bytes: int) -> None:
    large = text("")
    large = text("x" * (MAX_EVENT_BYTES - 1_000 - len(large)))
    stream = stream_of(large, ended(), DONE)

    chunks, reason = outcome(
        stream[at : at + read_bytes] for at in range(0, len(stream), read_bytes)
    )

    sizes = [MAX_EVENT_BYTES - 1_000, len(ended())]
    assert ([len(chunk) for chunk in chunks], reason) == (sizes, None)


def test_what_came_before_an_event_that_is_too_large_is_passed_on_first() -> None:
    stream = stream_of(text("a")) + b"data: " + b"x" * (MAX_EVENT_BYTES + 1)

    assert outcome([stream]) == ([text("a")], "upstream_too_large")


# --- what becomes known of the answer ---


def test_the_usage_is_noted_where_it_is_not_shown() -> None:
    answer = StreamedAnswer()

    list(relay_batches([stream_of(*WHOLE)], answer))

    assert answer.usage == TokenUsage(5, 2, "upstream")
    assert (answer.is_over, answer.has_finished, answer.is_complete) == (True, True, True)


def test_the_texts_are_noted_to_count_them() -> None:
    answer = StreamedAnswer()
    thought = event(choice({"role": "assistant", "reasoning_content": "Hm."}))

    list(relay_batches([stream_of(thought, more("Hi"), ended(), DONE)], answer))

    assert answer.length == TextLength(in_ascii=5)


def test_the_events_of_pieces_are_read_one_by_one() -> None:
    stream = stream_of(*WHOLE)

    events = list(events_in([stream[:10], stream[10:30], stream[30:]], StreamedAnswer()))

    assert events == list(WHOLE)


def test_an_event_that_is_too_large_to_put_together_is_a_fault() -> None:
    with pytest.raises(Fault) as raised:
        list(events_in([b"x" * READ_BYTES] * 513, StreamedAnswer()))

    assert raised.value.error.reason == "upstream_too_large"
