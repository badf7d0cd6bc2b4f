"""A fast loopback upstream: every request gets the same 1 KB chat completion, or a stream.

It runs in its own process, so that its CPU time is never counted as the service's.
Requests are framed by Content-Length and may be pipelined, though not behind a stream; chunked
requests are not read.
"""

import argparse
import asyncio
import json
import re

from benchmarks.harness.event_stream import EventStreams

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
STREAM_WANTED = re.compile(rb'"stream":\s*true')
USAGE_WANTED = re.compile(rb'"include_usage":\s*true')
SENTENCE = "Why did the programmer leave the party early? He had a cache to invalidate. "


def completion_body() -> bytes:
    """Return one OpenAI `chat.completion` object of about 1 KB as JSON."""
    completion = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "bench-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": SENTENCE * 9},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 24, "completion_tokens": 135, "total_tokens": 159},
        "system_fingerprint": "fp_benchmark",
    }
    return json.dumps(completion).encode()


def fixed_answer() -> bytes:
    """Return the whole HTTP/1.1 answer, head and body; it leaves the connection open."""
    body = completion_body()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nx-request-id: benchmark\r\n\r\n"
    )
    return head.encode() + body


def request_length(received: bytes) -> int | None:
    """Return the bytes of the first request in `received`, or None while its head is unfinished."""
    head_end = received.find(HEAD_END)
    if head_end < 0:
        return None
    match = CONTENT_LENGTH.search(received, 0, head_end)
    body_length = int(match[1]) if match else 0
    return head_end + len(HEAD_END) + body_length


class Connection(asyncio.Protocol):
    """One keep-alive connection that answers each complete request."""

    def __init__(self, answer: bytes, streams: EventStreams) -> None:
        """Keep the bytes to answer with, and what to answer where a stream is asked for."""
        self._answer = answer
        self._streams = streams
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete, and keep the rest for the next call."""
        self._received += data
        while (length := request_length(self._received)) is not None:
            if len(self._received) < length:
                return
            request, self._received = self._received[:length], self._received[length:]
            if self._transport is not None:
                self._reply(self._transport, request)

    def _reply(self, transport: asyncio.Transport, request: bytes) -> None:
        if STREAM_WANTED.search(request):
            has_usage = USAGE_WANTED.search(request) is not None
            self._streams.start(transport, has_usage=has_usage)
        else:
            transport.write(self._answer)


async def serve(port: int, stream_seconds: float) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    answer = fixed_answer()
    streams = EventStreams(stream_seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(answer, streams), host="127.0.0.1", port=port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.harness.upstream", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("stream_seconds", type=float)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.stream_seconds))
