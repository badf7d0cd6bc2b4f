"""Server-sent events come out right however the bytes were split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.upstream.http.sse import MAX_EVENT_BYTES, EventParser, EventTooLarge

BOM = b"\xef\xbb\xbf"
LINES = (
    b"",
    b"data: hello",
    b"data:no space",
    b"data:  two spaces",
    b'data: {"a": 1}',
    "data: 猫🐈é".encode(),
    "data: a\u2028b\u0085c\x0bd".encode(),
    b"data",
    b"data:",
    b"data : not a field",
    b"datax: not a field",
    b": a comment",
    b":",
    b"id: 7",
    b"retry:3000",
    b"event: message",
    b"data: [DONE]",
)
STREAMS = st.lists(
    st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12
)


def reference(stream: bytes) -> list[bytes]:
    """Read a whole stream at once, in the plainest way the standard can be told."""
    text = stream.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events = []
    for block in (text + b"\n\n").split(b"\n\n"):
        fields = [line.partition(b":") for line in block.split(b"\n")]
        data = [value.removeprefix(b" ") for name, _, value in fields if name == b"data"]
        if data:
            events.append(b"\n".join(data))
    return events


def parsed(pieces: list[bytes], max_event_bytes: int = MAX_EVENT_BYTES) -> list[bytes]:
    parser = EventParser(max_event_bytes)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + list(parser.end())


@st.composite
def split_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    lines = draw(STREAMS)
    tail = draw(st.sampled_from([b"", b"data: the end", b"\n\n"]))
    stream = draw(st.sampled_from([b"", BOM])) + b"".join(a + b for a, b in lines) + tail
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    return stream, [stream[a:b] for a, b in pairwise(edges)]


@given(split_streams())
def test_any_split_of_the_bytes_gives_the_events_of_the_whole(
    case: tuple[bytes, list[bytes]],
) -> None:
    stream, pieces = case

    events = parsed(pieces)

    assert events == reference(stream)


@given(split_streams())
def test_single_bytes_give_the_events_of_the_whole(case: tuple[bytes, list[bytes]]) -> None:
    stream, _ = case

    events = parsed([stream[at : at + 1] for at in range(len(stream))])

    assert events == reference(stream)


@pytest.mark.parametrize("cut", range(1, 24))
def test_cr_and_lf_in_different_reads_end_one_line(cut: int) -> None:
    stream = b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"

    events = parsed([stream[:cut], stream[cut:]])

    assert events == [b"a\nb", b"c"]


def test_a_character_cut_in_two_stays_whole() -> None:
    stream = "data: 猫\n\n".encode()

    events = parsed([stream[:7], stream[7:]])

    assert events == ["猫".encode()]


def test_only_cr_and_lf_end_a_line() -> None:
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf"

    events = parsed([f"data: {text}\n\n".encode()])

    assert events == [text.encode()]


def test_an_event_leaves_as_soon_as_its_blank_line_is_there() -> None:
    parser = EventParser()

    events = list(parser.feed(b"data: first\n\ndata: sec"))

    assert events == [b"first"]


def test_the_last_event_needs_no_blank_line() -> None:
    parser = EventParser()
    early = list(parser.feed(b"data: [DONE]"))

    late = list(parser.end())

    assert (early, late) == ([], [b"[DONE]"])


def test_a_stream_of_comments_has_no_event() -> None:
    assert parsed([b": ping\n\n: ping\n\n"]) == []


def test_an_event_at_the_cap_passes() -> None:
    parser = EventParser(max_event_bytes=10)

    events = list(parser.feed(b"data: 1234\n\n"))

    assert events == [b"1234"]


def test_a_line_without_an_end_is_given_up_at_the_cap() -> None:
    with pytest.raises(EventTooLarge):
        parsed([b"x"] * 11, max_event_bytes=10)


def test_many_short_lines_of_one_event_are_given_up_at_the_cap() -> None:
    with pytest.raises(EventTooLarge):
        parsed([b"data:x\n"] * 11, max_event_bytes=10)


def test_empty_lines_of_one_event_are_given_up_at_the_cap() -> None:
    with pytest.raises(EventTooLarge):
        parsed([b"data\n"] * 1000, max_event_bytes=10)


def test_the_cap_counts_one_event_and_not_the_stream() -> None:
    parser = EventParser(max_event_bytes=16)

    events = [event for _ in range(100) for event in parser.feed(b"data: 123456\n\n")]

    assert events == [b"123456"] * 100


@pytest.mark.parametrize("read_bytes", [1, 1_460, 65_536])
def test_a_large_event_is_whole_in_reads_of_any_size(read_bytes: int) -> None:
    payload = b"x" * (MAX_EVENT_BYTES - 1_000)
    stream = b"data: " + payload + b"\n\n"

    assert parsed([stream[at : at + read_bytes] for at in range(0, len(stream), read_bytes)]) == [
        payload
    ]
