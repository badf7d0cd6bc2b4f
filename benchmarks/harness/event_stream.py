"""The upstream's streams: chat completion chunks at even intervals, each with its send time.

The time is that of the monotonic clock, which all processes of one machine share, so that the load
generator can tell how long an event was on its way.
"""

import asyncio
import json
import math
import time

EVENTS = 100
TIME_MARK = "sent_ns="
# Multiples of the golden ratio fill an interval evenly, however many there are: no two streams send
# at the same moment, so that waiting behind each other is not the benchmark's own making.
PHASE_STEP = (math.sqrt(5) - 1) / 2
# Chunked, so that connections live on. The last header keeps nginx from buffering, as
# `proxy_buffering off` does.
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\nx-request-id: benchmark\r\nX-Accel-Buffering: no\r\n\r\n"
)
CHUNK = {
    "id": "chatcmpl-benchmark",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "bench-model",
    "system_fingerprint": "fp_benchmark",
}
USAGE = {"prompt_tokens": 24, "completion_tokens": EVENTS, "total_tokens": 24 + EVENTS}


def event(**fields: object) -> bytes:
    """Return one event with a chunk of these fields."""
    return b"data: " + json.dumps(CHUNK | fields).encode() + b"\n\n"


def content_event(content: str) -> bytes:
    """Return the event of a piece of text."""
    delta = {"content": content}
    return event(choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])


def ending(*, has_usage: bool) -> bytes:
    """Return what follows the text: the finish, the usage where it was asked for, and `[DONE]`."""
    finish = event(choices=[{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
    usage = event(choices=[], usage=USAGE) if has_usage else b""
    return finish + usage + b"data: [DONE]\n\n"


def framed(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class EventStreams:
    """Starts streams of `EVENTS` events over some seconds, and spreads them over the interval."""

    def __init__(self, seconds: float) -> None:
        """Take the length of every stream."""
        self.interval = seconds / EVENTS
        # The text is made up once: only the time differs from event to event.
        self.before, self.after = content_event(TIME_MARK).split(TIME_MARK.encode())
        self._started = 0

    def start(self, transport: asyncio.Transport, *, has_usage: bool) -> None:
        """Answer with a stream; the first event follows within an interval."""
        self._started += 1
        phase = self._started * PHASE_STEP % 1
        passed = asyncio.get_running_loop().time() / self.interval
        due = (math.ceil(passed - phase) + phase) * self.interval
        transport.write(HEAD)
        EventStream(self, transport, framed(ending(has_usage=has_usage)) + framed(b"")).wait(due)


class EventStream:
    """One stream, from its first event to its end or until its reader has left."""

    def __init__(self, streams: EventStreams, transport: asyncio.Transport, last: bytes) -> None:
        """Take what is written after the events."""
        self._streams = streams
        self._transport = transport
        self._last = last
        self._events_left = EVENTS

    def wait(self, due: float) -> None:
        """Send the next event at `due`, a time of the event loop."""
        asyncio.get_running_loop().call_at(due, self._send, due)

    def _send(self, due: float) -> None:
        if self._transport.is_closing():
            return
        mark = f"{TIME_MARK}{time.monotonic_ns()}".encode()
        self._transport.write(framed(self._streams.before + mark + self._streams.after))
        self._events_left -= 1
        if self._events_left:
            self.wait(due + self._streams.interval)
        else:
            self._transport.write(self._last)
