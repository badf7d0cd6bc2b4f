"""A body is read as it comes in: at once, without a byte lost, and without waiting for ever."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from llm_api.upstream.faults import Fault
from llm_api.upstream.http.framing import receive_head
from llm_api.upstream.http.response_body import (
    IncomingBody,
    RawBody,
    UpstreamResponse,
    read_body,
)
from tests.support.wire import chunk_bytes, message_bytes

PATIENT = 30.0
TICK = 0.02
CHUNKED = ("Transfer-Encoding", "chunked")
EVENTS = [b"data: first\n\n", "data: 猫\n\n".encode(), b"data: [DONE]\n\n"]
BODY = b"".join(EVENTS)


class Wire:
    """A connection: the upstream's end is written to, the other has the answer to read."""

    def __init__(self) -> None:
        """Connect both ends."""
        self.upstream, self.near = socket.socketpair()

    def send(self, payload: bytes) -> None:
        """Send bytes as the upstream does."""
        self.upstream.sendall(payload)

    def answer(self, *headers: tuple[str, str]) -> UpstreamResponse:
        """Send the head of an answer and return the answer, with its body unread."""
        self.send(message_bytes("HTTP/1.1 200 OK", headers, b""))
        head, came = receive_head(self.near)
        return UpstreamResponse(head, RawBody(self.near, head, came))

    def pieces(
        self, *headers: tuple[str, str], idle: float = PATIENT, tick: float = PATIENT
    ) -> Iterator[bytes]:
        """Send the head of an answer and return its body, as it will come in."""
        return pieces_of(IncomingBody(self.answer(*headers), idle=idle, tick=tick))

    def close(self) -> None:
        """Close both ends."""
        self.upstream.close()
        self.near.close()

    def hang_up(self) -> None:
        """Close the upstream's end."""
        self.upstream.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Connect two sockets."""
    made = Wire()
    yield made
    made.close()


def pieces_of(body: IncomingBody) -> Iterator[bytes]:
    """Return the pieces of a body, as they will come in."""
    while (piece := body.next_piece()) is not None:
        yield piece


def chunked(*pieces: bytes) -> bytes:
    """Make a chunked body of pieces, without its end."""
    return b"".join(map(chunk_bytes, pieces))


def reason_of(pieces: Iterator[bytes]) -> str:
    """Return why a body cannot be read to its end."""
    with pytest.raises(Fault) as raised:
        list(pieces)
    return raised.value.error.reason


FRAMINGS = {
    "chunked": ([CHUNKED], chunked(*EVENTS, b"")),
    "length": ([("Content-Length", str(len(BODY)))], BODY),
    "close": ([], BODY),
}


# --- whole bodies ---


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_is_read_to_its_end(wire: Wire, framing: str) -> None:
    headers, sent = FRAMINGS[framing]
    pieces = wire.pieces(*headers)
    wire.send(sent)
    wire.hang_up()

    assert b"".join(pieces) == BODY


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_body_that_says_where_it_ends_needs_no_end_of_its_connection(
    wire: Wire, framing: str
) -> None:
    headers, sent = FRAMINGS[framing]
    pieces = wire.pieces(*headers)
    wire.send(sent)

    assert b"".join(pieces) == BODY


@pytest.mark.parametrize("framing", FRAMINGS)
def test_what_has_come_is_given_at_once(wire: Wire, framing: str) -> None:
    headers, _ = FRAMINGS[framing]
    frame = chunk_bytes if framing == "chunked" else bytes
    pieces = wire.pieces(*headers)

    for event in EVENTS:
        wire.send(frame(event))
        assert next(pieces) == event


def test_part_of_a_chunk_is_given_at_once(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(b"20\r\ndata: fir")

    assert next(pieces) == b"data: fir"


def test_chunks_that_have_piled_up_come_in_one_piece(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(chunked(*EVENTS))

    assert next(pieces) == BODY


def test_a_thousand_chunks_that_have_piled_up_come_in_few_pieces(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(chunked(*[EVENTS[0]] * 1_000, b""))

    read = list(pieces)

    assert b"".join(read) == EVENTS[0] * 1_000
    assert len(read) <= 10


@pytest.mark.parametrize("begun", [b"1", b"1c", b"1c\r", b"1c;name=value"])
def test_what_has_come_does_not_wait_for_a_chunk_that_has_only_begun(
    wire: Wire, begun: bytes
) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(chunked(EVENTS[0]) + begun)

    assert next(pieces) == EVENTS[0]


def test_what_has_come_does_not_wait_for_the_end_of_its_chunk(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(chunked(EVENTS[0])[:-2])

    assert next(pieces) == EVENTS[0]


def test_extensions_and_trailers_of_chunks_are_no_part_of_the_body(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(b"5;name=value\r\nHello\r\n0;last\r\nTrailer: yes\r\n\r\n")

    assert b"".join(pieces) == b"Hello"


# --- silence ---


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_silence_is_told_and_loses_no_byte_wherever_it_is(framing: str) -> None:
    headers, sent = FRAMINGS[framing]

    for cut in range(len(sent)):
        wire = Wire()
        pieces = wire.pieces(*headers, tick=TICK)
        wire.send(sent[:cut])
        read = b"".join(iter(lambda pieces=pieces: next(pieces), b""))
        wire.send(sent[cut:])
        wire.hang_up()
        read += b"".join(pieces)
        wire.close()
        assert read == BODY, cut


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ([CHUNKED], b""),
        ([CHUNKED], b"20\r\ndata: "),
        ([CHUNKED], b"6\r\ndata: \r\n"),
        ([("Content-Length", "20")], b""),
        ([("Content-Length", "20")], b"data: "),
        ([], b""),
        ([], b"data: "),
    ],
)
def test_every_tick_of_a_silence_is_told(
    wire: Wire, headers: list[tuple[str, str]], sent: bytes
) -> None:
    pieces = wire.pieces(*headers, tick=TICK)
    wire.send(sent)
    if sent:
        assert next(pieces) == b"data: "
    began_at = time.monotonic()

    assert [next(pieces) for _ in range(3)] == [b""] * 3

    assert time.monotonic() - began_at >= 3 * TICK * 0.9


@pytest.mark.parametrize(
    "sent",
    [b"", b"2", b"20\r", b"20\r\n", b"20\r\ndata", b"4\r\ndata", b"4\r\ndata\r", b"4\r\ndata\r\n"],
)
def test_a_silence_that_is_too_long_is_a_time_out_wherever_it_is(wire: Wire, sent: bytes) -> None:
    pieces = wire.pieces(CHUNKED, idle=0.1, tick=TICK)
    wire.send(sent)
    began_at = time.monotonic()

    assert reason_of(pieces) == "upstream_timeout"

    assert time.monotonic() - began_at >= 0.09


@pytest.mark.parametrize("headers", [[], [("Content-Length", "9")]], ids=["close", "length"])
def test_a_silence_that_is_too_long_is_a_time_out_in_every_framing(
    wire: Wire, headers: list[tuple[str, str]]
) -> None:
    pieces = wire.pieces(*headers, idle=0.1, tick=TICK)
    wire.send(b"data: ")

    assert reason_of(pieces) == "upstream_timeout"


def test_a_silence_shorter_than_a_tick_is_not_told(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED, idle=0.1, tick=PATIENT)

    assert reason_of(pieces) == "upstream_timeout"


def test_the_time_that_a_slow_client_takes_is_no_silence_of_the_upstream(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED, idle=0.05, tick=0.05)
    wire.send(chunked(EVENTS[0]))
    next(pieces)
    wire.send(chunked(EVENTS[1]))

    time.sleep(0.1)  # nobody looks at the next piece meanwhile

    assert next(pieces) == EVENTS[1]


# --- ends ---


@pytest.mark.parametrize(
    "sent", [b"", b"2", b"20\r\n", b"20\r\ndata: ", b"6\r\ndata: ", b"6\r\ndata: \r\n"]
)
def test_a_chunked_body_that_breaks_off_is_told(wire: Wire, sent: bytes) -> None:
    response = wire.answer(CHUNKED)
    pieces = pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT))
    wire.send(sent)
    wire.hang_up()

    assert reason_of(pieces) == "upstream_disconnected"
    assert not response.raw.is_reusable


@pytest.mark.parametrize("sent", [b"zz\r\n", b"-5\r\n", b"6\r\ndata: XX\r\n"])
def test_a_chunk_that_is_malformed_is_a_fault(wire: Wire, sent: bytes) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(sent)
    wire.hang_up()

    assert reason_of(pieces) in {"upstream_disconnected", "upstream_bad_response"}


def test_a_body_shorter_than_its_length_is_not_read_as_whole(wire: Wire) -> None:
    pieces = wire.pieces(("Content-Length", "20"))
    wire.send(b"data: ")
    wire.hang_up()

    assert reason_of(pieces) == "upstream_disconnected"


def test_a_connection_that_is_reset_is_told(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED)
    wire.send(chunked(EVENTS[0]))
    assert next(pieces) == EVENTS[0]
    wire.near.shutdown(socket.SHUT_RDWR)

    assert reason_of(pieces) == "upstream_disconnected"


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("excess", [b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 20_000])
def test_whatever_stands_behind_a_whole_body_does_not_spoil_it(
    wire: Wire, framing: str, excess: bytes
) -> None:
    headers, sent = FRAMINGS[framing]
    response = wire.answer(*headers)
    wire.send(sent + excess)

    pieces = pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT))

    assert b"".join(pieces) == BODY
    assert not response.raw.is_reusable


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_over_its_cap_is_given_up(wire: Wire, framing: str) -> None:
    headers, sent = FRAMINGS[framing]
    response = wire.answer(*headers)
    wire.send(sent)
    wire.hang_up()

    pieces = pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT, max_bytes=len(BODY) - 1))

    assert reason_of(pieces) == "upstream_too_large"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_at_its_cap_is_read(wire: Wire, framing: str) -> None:
    headers, sent = FRAMINGS[framing]
    response = wire.answer(*headers)
    wire.send(sent)
    wire.hang_up()

    assert read_body(response, max_bytes=len(BODY)) == BODY


# --- compression ---


def compressed(*events: bytes) -> list[bytes]:
    """Compress events as a server does that sends each at once."""
    compressor = zlib.compressobj(wbits=31)
    return [compressor.compress(one) + compressor.flush(zlib.Z_SYNC_FLUSH) for one in events]


@pytest.mark.parametrize("end", [b"", chunk_bytes(b"")], ids=["later", "at once"])
def test_events_compressed_unasked_are_inflated_as_they_come(wire: Wire, end: bytes) -> None:
    pieces = wire.pieces(CHUNKED, ("Content-Encoding", "gzip"))

    for event, sent in zip(EVENTS, compressed(*EVENTS), strict=True):
        wire.send(chunk_bytes(sent) + end * (event is EVENTS[-1]))
        assert next(pieces) == event


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_compressed_body_is_inflated_to_its_end(wire: Wire, framing: str) -> None:
    body = gzip.compress(BODY)
    headers = {"chunked": [CHUNKED], "length": [("Content-Length", str(len(body)))]}
    pieces = wire.pieces(*headers.get(framing, []), ("Content-Encoding", "gzip"))
    wire.send(chunked(body[:9], body[9:], b"") if framing == "chunked" else body)
    wire.hang_up()

    assert b"".join(pieces) == BODY


@pytest.mark.parametrize("excess", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_of_a_compressed_body_that_breaks_the_chunks_before_are_passed_on(
    wire: Wire, excess: bytes
) -> None:
    response = wire.answer(CHUNKED, ("Content-Encoding", "gzip"))
    sent = [*compressed(*EVENTS), b"\xff" * 64, b""]
    wire.send(b"".join(map(chunk_bytes, sent)) + excess)

    pieces = pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT))

    assert [next(pieces) for _ in EVENTS] == EVENTS
    assert reason_of(pieces) == "upstream_bad_response"
    assert not response.raw.is_reusable


def test_a_silence_in_a_compressed_body_is_a_time_out(wire: Wire) -> None:
    pieces = wire.pieces(CHUNKED, ("Content-Encoding", "gzip"), idle=0.1)
    wire.near.settimeout(0.1)
    wire.send(chunk_bytes(compressed(EVENTS[0])[0]))

    assert reason_of(pieces) == "upstream_timeout"


def test_a_compressed_stream_that_is_a_bomb_is_given_up(wire: Wire) -> None:
    response = wire.answer(CHUNKED, ("Content-Encoding", "gzip"))
    wire.send(chunk_bytes(gzip.compress(bytes(1 << 20))) + chunk_bytes(b""))

    pieces = pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT, max_bytes=1 << 16))

    assert reason_of(pieces) == "upstream_too_large"


def test_the_connection_of_a_compressed_body_that_is_left_is_not_used_again(wire: Wire) -> None:
    response = wire.answer(CHUNKED, ("Content-Encoding", "gzip"))
    body = IncomingBody(response, idle=PATIENT, tick=PATIENT)
    pieces = pieces_of(body)
    wire.send(chunk_bytes(compressed(EVENTS[0])[0]))
    next(pieces)

    pieces.close()
    body.drain(TICK)

    assert not response.raw.is_reusable


def test_the_connection_of_a_compressed_body_that_was_read_is_used_again(wire: Wire) -> None:
    body = gzip.compress(BODY)
    response = wire.answer(("Content-Length", str(len(body))), ("Content-Encoding", "gzip"))
    wire.send(body)

    assert read_body(response) == BODY

    assert response.raw.is_reusable


@pytest.mark.parametrize("headers", [[CHUNKED], [], [("Content-Length", "9")]], ids=str)
def test_a_reset_between_the_headers_and_the_body_is_a_fault(
    headers: list[tuple[str, str]],
) -> None:
    wire = Wire()
    response = wire.answer(*headers)
    wire.near.send(b"what the upstream never reads")  # so that its close is a reset
    wire.hang_up()

    with pytest.raises(Fault) as raised:
        list(pieces_of(IncomingBody(response, idle=PATIENT, tick=PATIENT)))

    assert raised.value.error.reason == "upstream_disconnected"
    assert not response.raw.is_reusable
    wire.close()


# --- the rest of a body ---


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_the_rest_of_a_body_is_drained(wire: Wire, framing: str) -> None:
    headers, sent = FRAMINGS[framing]
    response = wire.answer(*headers)
    body = IncomingBody(response, idle=PATIENT, tick=PATIENT)
    wire.send(sent[:8])
    next(pieces_of(body))
    wire.send(sent[8:])

    body.drain(PATIENT)

    assert response.raw.is_reusable


@pytest.mark.parametrize("sent", [b"", b"4", b"4\r\nda", b"4\r\ndata", b"4\r\ndata\r\n", b"zz\r\n"])
def test_a_rest_that_does_not_come_is_not_waited_for(wire: Wire, sent: bytes) -> None:
    response = wire.answer(CHUNKED)
    wire.send(sent)

    IncomingBody(response, idle=PATIENT, tick=PATIENT).drain(TICK)

    assert not response.raw.is_reusable


def test_a_rest_that_goes_on_and_on_is_not_waited_for(wire: Wire) -> None:
    body = IncomingBody(wire.answer(CHUNKED), idle=PATIENT, tick=PATIENT)
    is_over = threading.Event()

    def go_on() -> None:
        for _ in range(2_000):
            if is_over.wait(0.01):
                return
            wire.send(chunk_bytes(b": busy\n"))
        is_over.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    body.drain(0.1)
    was_over = is_over.is_set()
    is_over.set()
    thread.join()

    assert not was_over
