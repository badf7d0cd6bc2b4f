"""Events of streamed answers, and what becomes of them."""

import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from llm_api.domain.calls import Completion, Operation
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.collect import collect_chunks
from llm_api.upstream.answers.relay import Relay
from tests.upstream.asker import READER

DONE = b"[DONE]"
HEAD: Mapping[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "m",
}
TEXT_HEAD: Mapping[str, Any] = {**HEAD, "id": "cmpl-1", "object": "text_completion"}
# More levels than orjson writes, and fewer than it reads.
DEEP: Any = functools.reduce(lambda inner, _: [inner], range(400), 1)
USAGE: Mapping[str, Any] = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def deep_json(document: Any) -> bytes:
    """Write JSON of as many levels as wanted, which orjson does not."""
    return json.dumps(document).encode()


def event(*choices: Mapping[str, Any], **fields: Any) -> bytes:
    """Make an event of these choices; more fields stand at the top."""
    return orjson.dumps({**HEAD, "choices": list(choices), **fields})


def choice(
    delta: Mapping[str, Any], index: int = 0, *, finish_reason: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Make a choice of an event."""
    return {"index": index, "delta": dict(delta), "finish_reason": finish_reason, **fields}


def text(content: str) -> bytes:
    """Make an event with a piece of text, as the first one is."""
    return event(choice({"role": "assistant", "content": content}))


def more(content: str) -> bytes:
    """Make an event with a piece of text, as a later one is."""
    return event(choice({"content": content}))


def ended(finish_reason: str = "stop") -> bytes:
    """Make the event that ends an answer."""
    return event(choice({}, finish_reason=finish_reason))


def counted(usage: Mapping[str, Any] = USAGE, **fields: Any) -> bytes:
    """Make the event that has the usage."""
    return event(usage=dict(usage), **fields)


def stream_of(*events: bytes) -> bytes:
    """Make the bytes of a stream."""
    return b"".join(b"data: %b\n\n" % one for one in events)


def relay_batches(
    pieces: Iterable[bytes],
    answer: StreamedAnswer,
    silence: float = 0.0,
    hasten: Callable[[float], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[bytes]]:
    """Yield the batches that are passed on for the pieces of a body."""
    relay = Relay(functools.partial(next, iter(pieces), None), answer, silence, hasten, clock)
    while (batch := relay.next_batch()) is not None:
        yield batch


def taken(
    events: Iterable[bytes],
    operation: Operation = Operation.CHAT,
    *,
    shows_usage: bool = False,
    choice_count: int = 1,
) -> list[bytes]:
    """Return the chunks that are passed on for the events of an answer.

    One that has the mark of its end without a reason for it gets a reason, which is not returned:
    most tests are about what came before.
    """
    answer = StreamedAnswer(
        operation, shows_usage=shows_usage, classifier=READER, choice_count=choice_count
    )
    chunks = []
    for one in events:
        if one.strip() == DONE and not answer.has_finished:
            answer.take(ended())
        if (chunk := answer.take(one)) is not None:
            chunks.append(chunk)
    return chunks + answer.end()


def collected(
    events: Iterable[bytes], operation: Operation = Operation.CHAT, *, choice_count: int = 1
) -> Completion:
    """Return the answer in one piece that the events of a stream are put together to."""
    answer = StreamedAnswer(operation, classifier=READER, choice_count=choice_count)
    return collect_chunks(_with_reason(events), answer)


def _with_reason(events: Iterable[bytes]) -> Iterator[bytes]:
    """Give an answer that has the mark of its end a reason for it, if it has none."""
    has_reason = False
    for one in events:
        has_reason = has_reason or b'"finish_reason":"' in one
        if one.strip() == DONE and not has_reason:
            yield ended()
        yield one


def taken_objects(*events: bytes, shows_usage: bool = False) -> list[dict[str, Any]]:
    """Return the chunks that are passed on for events, which need not be a whole answer."""
    answer = StreamedAnswer(shows_usage=shows_usage)
    chunks = [chunk for one in events if (chunk := answer.take(one)) is not None]
    return [orjson.loads(chunk) for chunk in chunks]


def deltas(*events: bytes) -> list[dict[str, Any]]:
    """Return the deltas that are passed on for the first choices of events."""
    return [chunk["choices"][0]["delta"] for chunk in taken_objects(*events)]


def tool_calls(*events: bytes) -> list[dict[str, Any]]:
    """Return the parts of tool calls that are passed on for events."""
    return [call for delta in deltas(*events) for call in delta.get("tool_calls", [])]
