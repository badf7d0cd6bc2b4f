"""Writes a whole answer as a message of Anthropic's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from llm_api.domain.calls import TextLength, TokenUsage
from llm_api.services.quotas.estimates import estimate_length
from llm_api.web.anthropic.schemas import MessagesRequest
from llm_api.web.dialects.pieces import (
    Counted,
    Finished,
    Piece,
    Refusal,
    Text,
    Thought,
    ToolArguments,
    ToolBegun,
    pieces_of,
)

# What a thought is signed with: clients send back only those that are.
SIGNATURE = "llm_api"
# How Anthropic's documentation says that a caller passes on what is no object.
_NO_OBJECT = "INVALID_JSON"
_ENDINGS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, in Anthropic's words, and the stop sequence that was met."""

    stop_reason: str
    stop_sequence: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the fields of a message, or of the delta that ends it."""
        refused = {"type": "refusal", "category": None, "explanation": None}
        return {
            "stop_reason": self.stop_reason,
            "stop_sequence": self.stop_sequence,
            "stop_details": refused if self.stop_reason == "refusal" else None,
        }


class AnswerFacts:
    """What is known of an answer beside its blocks, while its pieces come."""

    def __init__(self, request: MessagesRequest) -> None:
        """Know nothing yet of the answer to a request."""
        self._request = request
        self._length = TextLength()
        self._finished: Finished | None = None
        self._counted: Counted | None = None
        self._has_tools = self._is_refused = False

    def note(self, piece: Piece) -> None:
        """Note a piece."""
        if isinstance(piece, Text):  # most of them
            self._length.add(piece.text)
        elif isinstance(piece, Thought | Refusal | ToolArguments):
            self._is_refused |= isinstance(piece, Refusal)
            self._length.add(piece.text)
        elif isinstance(piece, Finished):
            self._finished = piece
        elif isinstance(piece, Counted):
            self._counted = piece
        elif isinstance(piece, ToolBegun):
            self._has_tools = True

    @property
    def ending(self) -> Ending:
        """How the answer ended."""
        finished = self._finished
        ending = _ENDINGS.get(finished.reason, "end_turn") if finished else "end_turn"
        if self._is_refused:
            return Ending("refusal")
        if finished and finished.reason == "stop" and finished.stopped_by in self._request.stops:
            return Ending("stop_sequence", finished.stopped_by)
        # Some upstreams end a call of a tool with `stop`, and agents find calls by the reason.
        if ending in {"end_turn", "tool_use"}:
            ending = "tool_use" if self._has_tools else "end_turn"
        return Ending(ending)

    @property
    def usage(self) -> dict[str, Any]:
        """The usage in Anthropic's form, estimated where the upstream has not counted."""
        usage = self._counted.usage if self._counted else TokenUsage()
        if self._counted is None or usage.prompt_tokens is None or usage.completion_tokens is None:
            return usage_document(self._request.input_tokens, estimate_length(self._length))
        cached, written = usage.cached_tokens or 0, self._counted.written
        document = usage_document(usage.prompt_tokens - cached - written, usage.completion_tokens)
        document |= {"cache_read_input_tokens": cached, "cache_creation_input_tokens": written}
        if usage.reasoning_tokens is not None:
            document["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
        return document


def usage_document(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """Return a usage of which nothing was cached; a count of 0 would be no reason to leave it out.

    Clients add the cached tokens to `input_tokens`.
    """
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


def message_head(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message has before its content, from a chat completion or a chunk of it."""
    own = str(document["id"]).removeprefix("chatcmpl-")
    return {
        "id": f"msg_{own}",
        "type": "message",
        "role": "assistant",
        "model": str(document["model"]),
    }


def message_of(document: Mapping[str, Any], request: MessagesRequest) -> dict[str, Any]:
    """Return a whole chat completion, the answer to a request, as a message."""
    facts = AnswerFacts(request)
    blocks = _Blocks(request)
    for piece in pieces_of(document):
        facts.note(piece)
        blocks.add(piece)
    return {
        **message_head(document),
        "content": blocks.written(),
        **facts.ending.document(),
        "usage": facts.usage,
    }


@dataclass(slots=True)
class _Blocks:
    """The content of a message."""

    _request: MessagesRequest
    _blocks: list[dict[str, Any]] = field(default_factory=list)
    _arguments: dict[int, tuple[dict[str, Any], list[str]]] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        """Add what a piece says."""
        if isinstance(piece, Thought):
            if self._request.shows_thinking:
                self._blocks.append(thinking_block(piece.text))
        elif isinstance(piece, Text | Refusal):
            self._blocks.append({"type": "text", "text": piece.text})
        elif isinstance(piece, ToolBegun):
            block = tool_block(piece, self._request.names)
            self._blocks.append(block)
            self._arguments[piece.place] = (block, [])
        elif isinstance(piece, ToolArguments):
            self._arguments[piece.place][1].append(piece.text)

    def written(self) -> list[dict[str, Any]]:
        """Return the blocks, with the arguments of calls."""
        for block, texts in self._arguments.values():
            block["input"] = read_input("".join(texts))
        return self._blocks


def thinking_block(text: str) -> dict[str, Any]:
    """Return a block of thoughts."""
    return {"type": "thinking", "thinking": text, "signature": SIGNATURE}


def tool_block(begun: ToolBegun, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the block of a call, without its arguments; `names` are those that were shortened."""
    name = names.get(begun.name, begun.name)
    return {"type": "tool_use", "id": begun.id, "name": name, "input": {}}


def read_input(arguments: str) -> dict[str, Any]:
    """Read the arguments of a call, which models may write in any form."""
    if not arguments.strip():
        return {}
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {_NO_OBJECT: arguments}
    return read if isinstance(read, dict) else {} if read is None else {_NO_OBJECT: arguments}
