"""What a scripted upstream can do with a request, from a good completion to a reset.

The constructor functions are the vocabulary of the tests; every one returns a ``Reply``.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from tests.support.peer import Peer, RecordedRequest
from tests.support.wire import chunk_bytes, message_bytes, response_bytes

Event = str | bytes | Mapping[str, object]
Ending = Literal["complete", "close", "reset"]

GOOD_USAGE: Mapping[str, object] = MappingProxyType(
    {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
)
_CREATED = 1_700_000_000
_MEBIBYTE = 1 << 20
_GZIP_CONTAINER = 31


class Reply(Protocol):
    """What happens to one request."""

    def answer(self, peer: Peer, request: RecordedRequest) -> bool:
        """Answer the request; True when the connection may carry another one."""


@dataclass(frozen=True)
class Whole:
    """Bytes written at once."""

    payload: bytes
    keeps_alive: bool = True

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write the bytes."""
        peer.send(self.payload)
        return self.keeps_alive


@dataclass(frozen=True)
class HangUp:
    """The connection ends without a byte."""

    with_reset: bool

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write nothing."""
        if self.with_reset:
            peer.reset_on_close()
        return False


@dataclass(frozen=True)
class Silence:
    """Nothing for a time, then the end of the connection."""

    seconds: float

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write nothing and wait."""
        peer.stay_silent(self.seconds)
        return False


@dataclass(frozen=True)
class Dribble:
    """Bytes in small pieces, then the end of the connection."""

    payload: bytes
    interval_s: float
    chunk: int

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write a piece, wait, and again, for as long as the client stays."""
        for start in range(0, len(self.payload), self.chunk):
            peer.send(self.payload[start : start + self.chunk])
            if not peer.stay_silent(self.interval_s):
                break
        return False


@dataclass(frozen=True)
class EventStream:
    """Server-sent events, each one chunk of a chunked response."""

    frames: tuple[bytes, ...]
    interval_s: float
    silence_s: float
    ending: Ending

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write the frames for as long as the client stays, then end as told."""
        headers = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        peer.send(message_bytes("HTTP/1.1 200 OK", headers, b""))
        for position, frame in enumerate(self.frames):
            if position and not peer.stay_silent(self.interval_s):
                return False
            peer.send(chunk_bytes(frame))
        return self._end(peer)

    def _end(self, peer: Peer) -> bool:
        if not peer.stay_silent(self.silence_s):
            return False
        if self.ending == "reset":
            peer.reset_on_close()
        if self.ending == "complete":
            peer.send(chunk_bytes(b""))
        return self.ending == "complete"


@dataclass(frozen=True)
class Delayed:
    """Another reply, after a silence."""

    reply: Reply
    seconds: float

    def answer(self, peer: Peer, request: RecordedRequest) -> bool:
        """Wait, then reply if the client is still there."""
        return peer.stay_silent(self.seconds) and self.reply.answer(peer, request)


@dataclass(frozen=True)
class Computed:
    """A reply that depends on the request."""

    compute: Callable[[RecordedRequest], Reply]

    def answer(self, peer: Peer, request: RecordedRequest) -> bool:
        """Compute the reply and give it."""
        return self.compute(request).answer(peer, request)


def json_reply(status: int, document: object, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Answer with JSON."""
    fields = [("Content-Type", "application/json"), *headers]
    return Whole(response_bytes(status, json.dumps(document).encode(), fields))


def completion(
    text: str | None = "Hello",
    *,
    model: str = "scripted",
    usage: Mapping[str, object] | None = GOOD_USAGE,
    finish_reason: str = "stop",
    **extra: object,
) -> Reply:
    """Answer with a good completion; ``usage=None`` leaves it out, ``extra`` adds fields."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    document: dict[str, object] = {**_head("chat.completion", model), "choices": [choice]}
    if usage is not None:
        document["usage"] = dict(usage)
    return json_reply(200, {**document, **extra})


def completion_stream(
    *pieces: str, model: str = "scripted", usage: Mapping[str, object] | None = GOOD_USAGE
) -> Reply:
    """Stream a good completion of these pieces, with a usage chunk unless ``usage`` is None."""
    deltas: list[tuple[Mapping[str, object], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        *(({"content": piece}, None) for piece in pieces),
        ({}, "stop"),
    ]
    events = [chunk(delta, model=model, finish_reason=reason) for delta, reason in deltas]
    if usage is not None:
        head = _head("chat.completion.chunk", model)
        events.append({**head, "choices": [], "usage": dict(usage)})
    return sse(events)


def chunk(
    delta: Mapping[str, object], *, model: str = "scripted", finish_reason: str | None = None
) -> dict[str, object]:
    """Build one completion chunk, as an event for sse()."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return {**_head("chat.completion.chunk", model), "choices": [choice]}


def api_error(
    status: int,
    code: str | None = None,
    message: str = "Scripted error.",
    *,
    error_type: str = "scripted_error",
    headers: Iterable[tuple[str, str]] = (),
) -> Reply:
    """Answer with an error in OpenAI's shape."""
    error = {"message": message, "type": error_type, "param": None, "code": code}
    return json_reply(status, {"error": error}, headers)


def models(*names: str) -> Reply:
    """Answer with a model list."""
    entries = [{"id": name, "object": "model", "owned_by": "tests"} for name in names]
    return json_reply(200, {"object": "list", "data": entries})


def redirect(status: int, location: str) -> Reply:
    """Redirect, with an empty body."""
    return Whole(response_bytes(status, headers=[("Location", location)]))


def raw_reply(payload: bytes) -> Reply:
    """Write the bytes as they are, then close."""
    return Whole(payload, keeps_alive=False)


def close_before_answer() -> Reply:
    """Close the connection (FIN) without a byte."""
    return HangUp(with_reset=False)


def reset_before_answer() -> Reply:
    """Reset the connection (RST) without a byte."""
    return HangUp(with_reset=True)


def hang(seconds: float) -> Reply:
    """Say nothing until the time is over, the client leaves or the server stops; then close."""
    return Silence(seconds)


def dribble(payload: bytes, interval_s: float, chunk: int = 1) -> Reply:
    """Write the bytes, status line and all, in pieces of ``chunk`` bytes, then close."""
    return Dribble(payload, interval_s, chunk)


def delayed(reply: Reply, seconds: float) -> Reply:
    """Give a reply after a silence."""
    return Delayed(reply, seconds)


def answer_with(compute: Callable[[RecordedRequest], Reply]) -> Reply:
    """Give the reply that the function returns for the request."""
    return Computed(compute)


def sse(
    events: Iterable[Event],
    interval_s: float = 0.0,
    *,
    done: bool = True,
    silence_s: float = 0.0,
    ending: Ending = "complete",
) -> Reply:
    """Stream events: an object as JSON, a string as the text of ``data:``, bytes as they are.

    After the last event (``[DONE]`` unless ``done`` is false) come ``silence_s`` seconds of
    nothing and the end: of the body, or of the connection by FIN or RST with the body unfinished.
    """
    frames = [_frame(event) for event in events]
    if done:
        frames.append(_frame("[DONE]"))
    return EventStream(tuple(frames), interval_s, silence_s, ending)


def gzip_bomb(total_bytes: int, *, layers: int = 1) -> Reply:
    """Answer with a completion of so many bytes of text, sent as a thousandth of it with gzip.

    ``layers`` compresses the result again and names gzip as often in Content-Encoding.
    """
    body = _compressed_completion(total_bytes)
    for _ in range(layers - 1):
        body = gzip.compress(body)
    encoding = ", ".join(["gzip"] * layers)
    headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding)]
    return Whole(response_bytes(200, body, headers))


def _head(kind: str, model: str) -> dict[str, object]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": _CREATED, "model": model}


def _frame(event: Event) -> bytes:
    if isinstance(event, bytes):
        return event
    text = event if isinstance(event, str) else json.dumps(event)
    return f"data: {text}\n\n".encode()


def _compressed_completion(text_bytes: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP_CONTAINER)
    block = b"0" * _MEBIBYTE
    parts = [compressor.compress(b'{"choices":[{"index":0,"message":{"content":"')]
    parts += [compressor.compress(block) for _ in range(text_bytes // _MEBIBYTE)]
    parts.append(compressor.compress(block[: text_bytes % _MEBIBYTE]))
    parts.append(compressor.compress(b'"}}]}'))
    return b"".join(parts) + compressor.flush()
