"""What a body is decides how it is read, and not what its content type says; over real sockets."""

from typing import Any

import orjson
import pytest

from llm_api.domain.calls import ModelRequest, Operation, never
from tests.support import replies
from tests.support.peer import Peer, RecordedRequest
from tests.support.replies import Reply
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import chunk_bytes, message_bytes, response_bytes
from tests.upstream.asker import Asker, described
from tests.upstream.streamed import DONE, choice, counted, ended, event, more, stream_of, text
from tests.upstream.streaming import SHOWN, WHOLE, fail, stream

CHUNKED = ("Transfer-Encoding", "chunked")
BOM = b"\xef\xbb\xbf"
KINDS = [
    "text/event-stream",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/octet-stream",
    "application/x-ndjson",
    None,
]
BEGINNINGS = {
    "data": b"",
    "comment": b": connected\n\n",
    "event": b"event: message\n",
    "id": b"id: 1\n",
    "retry": b"retry: 3000\n\n",
    "blank lines": b"\n\n",
    "BOM": BOM,
}


def body_of(kind: str | None, body: bytes, *, cut: int | None = None) -> Reply:
    """Answer with a body of any type, chunked; the first chunk has `cut` bytes."""
    head = [CHUNKED] if kind is None else [CHUNKED, ("Content-Type", kind)]
    pieces = [body] if cut is None else [body[:cut], body[cut:]]
    chunks = b"".join(chunk_bytes(piece) for piece in [*pieces, b""])
    return replies.Whole(message_bytes("HTTP/1.1 200 OK", head, chunks))


def whole(kind: str | None, document: Any) -> Reply:
    """Answer in one piece, of any type."""
    headers = [] if kind is None else [("Content-Type", kind)]
    return replies.Whole(response_bytes(200, orjson.dumps(document), headers))


HELLO = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_a_stream_under_any_type(
    upstream: ScriptedUpstream, asker: Asker, kind: str | None
) -> None:
    upstream.script(*[body_of(kind, stream_of(*WHOLE))] * 2)

    assert stream(asker) == SHOWN
    assert asker.ask().text == "Hello"


@pytest.mark.parametrize("cut", [None, 1, 3, 5, 8])
@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_stream_is_known_by_its_beginning(
    upstream: ScriptedUpstream, asker: Asker, name: str, cut: int | None
) -> None:
    body = BEGINNINGS[name] + stream_of(*WHOLE)
    upstream.script(*[body_of("application/json", body, cut=cut)] * 2)

    assert stream(asker) == SHOWN
    assert asker.ask().text == "Hello"


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_in_one_piece_is_one_under_any_type(
    upstream: ScriptedUpstream, asker: Asker, kind: str | None
) -> None:
    upstream.script(*[whole(kind, {"choices": [HELLO]})] * 2)

    first, last = [orjson.loads(chunk)["choices"][0] for chunk in stream(asker)]
    assert (first["delta"]["content"], last["finish_reason"]) == ("Hello", "stop")
    assert asker.ask().text == "Hello"


@pytest.mark.parametrize("before", [b"", b"\n", b"  \r\n", BOM], ids=repr)
def test_blanks_before_an_answer_are_no_part_of_it(
    upstream: ScriptedUpstream, asker: Asker, before: bytes
) -> None:
    body = before + orjson.dumps({"choices": [HELLO]})
    upstream.script(body_of("text/event-stream", body), body_of("application/json", body, cut=1))

    assert len(stream(asker)) == 2
    assert asker.ask().text == "Hello"


@pytest.mark.parametrize(
    "body", [b"", b" ", b"<html>", b"Internal Server Error", b"data", b"event_id: 5"], ids=repr
)
@pytest.mark.parametrize("kind", KINDS[:2])
def test_what_is_neither_is_a_bad_response(
    upstream: ScriptedUpstream, asker: Asker, body: bytes, kind: str
) -> None:
    upstream.script(*[body_of(kind, body)] * 2)

    assert fail(asker) == (502, "upstream_bad_response", True)
    assert described(asker.fail()) == (502, "upstream_bad_response", True)


def test_an_error_in_one_piece_is_one_under_the_type_of_a_stream(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(*[whole("text/event-stream", {"error": {"code": 429}})] * 2)

    assert fail(asker)[1] == "upstream_rate_limited"
    assert described(asker.fail())[1] == "upstream_rate_limited"


def test_the_connection_of_an_answer_of_another_form_is_used_again(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    body = stream_of(*WHOLE)
    upstream.script(*[body_of("application/json", body), whole(KINDS[0], {"choices": [HELLO]})] * 2)

    for _ in range(2):
        assert asker.ask().text == "Hello"
        assert len(stream(asker)) == 2

    assert upstream.connections == 1


# --- ends ---


class Unending:
    """A stream that is finished, and then a heartbeat a moment until its reader leaves."""

    def __init__(self, *events: bytes, kind: str = "text/event-stream") -> None:
        """Send these events first."""
        self._events = events
        self._kind = kind
        self.was_left = False

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write until the reader is gone, for a minute at most."""
        head = [("Content-Type", self._kind), CHUNKED]
        peer.send(message_bytes("HTTP/1.1 200 OK", head, chunk_bytes(stream_of(*self._events))))
        for _ in range(600):
            if not peer.stay_silent(0.1):
                self.was_left = True
                return False
            peer.send(chunk_bytes(b": heartbeat\n\n"))
        return False


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("last", [(counted(),), ()], ids=["counted", "not counted"])
def test_a_finished_answer_needs_no_mark_of_its_end(
    upstream: ScriptedUpstream,
    asker: Asker,
    monkeypatch: pytest.MonkeyPatch,
    last: tuple[bytes, ...],
    kind: str,
) -> None:
    Timings(end_grace=0.2).use(monkeypatch)
    upstream.script(*[Unending(text("Hi"), ended(), *last, kind=kind) for _ in range(2)])

    assert stream(asker) == [text("Hi"), ended(), *last]
    assert asker.ask().text == "Hi"


def test_a_silence_behind_the_end_is_noticed_soon(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silences are looked at every five seconds before it."""
    Timings(end_grace=0.2).use(monkeypatch)
    silent = replies.sse([stream_of(text("Hi")), stream_of(ended())], done=False, silence_s=60)
    upstream.script(silent)

    assert stream(asker) == [text("Hi"), ended()]


# --- pictures ---


def picture(mebibytes: int) -> bytes:
    """Make an event with a picture."""
    url = "data:image/png;base64," + "A" * (mebibytes << 20)
    return event(choice({"role": "assistant", "images": [{"image_url": {"url": url}}]}))


def test_several_pictures_of_a_stream_pass_one_by_one(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    events = [picture(12), *[more("") for _ in range(2)], picture(12), picture(12), ended()]
    body = stream_of(*events, DONE)
    upstream.script(body_of("text/event-stream", body))

    sizes = [len(chunk) for chunk in stream(asker) if len(chunk) > 1 << 20]

    assert len(sizes) == 3
    assert sum(sizes) > 32 << 20


def test_pictures_that_are_put_together_are_no_more_than_an_answer_may_have(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    body = stream_of(picture(20), picture(20), ended(), DONE)
    upstream.script(body_of("text/event-stream", body), body_of(None, stream_of(picture(20))))

    assert described(asker.fail()) == (502, "upstream_too_large", False)


# --- embeddings ---


@pytest.mark.parametrize(
    ("encoding", "wanted"), [({"encoding_format": "base64"}, str), ({}, list)], ids=repr
)
@pytest.mark.parametrize("sent", [[0.5, 0.25], "AAAAPwAAgD4="], ids=["numbers", "base64"])
def test_embeddings_come_as_asked(
    upstream: ScriptedUpstream,
    asker: Asker,
    encoding: dict[str, str],
    wanted: type,
    sent: Any,
) -> None:
    upstream.script(replies.json_reply(200, {"data": [{"index": 0, "embedding": sent}]}))
    call = asker.client.new_call(never, lambda: None)
    request = ModelRequest("e", {"input": "x", **encoding}, Operation.EMBEDDINGS)

    [one] = asker.client.complete("e", request, call).document["data"]

    assert one["embedding"] == ("AAAAPwAAgD4=" if wanted is str else [0.5, 0.25])
