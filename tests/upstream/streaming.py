"""Asks an upstream for streamed answers."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest

from llm_api.domain.calls import ModelRequest, Operation, never
from llm_api.errors import ApiError
from llm_api.upstream.answers.relay import RelayedStream
from tests.support import replies
from tests.support.replies import Reply
from tests.support.wire import chunk_bytes, message_bytes
from tests.upstream.asker import PROMPT, Asker, described
from tests.upstream.streamed import DONE, counted, ended, more, stream_of, text

SSE = ("Content-Type", "text/event-stream")
WHOLE = (text("Hel"), more("lo"), ended(), counted(), DONE)
SHOWN = [*WHOLE[:4]]


def opened(
    asker: Asker,
    operation: Operation = Operation.CHAT,
    *,
    shows_usage: bool = True,
    **parameters: Any,
) -> RelayedStream:
    """Ask for a streamed answer; raises ApiError if it does not begin."""
    asker.call = asker.client.new_call(never, lambda: None, is_streamed=True)
    body = {"messages": [{"role": "user", "content": PROMPT}], **parameters}
    request = ModelRequest("asked", body, operation)
    return asker.client.stream("asked", request, asker.call, shows_usage=shows_usage)


def batches(
    asker: Asker, operation: Operation = Operation.CHAT, **parameters: Any
) -> Generator[list[bytes]]:
    """Ask for a streamed answer when its first batch is asked for."""
    with closing(opened(asker, operation, **parameters)) as stream:
        yield from stream


def stream(asker: Asker, **parameters: Any) -> list[bytes]:
    """Ask for a streamed answer and return its chunks."""
    return [chunk for batch in batches(asker, **parameters) for chunk in batch]


def fail(asker: Asker) -> tuple[int, str, bool]:
    """Ask for a streamed answer, and describe the error that must come before its first chunk."""
    with pytest.raises(ApiError) as raised:
        next(batches(asker))
    return described(raised.value)


def events_reply(*events: bytes, content_type: str = "text/event-stream") -> Reply:
    """Stream events, each as a chunk of the body."""
    head = [("Content-Type", content_type), ("Transfer-Encoding", "chunked")]
    sent = [chunk_bytes(stream_of(one)) for one in events] + [chunk_bytes(b"")]
    return replies.Whole(message_bytes("HTTP/1.1 200 OK", head, b"".join(sent)))
