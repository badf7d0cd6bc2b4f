"""Reads an answer to a chat, streamed or whole, as pieces of which each dialect writes its own.

What comes here has passed `upstream/answers`: `delta` and `message` are objects, their texts are
strings or null, every call of a tool has an id and comes with its name before its arguments. Only
the first choice is read; other dialects have one answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from llm_api.domain.calls import TokenUsage
from llm_api.upstream.answers.completion import parse_usage
from llm_api.upstream.answers.deltas import KnownForm, form_of

# Names of the same thing: DeepSeek's, DashScope's and Ark's, and the newer one of vLLM and Ollama.
_THOUGHTS = ("reasoning_content", "reasoning")
_MOST_FORMS_IN_VAIN = 4  # some vendors have something new in every chunk
_OLD_CALL = -1  # the place of a `function_call`, from the time before tools
_OLD_ID = "call_function"


class Text(NamedTuple):
    """Some of the answer's text."""

    text: str


class LogProbs(NamedTuple):
    """Probabilities of the tokens of the text that is the next piece, in the form of a chat."""

    entries: list[dict[str, Any]]


class Thought(NamedTuple):
    """Some of what the model thinks before it answers."""

    text: str


class Refusal(NamedTuple):
    """Some of the text by which the model refuses."""

    text: str


class ToolBegun(NamedTuple):
    """A call of a tool begins; its arguments name the same `place`.

    `is_custom`: they are any text, and not JSON.
    """

    place: int
    id: str
    name: str
    is_custom: bool = False


class ToolArguments(NamedTuple):
    """Some of the arguments of a call that has begun."""

    place: int
    text: str


class Finished(NamedTuple):
    """Why the answer ended: a word of OpenAI's `finish_reason`, or a vendor's own.

    `stopped_by` is the text that the model has stopped at, where the upstream says which.
    """

    reason: str
    stopped_by: str | None = None


class Counted(NamedTuple):
    """What the answer took, as far as the upstream says; `written` are tokens put into a cache."""

    usage: TokenUsage
    written: int


Piece = LogProbs | Text | Thought | Refusal | ToolBegun | ToolArguments | Finished | Counted


class PieceReader:
    """Reads the chunks of one stream; `head` is the first of them."""

    def __init__(self) -> None:
        """Expect the first chunk."""
        self.head: Mapping[str, Any] = {}
        self._form: KnownForm | None = None
        self._in_vain = 0  # forms learned since one was met again
        self._kind: type[Text | Thought] = Text
        self._tools = _Tools()

    def read(self, batch: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of chunks that came together; neighbors that go on are one piece."""
        pieces: list[Piece] = []
        texts: list[str] = []  # of the chunks since the last one that was read whole
        form = self._form
        for chunk in batch:
            # As nearly all chunks are the one before with another text, see StreamedAnswer.
            if form is not None and (text := form.text_in(chunk)) is not None:
                self._in_vain = 0
                if text:
                    texts.append(text)
                continue
            if texts:
                pieces.append(self._kind("".join(texts)))
                texts.clear()
            self._read_chunk(chunk, pieces)
            form = self._form
        if texts:
            pieces.append(self._kind("".join(texts)))
        return joined(pieces) if len(pieces) > 1 else pieces

    def end(self) -> list[Piece]:
        """Return what is left when no more chunks come."""
        return self._tools.end()

    def _read_chunk(self, chunk: bytes, pieces: list[Piece]) -> None:
        document = orjson.loads(chunk)
        self.head = self.head or document
        for choice in document["choices"]:
            if choice["index"] == 0:
                self._read_choice(choice, pieces)
        if usage := document.get("usage"):
            pieces.append(counted(usage))
        if self._in_vain < _MOST_FORMS_IN_VAIN:
            self._learn(chunk, document)

    def _read_choice(self, choice: Mapping[str, Any], pieces: list[Piece]) -> None:
        delta = choice["delta"]
        _read_texts(delta, choice, pieces)
        for call in calls_of(delta):
            self._tools.take(call, pieces)
        if reason := choice.get("finish_reason"):
            pieces.extend(self._tools.end())
            pieces.append(Finished(reason, _stopped_by(choice)))

    def _learn(self, chunk: bytes, document: Mapping[str, Any]) -> None:
        form = form_of(chunk, document)
        if form is None or document["choices"][0]["index"] != 0:
            return
        self._form = form
        self._in_vain += 1
        is_text = document["choices"][0]["delta"].get("content") is not None
        self._kind = Text if is_text else Thought


def pieces_of(document: Mapping[str, Any], usage: TokenUsage | None = None) -> list[Piece]:
    """Return the pieces of an answer that came whole, a `chat.completion`.

    `usage` is what was read of its usage, if that is known.
    """
    choice = document["choices"][0]
    message = choice["message"]
    pieces: list[Piece] = []
    _read_texts(message, choice, pieces)
    tools = _Tools()
    for index, call in enumerate(calls_of(message)):
        tools.take({"index": index, **call}, pieces)
    pieces += tools.end()
    pieces.append(Finished(choice["finish_reason"], _stopped_by(choice)))
    if raw := document.get("usage"):
        pieces.append(counted(raw, usage))
    return pieces


def counted(usage: object, parsed: TokenUsage | None = None) -> Counted:
    """Read a usage in any form that upstreams send; `parsed` is what was read of it before."""
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    of_openai = details.get("cache_write_tokens") if isinstance(details, dict) else None
    of_anthropic = usage.get("cache_creation_input_tokens") if isinstance(usage, dict) else None
    parsed = parse_usage(usage) if parsed is None else parsed
    most = (parsed.prompt_tokens or 0) - (parsed.cached_tokens or 0)
    for written in (of_openai, of_anthropic):
        if type(written) is int and 0 <= written <= most:
            return Counted(parsed, written)
    return Counted(parsed, 0)


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Join texts and arguments that go on directly."""
    kept: list[Piece] = []
    for piece in pieces:
        whole = _joined_to(kept[-1], piece) if kept else None
        if whole is None:
            kept.append(piece)
        else:
            kept[-1] = whole
    return kept


def _joined_to(last: Piece, piece: Piece) -> Piece | None:
    """Return the piece that both are together, None where they are two."""
    if isinstance(piece, Text) and isinstance(last, Text):
        return Text(last.text + piece.text)
    if isinstance(piece, Thought) and isinstance(last, Thought):
        return Thought(last.text + piece.text)
    if isinstance(piece, Refusal) and isinstance(last, Refusal):
        return Refusal(last.text + piece.text)
    if isinstance(piece, ToolArguments) and isinstance(last, ToolArguments):
        is_same = piece.place == last.place
        return ToolArguments(piece.place, last.text + piece.text) if is_same else None
    return None


def _stopped_by(choice: Mapping[str, Any]) -> str | None:
    """Read vLLM's and SGLang's names; a number is of a token."""
    given = choice.get("stop_reason") or choice.get("matched_stop")
    return given if isinstance(given, str) else None


def _read_texts(said: Mapping[str, Any], choice: Mapping[str, Any], pieces: list[Piece]) -> None:
    """Add what is thought, said and refused, in the order in which models do so."""
    for name in _THOUGHTS:
        if text := said.get(name):
            pieces.append(Thought(text))
            break
    if text := said.get("content"):
        if choice.get("logprobs"):
            pieces.extend(_logprobs_of(choice["logprobs"]))
        pieces.append(Text(text))
    if text := said.get("refusal"):
        pieces.append(Refusal(text))


def _logprobs_of(logprobs: object) -> list[Piece]:
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    known = [one for one in entries or () if isinstance(one, dict) and "logprob" in one]
    return [LogProbs(known)] if known else []


def calls_of(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parts of calls in a message or delta, the older form among them."""
    calls = said.get("tool_calls") or []
    if isinstance(function := said.get("function_call"), dict):
        calls = [*calls, {"index": _OLD_CALL, "id": _OLD_ID, "function": function}]
    return calls


class _Tools:
    """The calls of tools so far; one begins when its name is whole, with its first arguments."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._waiting: dict[int, ToolBegun] = {}

    def take(self, call: Mapping[str, Any], pieces: list[Piece]) -> None:
        """Read one part of a call."""
        place = call["index"]
        is_custom = isinstance(call.get("custom"), dict)
        function = call["custom"] if is_custom else call.get("function") or {}
        arguments = function.get("input" if is_custom else "arguments") or ""
        if place not in self._begun:
            known = self._waiting.get(place)
            name = (known.name if known else "") + (function.get("name") or "")
            id_ = known.id if known else call.get("id") or f"call_{place}"
            self._waiting[place] = ToolBegun(place, id_, name, is_custom)
            if not arguments:
                return
            pieces.extend(self._begin_until(place))
        if arguments:
            pieces.append(ToolArguments(place, arguments))

    def end(self) -> list[Piece]:
        """Return the beginnings of calls that came without arguments."""
        return self._begin_until(None)

    def _begin_until(self, place: int | None) -> list[Piece]:
        """Return the beginnings that wait, up to that of the call at this place."""
        begun: list[Piece] = []
        for waiting in list(self._waiting):
            begun.append(self._waiting.pop(waiting))
            self._begun.add(waiting)
            if waiting == place:
                break
        return begun
