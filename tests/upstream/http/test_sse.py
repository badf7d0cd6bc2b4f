"""Server-sent events come out right however the bytes were split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.upstream.http.sse import (
    MAX_EVENT_BYTES,
    ErrorEvent,
    EventParser,
    EventTooLarge,
    is_stream,
)
from tests.support.tables import each

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
        if b"".join(data).strip():
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


@each("cut", range(1, 24))
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


@each("read_bytes", [1, 1_460, 65_536])
def test_a_large_event_is_whole_in_reads_of_any_size(read_bytes: int) -> None:
    payload = b"x" * (MAX_EVENT_BYTES - 1_000 if read_bytes > 1 else 1_000_000)
    stream = b"data: " + payload + b"\n\n"

    assert parsed([stream[at : at + read_bytes] for at in range(0, len(stream), read_bytes)]) == [
        payload
    ]


def test_more_lines_than_any_event_has_are_given_up() -> None:
    with pytest.raises(EventTooLarge):
        parsed([b"data: x\n" * 1_000] * 66)


# --- events that say nothing, and those that say that something went wrong ---


@each(
    "nothing",
    [
        b"data: \n\n",
        b"data:\n\n",
        b"data\n\n",
        b"data:  \t \n\n",
        b"data:\ndata: \n\n",
        b"event: ping\n\n",
        b"event: ping\ndata:\n\n",
        b'event: ping\ndata: {"type":"ping"}\n\n',
        b"event: keep-alive\ndata: 1700000000\n\n",
        b"data: .\nevent: HeartBeat\n\n",
        b"event: error\n\n",
        b"id: 7\nretry: 3000\n\n",
        b": OPENROUTER PROCESSING\n\n",
    ],
)
@each("line_end", [b"\n", b"\r\n"])
def test_an_event_without_data_says_nothing(nothing: bytes, line_end: bytes) -> None:
    stream = b"data: a\n\n" + nothing * 2 + b"data: b\n\n"

    assert parsed([stream.replace(b"\n", line_end)]) == [b"a", b"b"]


@each("name", [b"event: error", b"event:error", b"event: Error "])
@each("data", [b'data: {"message":"overloaded"}', b"data: overloaded", b"data:"])
@each("is_name_first", [True, False])
def test_an_event_named_error_is_marked(name: bytes, data: bytes, *, is_name_first: bool) -> None:
    lines = [name, data] if is_name_first else [data, name]

    *_, failed, last = parsed([b"data: a\n\n" + b"\n".join(lines) + b"\n\ndata: b\n\n"])

    assert type(failed) is ErrorEvent
    assert failed == data.removeprefix(b"data:").strip()
    assert type(last) is bytes


@each("form", [b"error: %b", b"error:%b", b"%b"])
def test_an_error_in_a_field_of_its_own_or_in_none_is_marked(form: bytes) -> None:
    """llama.cpp has had such a field, and a relay that fails writes JSON into the stream."""
    error = b'{"error":{"code":500,"message":"no"}}'

    _, failed, last = parsed([b"data: a\n\n" + form % error + b"\n\ndata: b\n\n"])

    assert (type(failed), failed) == (ErrorEvent, error)
    assert type(last) is bytes


@each(
    "name",
    [b"message", b"errors", b"thread.message.delta", b"", b"no error", b"pinged", b"shipping"],
)
def test_an_event_of_another_name_is_not_marked(name: bytes) -> None:
    [one] = parsed([b"event: " + name + b"\ndata: a\n\n"])

    assert type(one) is bytes


# --- what a body is ---


@each(
    "body",
    [
        b"data: {}\n\n",
        b'error: {"code":500}\n\n',
        b'data:{"a":1}\n\n',
        b": ping\n\n",
        b":\n",
        b"event: message\ndata: {}\n\n",
        b"id: 1\ndata: {}\n\n",
        b"retry: 3000\n\n",
        BOM + b"data: {}\n\n",
        b"\n\r\n  data: {}\n\n",
        b"data\n\n: x",
    ],
)
def test_a_body_that_begins_with_a_field_is_a_stream(body: bytes) -> None:
    assert is_stream(body) is True
    assert False not in [is_stream(body[:cut]) for cut in range(len(body))]


@each(
    "body",
    [
        b'{"choices":[]}',
        b' \n{"a":1}',
        BOM + b'{"a":1}',
        b"[1]",
        b"<html>",
        b"null",
        b'"data: x"',
        b"Internal Server Error",
        b"error: overloaded",
        b"database: gone",
        b"event_id: 5",
        b"identity: x",
        b"retrying in 5 s",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_any_other_body_is_none(body: bytes) -> None:
    assert is_stream(body) is False
    assert True not in [is_stream(body[:cut]) for cut in range(len(body))]


@each("body", [b"", b" \n", BOM, BOM[:2], b"dat", b"e"])
def test_a_few_bytes_may_not_tell_what_a_body_is(body: bytes) -> None:
    assert is_stream(body) is None


WHOLE = [
    *(b"data: a\n\n", b"data: a\n\ndata: b\n\n", b"data: a\n\ndata: \n\n", b"data: \n\n"),
    *(b"data:  \n\n", b"data: a\n\n: x\n\ndata: b\n\n", b"data: a\ndata: b\n\n", b"data: a\n\n\n"),
    *(b"data: a\r\n\r\n", b"data: a\rdata: b\n\n", b"\n\n", b"data: a", b"\r", BOM, b": x\n"),
    *(
        b"event: error\n",
        b"event: ping\n",
        b"id: 1\ndata: a\n\n",
        b'error: {"a":1}\n\n',
        b"data: c\n",
    ),
]


@given(st.lists(st.sampled_from(WHOLE), max_size=8))
def test_pieces_of_whole_events_are_read_as_byte_by_byte(pieces: list[bytes]) -> None:
    single = [bytes([byte]) for byte in b"".join(pieces)]

    at_once, slowly = parsed(pieces), parsed(single)

    assert at_once == slowly
    assert [type(event) for event in at_once] == [type(event) for event in slowly]


def test_an_event_that_is_whole_and_too_large_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        parsed([b"data: " + b"x" * 50 + b"\n\n"], max_event_bytes=40)
