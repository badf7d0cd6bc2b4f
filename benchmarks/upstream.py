"""A fast loopback upstream: every request gets the same 1 KB chat completion.

It runs in its own process, so that its CPU time is never counted as the service's.
Requests are framed by Content-Length and may be pipelined; chunked requests are not read.
"""

import argparse
import asyncio
import json
import re

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
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


class FixedAnswer(asyncio.Protocol):
    """One keep-alive connection that answers each complete request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        """Keep the bytes to answer with."""
        self._answer = answer
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
            self._received = self._received[length:]
            if self._transport is not None:
                self._transport.write(self._answer)


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    answer = fixed_answer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: FixedAnswer(answer), host="127.0.0.1", port=port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.upstream", description=__doc__)
    parser.add_argument("port", type=int)
    asyncio.run(serve(parser.parse_args().port))
