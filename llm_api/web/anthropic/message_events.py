"""Writes a streamed answer as the events of a message of Anthropic's.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. Its SDKs take an event by
the name in front of it alone, and the index of a block for its position.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from llm_api.errors import ApiError
from llm_api.web.anthropic.message_answers import (
    SIGNATURE,
    AnswerFacts,
    message_head,
    thinking_block,
    tool_block,
    usage_document,
)
from llm_api.web.anthropic.message_form import PING, event
from llm_api.web.anthropic.schemas import MessagesRequest
from llm_api.web.dialects.pieces import (
    Piece,
    PieceReader,
    Refusal,
    Text,
    Thought,
    ToolArguments,
    ToolBegun,
)
from llm_api.web.response.error_formats import anthropic_error
from llm_api.web.response.sse import End, KeepAlive

# Seconds without an event, while a model thinks that is not to show it, after which there is one.
_SILENCE = 15.0


class MessageWriter:
    """Writes one stream."""

    def __init__(
        self, request: MessagesRequest, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write the answer to a request; `clock` returns seconds that never go back."""
        self._request = request
        self._facts = AnswerFacts(request)
        self._reader = PieceReader()
        self._blocks = _OpenBlocks()
        self._has_begun = False
        self._clock = clock
        self._silent_since = clock()

    def events(self, batch: Sequence[bytes]) -> bytes:
        """Write the events for chunks that came together."""
        written = [] if self._has_begun else [self._start(orjson.loads(batch[0]))]
        self._has_begun = True
        for piece in self._reader.read(batch):
            written += self._events_of(piece)
        now = self._clock()
        if not written:
            if now - self._silent_since < _SILENCE:
                return b""
            written.append(PING)
        self._silent_since = now
        return b"".join(written) if len(written) > 1 else written[0]

    def keep_alive(self) -> KeepAlive | None:
        """Write a ping; the message has to come first."""
        return PING if self._has_begun else None

    def end(self) -> End:
        """Write how the message ended, and what it took."""
        written = [event for piece in self._reader.end() for event in self._events_of(piece)]
        written += self._blocks.end()
        delta = self._facts.ending.document()
        written.append(event({"type": "message_delta", "delta": delta, "usage": self._facts.usage}))
        written.append(event({"type": "message_stop"}))
        return End(b"".join(written))

    def error(self, error: ApiError, request_id: str) -> bytes:
        """Write the one event of an error."""
        return event(anthropic_error(error, request_id))

    def _start(self, chunk: Mapping[str, Any]) -> bytes:
        message = {
            **message_head(chunk),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            # Some clients read the input's tokens here alone.
            "usage": usage_document(self._request.input_tokens, 0),
        }
        return event({"type": "message_start", "message": message})

    def _events_of(self, piece: Piece) -> Iterator[bytes]:
        self._facts.note(piece)
        if isinstance(piece, Text):  # most of them: a union of types would be made anew for each
            yield from self._blocks.add(_Texts, piece.text)
        elif isinstance(piece, Thought):
            if self._request.shows_thinking:
                yield from self._blocks.add(_Thinking, piece.text)
        elif isinstance(piece, Refusal):
            yield from self._blocks.add(_Texts, piece.text)
        elif isinstance(piece, ToolBegun):
            block = tool_block(piece, self._request.names)
            yield from self._blocks.begin(_Call(block), piece.place)
        elif isinstance(piece, ToolArguments):
            yield from self._blocks.add_arguments(piece.place, piece.text)


class _Block:
    """A block of the content that has not ended."""

    def __init__(self, block: Mapping[str, Any]) -> None:
        self.block = block
        self.waiting: list[str] = []  # until the blocks before it have ended

    @property
    def is_complete(self) -> bool:
        """Whether another block may follow."""
        return True

    def delta(self, text: str) -> dict[str, Any]:
        """Return the delta for more of its text."""
        raise NotImplementedError

    def last_delta(self) -> dict[str, Any] | None:
        """Return the delta in front of its end, if it has one."""
        return None

    def note(self, text: str) -> None:
        """Note more of its text."""


class _Texts(_Block):
    def __init__(self) -> None:
        super().__init__({"type": "text", "text": ""})

    def delta(self, text: str) -> dict[str, Any]:
        return {"type": "text_delta", "text": text}


class _Thinking(_Block):
    def __init__(self) -> None:
        super().__init__({**thinking_block(""), "signature": ""})

    def delta(self, text: str) -> dict[str, Any]:
        return {"type": "thinking_delta", "thinking": text}

    def last_delta(self) -> dict[str, Any] | None:
        return {"type": "signature_delta", "signature": SIGNATURE}


class _Call(_Block):
    """A call, which is complete when its arguments are: those of two can come in turns."""

    def __init__(self, block: Mapping[str, Any]) -> None:
        super().__init__(block)
        self._arguments: list[str] = []

    @property
    def is_complete(self) -> bool:
        if not self._arguments or not self._arguments[-1].endswith("}"):
            return False
        try:
            orjson.loads("".join(self._arguments))
        except orjson.JSONDecodeError:
            return False
        return True

    def delta(self, text: str) -> dict[str, Any]:
        return {"type": "input_json_delta", "partial_json": text}

    def note(self, text: str) -> None:
        self._arguments.append(text)


class _OpenBlocks:
    """The blocks that have not ended, in their order: the first is sent as it comes in.

    Clients may take blocks one after another alone, and some upstreams write several at a time.
    """

    def __init__(self) -> None:
        self._index = 0  # of the first
        self._blocks: deque[_Block] = deque()
        self._calls: dict[int, _Block] = {}  # by place

    def add(self, kind: type[_Texts | _Thinking], text: str) -> Iterator[bytes]:
        """Add text to the last block if it is of this kind, else to a new one."""
        if not self._blocks or type(self._blocks[-1]) is not kind:
            yield from self._append(kind())
        yield from self._write(self._blocks[-1], text)

    def begin(self, call: _Call, place: int) -> Iterator[bytes]:
        """Open a call at a place."""
        self._calls[place] = call
        yield from self._append(call)

    def add_arguments(self, place: int, text: str) -> Iterator[bytes]:
        """Add arguments to a call; white space behind one that has ended says nothing."""
        call = self._calls[place]
        if call in self._blocks:
            yield from self._write(call, text)
            yield from self._go_on()

    def end(self) -> Iterator[bytes]:
        """End all blocks."""
        while self._blocks:
            yield from self._end_first()

    def _append(self, block: _Block) -> Iterator[bytes]:
        self._blocks.append(block)
        if len(self._blocks) == 1:
            yield self._start()
        else:
            yield from self._go_on()

    def _write(self, block: _Block, text: str) -> Iterator[bytes]:
        block.note(text)
        if block is self._blocks[0]:
            yield self._delta(block.delta(text))
        else:
            block.waiting.append(text)

    def _go_on(self) -> Iterator[bytes]:
        """End blocks that are complete and have others behind them."""
        while len(self._blocks) > 1 and self._blocks[0].is_complete:
            yield from self._end_first()

    def _end_first(self) -> Iterator[bytes]:
        last = self._blocks[0].last_delta()
        if last is not None:
            yield self._delta(last)
        yield event({"type": "content_block_stop", "index": self._index})
        self._blocks.popleft()
        self._index += 1
        if self._blocks:
            yield self._start()
            waiting = "".join(self._blocks[0].waiting)
            if waiting:
                yield self._delta(self._blocks[0].delta(waiting))

    def _start(self) -> bytes:
        block = self._blocks[0].block
        started = {"type": "content_block_start", "index": self._index, "content_block": block}
        return event(started)

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return event({"type": "content_block_delta", "index": self._index, "delta": delta})
