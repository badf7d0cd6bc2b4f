"""A stream that is not read to its end spoils no other: its connection is not used again."""

import threading
import zlib
from collections.abc import Callable

import pytest

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.errors import ApiError
from tests.support import replies
from tests.support.peer import Peer, RecordedRequest
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import chunk_bytes, message_bytes, response_bytes
from tests.upstream.asker import STREAMED, Asker, described
from tests.upstream.streamed import DONE, ended, more, stream_of, text
from tests.upstream.streaming import SHOWN, SSE, WHOLE, batches, events_reply, stream

AskerOf = Callable[..., Asker]

CHUNKED = ("Transfer-Encoding", "chunked")
GZIP = ("Content-Encoding", "gzip")
MODES = ["identity", "gzip"]
PATIENCE = 20


class Going:
    """A stream that goes on for a minute, unless its client leaves."""

    def __init__(self, mode: str, *events: bytes, later: bytes) -> None:
        """Take the events that come at once, and what comes again and again after them."""
        self.is_over = threading.Event()
        self.has_come_to_its_end = False
        self._mode = mode
        self._events = events
        self._later = later

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write; a client that speaks has taken the connection for free."""
        try:
            return self._write(peer)
        finally:
            self.is_over.set()

    def _write(self, peer: Peer) -> bool:
        compressor = zlib.compressobj(wbits=31)

        def frame(content: bytes) -> bytes:
            if self._mode == "identity":
                return chunk_bytes(content)
            compressed = compressor.compress(content)
            return chunk_bytes(compressed + compressor.flush(zlib.Z_SYNC_FLUSH))

        headers = [SSE, CHUNKED, *([GZIP] if self._mode == "gzip" else [])]
        peer.send(message_bytes("HTTP/1.1 200 OK", headers, frame(stream_of(*self._events))))
        for _ in range(3_000):
            if not peer.stay_silent(0.02):
                return False
            peer.send(frame(self._later))
        self.has_come_to_its_end = True
        peer.send(chunk_bytes(b""))
        return True


@pytest.mark.parametrize("mode", MODES)
def test_a_stream_that_is_left_ends_at_the_upstream(
    upstream: ScriptedUpstream, asker: Asker, mode: str
) -> None:
    going = Going(mode, text("Hel"), later=stream_of(more("lo")))
    upstream.script(going)
    coming = batches(asker)
    next(coming)

    coming.close()

    assert going.is_over.wait(PATIENCE)
    assert not going.has_come_to_its_end
    wait_until(lambda: upstream.open_connections == 0, PATIENCE, "the connection is closed")


@pytest.mark.parametrize("mode", MODES)
def test_the_next_request_gets_nothing_of_a_stream_that_was_left(
    upstream: ScriptedUpstream, asker: Asker, mode: str
) -> None:
    upstream.script(Going(mode, text("Hel"), later=stream_of(more("lo"))))
    coming = batches(asker)
    next(coming)
    coming.close()

    assert asker.ask().text == "Hello"
    assert upstream.connections == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_collected", [True, False], ids=["collected", "streamed"])
def test_the_next_request_gets_nothing_that_comes_after_the_mark_of_the_end(
    upstream: ScriptedUpstream, asker_of: AskerOf, mode: str, *, is_collected: bool
) -> None:
    """A compressed stream has its last chunk always after the mark."""
    asker = asker_of(behavior=STREAMED) if is_collected else asker_of()
    going = Going(mode, text("Hel"), more("lo"), ended(), DONE, later=b": busy\n\n")
    upstream.script(going)

    if is_collected:
        assert asker.ask().text == "Hello"
    else:
        assert stream(asker) == [text("Hel"), more("lo"), ended()]

    assert asker.ask().text == "Hello"
    assert going.is_over.wait(PATIENCE)


@pytest.mark.parametrize("mode", MODES)
def test_what_comes_after_the_mark_of_the_end_is_not_waited_for(
    upstream: ScriptedUpstream, asker: Asker, mode: str
) -> None:
    going = Going(mode, *WHOLE, later=b": busy\n\n")
    upstream.script(going)

    assert stream(asker) == SHOWN

    assert not going.has_come_to_its_end


def test_a_compressed_stream_that_is_too_large_is_closed(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    going = Going("gzip", text("Hel"), later=stream_of(more("x" * (2 << 20))))
    upstream.script(going)

    with pytest.raises(ApiError) as raised:
        list(batches(asker))

    assert raised.value.reason == "upstream_too_large"
    assert going.is_over.wait(PATIENCE)
    assert not going.has_come_to_its_end


def test_the_connection_of_a_compressed_answer_in_one_piece_is_used_again(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(*[replies.gzip_bomb(1_000)] * 2)

    assert [asker.ask().text for _ in range(2)] == ["0" * 1_000] * 2
    assert upstream.connections == 1


class ResetAfterHeaders:
    """An upstream that breaks off between the headers and the body, sooner or later."""

    def __init__(self, pause: float) -> None:
        """Take the time in between."""
        self._pause = pause

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write the headers, and reset."""
        peer.send(message_bytes("HTTP/1.1 200 OK", [SSE, CHUNKED], b""))
        peer.stay_silent(self._pause)
        peer.reset_on_close()
        return False


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_reset_after_the_headers_is_the_upstreams_fault_whenever_it_comes(
    upstream: ScriptedUpstream, asker_of: AskerOf, *, is_streamed: bool
) -> None:
    """The moments between the headers and the first look at the body are the narrow ones."""
    for number in range(40):
        asker = asker_of()  # a circuit breaker of its own
        # Headers that the reset has overtaken are none, and the call is repeated.
        upstream.script(*[ResetAfterHeaders(0.0001 * (number % 20))] * 2)

        with pytest.raises(ApiError) as raised:
            stream(asker) if is_streamed else asker.ask()

        status, reason, is_retryable = described(raised.value)
        assert (status, is_retryable) == (502, True)
        assert reason in {"upstream_disconnected", "upstream_truncated"}
        upstream.clear()


def test_a_stream_in_place_of_embeddings_is_a_bad_response(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(events_reply(*WHOLE))
    call = asker.client.new_call(lambda: False, lambda: None)

    with pytest.raises(ApiError) as raised:
        asker.client.complete(
            "asked", ModelRequest("asked", {"input": "x"}, Operation.EMBEDDINGS), call
        )

    assert described(raised.value) == (502, "upstream_bad_response", True)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_body_that_says_it_is_compressed_and_is_not_is_a_bad_response(
    upstream: ScriptedUpstream, asker: Asker, body: bytes
) -> None:
    upstream.script(replies.Whole(response_bytes(200, body, [SSE, GZIP])))

    with pytest.raises(ApiError) as raised:
        stream(asker)

    assert described(raised.value)[:2] == (502, "upstream_bad_response")
    assert asker.ask().text == "Hello"
