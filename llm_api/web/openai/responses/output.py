"""Puts the pieces of an answer together to the output of a response, and tells its events."""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.calls import TextLength
from llm_api.web.dialects.pieces import (
    Counted,
    Finished,
    LogProbs,
    Piece,
    Refusal,
    Text,
    Thought,
    ToolArguments,
    ToolBegun,
)
from llm_api.web.openai.responses.input.tool_names import ToolNames
from llm_api.web.openai.responses.output_items import (
    COMPLETED,
    INCOMPLETE,
    REFUSAL,
    TEXT,
    Item,
    Logprobs,
    Message,
    Reasoning,
    Tell,
    ToolCall,
)

# Why an answer is not whole, in the words of `incomplete_details`. That of a vendor's own word is
# not known: https://platform.openai.com/docs/api-reference/responses/object has no other.
_UNFINISHED = {"length": "max_output_tokens", "content_filter": "content_filter"}
_WHOLE = ("stop", "tool_calls", "function_call")


class Output:
    """The output of one response."""

    def __init__(
        self, token: str, tools: ToolNames, tell: Tell = None, *, has_summary: bool
    ) -> None:
        """Create an empty output.

        Args:
            token: of the response; every item's id has it.
            tools: the client's tools, by the names that the model was told.
            tell: gets the events, if anybody does.
            has_summary: whether the client asked for a summary of what is thought.
        """
        self.counted: Counted | None = None
        self.reason: str | None = None  # of an answer that is incomplete, where it is known
        self.status = COMPLETED
        self.length = TextLength()
        self._token = token
        self._tools = tools
        self._tell = tell
        self._has_summary = has_summary
        self._items: list[Item] = []
        self._open: Message | Reasoning | None = None
        self._logprobs: Logprobs = ()  # of the text that comes next
        self._calls: dict[int, ToolCall] = {}  # by their place; they may come in turns

    def take(self, piece: Piece) -> None:
        """Read a piece, and tell the events that it makes."""
        if isinstance(piece, Text):
            self._say(TEXT, piece.text)
        elif isinstance(piece, ToolArguments):
            self.length.add(piece.text)
            self._calls[piece.place].add(piece.text)
        elif isinstance(piece, Thought):
            self._think(piece.text)
        elif isinstance(piece, Refusal):
            self._say(REFUSAL, piece.text)
        elif isinstance(piece, ToolBegun):
            self._close(COMPLETED)
            index = len(self._items)
            call = ToolCall(self._token, index, self._tell, piece, self._tools)
            self._calls[piece.place] = call
            self._begin(call)
        elif isinstance(piece, LogProbs):
            self._logprobs = [_logprob(entry) for entry in piece.entries]
        elif isinstance(piece, Finished):
            self.status = COMPLETED if piece.reason in _WHOLE else INCOMPLETE
            self.reason = _UNFINISHED.get(piece.reason)
        else:
            self.counted = piece

    def end(self) -> None:
        """Report the events that end all items; an answer that says nothing gets an empty text."""
        is_cut = self.status == INCOMPLETE
        # What was going on when the answer ended is what was not finished.
        last = self._items[-1] if self._items else None
        says_nothing = not self._calls and not isinstance(last, Message)
        self._close(INCOMPLETE if is_cut and not self._calls else COMPLETED)
        for call in self._calls.values():
            call.end(INCOMPLETE if is_cut and call is last else COMPLETED)
        if says_nothing and not is_cut:
            self._say(TEXT, "")
            self._close(COMPLETED)

    def documents(self) -> list[dict[str, Any]]:
        """Return the items as far as they have come."""
        return [item.document() for item in self._items]

    def _say(self, kind: str, text: str) -> None:
        self.length.add(text)
        message = self._open
        if not isinstance(message, Message):
            self._close(COMPLETED)
            message = self._open = Message(self._token, len(self._items), self._tell)
            self._begin(message)
        logprobs, self._logprobs = self._logprobs, ()
        message.add(kind, text, logprobs)

    def _think(self, text: str) -> None:
        self.length.add(text)
        thoughts = self._open
        if not isinstance(thoughts, Reasoning):
            self._close(COMPLETED)
            thoughts = self._open = Reasoning(
                self._token, len(self._items), self._tell, is_summary=self._has_summary
            )
            self._begin(thoughts)
        thoughts.add(text)

    def _begin(self, item: Item) -> None:
        self._items.append(item)
        item.begin()

    def _close(self, status: str) -> None:
        """End the message or the thoughts that are going on."""
        if self._open is not None:
            self._open.end(status)
            self._open = None


def _logprob(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the probability of a token with every field that the SDKs' types require."""
    others = entry.get("top_logprobs") or ()
    return {
        **_of_token(entry),
        "top_logprobs": [_of_token(other) for other in others if isinstance(other, dict)],
    }


def _of_token(entry: Mapping[str, Any]) -> dict[str, Any]:
    token = entry.get("token") or ""
    return {
        "token": token,
        "bytes": entry.get("bytes") or list(str(token).encode()),
        "logprob": entry.get("logprob"),
    }
