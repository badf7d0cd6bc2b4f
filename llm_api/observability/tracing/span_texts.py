"""The texts of prompts and answers, in the form that spans have them where that is wanted.

The form: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/, messages of parts. Of
pictures and files only the type is kept, and of texts at most `MAX_CHARACTERS` of a span's prompt
and as many of its answer: spans wait in memory until the collector takes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from llm_api.domain.tracing import Source

MAX_CHARACTERS = 8_000
Part = dict[str, Any]


class _Budget:
    """Cuts texts to what is left of a number of characters."""

    def __init__(self) -> None:
        self._left = MAX_CHARACTERS

    def cut(self, text: str) -> str:
        """Return as much of a text as there is room for."""
        kept = text[: self._left]
        self._left -= len(kept)
        return kept


def input_messages(body: Mapping[str, Any]) -> str:
    """Return the messages of a request's body as JSON."""
    budget = _Budget()
    given = body.get("messages")
    if given is None:
        given = body.get("input", body.get("prompt", ()))
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    messages = [_message(one, budget) for one in given if isinstance(one, Mapping | str)]
    return orjson.dumps(messages).decode()


def _message(message: Mapping[str, Any] | str, budget: _Budget) -> dict[str, Any]:
    if isinstance(message, str):  # of several texts, for embeddings
        message = {"content": message}
    parts = _parts(message.get("content"), budget)
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        arguments = budget.cut(str(function.get("arguments") or ""))
        name = str(function.get("name") or "")
        parts.append({"type": "tool_call", "name": name, "arguments": arguments})
    return {"role": str(message.get("role") or "user"), "parts": parts}


def _parts(content: object, budget: _Budget) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "content": budget.cut(content)}]
    if not isinstance(content, list):
        return []
    parts: list[Part] = []
    for part in content:
        if not isinstance(part, Mapping):
            continue
        text = part.get("text")
        if isinstance(text, str):
            parts.append({"type": "text", "content": budget.cut(text)})
        else:
            parts.append({"type": str(part.get("type"))})
    return parts


def output_messages(document: Mapping[str, Any]) -> str:
    """Return the messages of a whole answer as JSON: of a chat, a text or a response."""
    budget = _Budget()
    if "output" in document:
        items = [one for one in document["output"] if one.get("type") == "message"]
        return orjson.dumps([_message(one, budget) for one in items]).decode()
    messages = []
    for choice in document.get("choices") or ():
        told: Mapping[str, Any] = choice.get("message") or {"content": choice.get("text")}
        message = _message({"role": "assistant", **told}, budget)
        messages.append(message | {"finish_reason": str(choice.get("finish_reason"))})
    return orjson.dumps(messages).decode()


class StreamedTexts:
    """Collects the texts of a stream's first choice."""

    def __init__(self, first: Sequence[bytes]) -> None:
        """Read the first chunks of a stream, each as JSON."""
        self._budget = _Budget()
        self._texts: list[str] = []
        self._read(first)

    def observed(self, others: Source) -> Source:
        """Return a source of the `others`, which are read as they pass."""

        def next_batch() -> list[bytes] | None:
            batch = others()
            self._read(batch or ())
            return batch

        return next_batch

    def messages(self) -> str:
        """Return the message so far, as JSON."""
        part = {"type": "text", "content": "".join(self._texts)}
        return orjson.dumps([{"role": "assistant", "parts": [part]}]).decode()

    def _read(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            if text := self._budget.cut(_text_of(orjson.loads(bytes(chunk)))):
                self._texts.append(text)


def _text_of(chunk: Mapping[str, Any]) -> str:
    if chunk.get("type") == "response.output_text.delta":
        return str(chunk.get("delta") or "")
    for choice in chunk.get("choices") or ():
        if not choice.get("index"):
            delta: Callable[[str], Any] = (choice.get("delta") or choice).get
            return str(delta("content") or delta("text") or "")
    return ""
