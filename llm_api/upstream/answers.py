"""Checks what an upstream answered, and puts streamed chunks together to one completion."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from llm_api.domain import Completion, TokenUsage
from llm_api.upstream import faults

_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")
_MAX_TOKENS = 2**31 - 1  # more tokens than any context holds: such a count is a mistake


def parse_completion(body: bytes, *, model_was_named: bool = True) -> Completion:
    """Check a `chat.completion` body; its bytes are kept to be passed on as they are.

    Raises faults.Fault.
    """
    document = _object(body)
    raise_embedded_error(document, model_was_named=model_was_named)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise faults.bad_response("an answer without choices")
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise faults.bad_response("a choice without a message")
        message = choice["message"]
        has_text = isinstance(message.get("content"), str)
        if not has_text and not any(message.get(name) for name in _INSTEAD_OF_CONTENT):
            raise faults.bad_response("a message without content")
    return Completion(document=document, body=body, usage=parse_usage(document.get("usage")))


def raise_embedded_error(document: Mapping[str, Any], *, model_was_named: bool = True) -> None:
    """Raise the Fault of an error that came inside a body with status 200."""
    error = document.get("error")
    if not error and isinstance(document.get("code"), str) and "choices" not in document:
        error = document  # DashScope's native shape: {code, message, request_id}
    if not error:
        return
    text = orjson.dumps({"error": error})
    code = faults.error_code(text)
    status = error.get("code") if isinstance(error, dict) else None
    raise faults.Fault(
        faults.of_code(
            status
            if isinstance(status, int) and 400 <= status < 600
            else faults.status_of_words(code),
            code,
            {},
            model_was_named=model_was_named,
        )
    )


def parse_usage(usage: object) -> TokenUsage:
    """Read `usage`; a count that cannot be true is kept as unknown, never guessed."""
    if not isinstance(usage, dict):
        return TokenUsage()
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        return TokenUsage(source="invalid")
    return TokenUsage(prompt, completion, source="upstream")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_TOKENS


def collect_chunks(events: Iterable[bytes], *, model_was_named: bool = True) -> Completion:
    """Put the events of a streamed answer together to one completion.

    Raises faults.Fault, also for a stream that ends with neither `[DONE]` nor a finish reason.
    """
    collected = _Collected()
    is_complete = False
    for event in events:
        if event == b"[DONE]":
            is_complete = True
            break
        chunk = _object(event)
        raise_embedded_error(chunk, model_was_named=model_was_named)
        collected.add(chunk)
    if not is_complete and not collected.has_finished:
        raise faults.Fault(faults.while_reading(OSError()).error)
    document = collected.document()
    return parse_completion(orjson.dumps(document))


class _Collected:
    """What has been collected of a stream so far."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    @property
    def has_finished(self) -> bool:
        return any(choice["finish_reason"] for choice in self._choices.values())

    def add(self, chunk: Mapping[str, Any]) -> None:
        for name in ("id", "created", "model", "system_fingerprint"):
            self._head.setdefault(name, chunk.get(name))
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise faults.bad_response("an event without choices")
        for delta_choice in choices:
            self._add_choice(delta_choice)

    def _add_choice(self, delta_choice: Any) -> None:
        if not isinstance(delta_choice, dict) or not isinstance(delta_choice.get("index", 0), int):
            raise faults.bad_response("an event with a malformed choice")
        index = delta_choice.get("index", 0)
        choice = self._choices.setdefault(
            index,
            {
                "index": index,
                "message": {"role": "assistant", "content": ""},
                "finish_reason": None,
            },
        )
        choice["finish_reason"] = delta_choice.get("finish_reason") or choice["finish_reason"]
        delta = delta_choice.get("delta")
        if isinstance(delta, dict) and isinstance(delta.get("content"), str):
            choice["message"]["content"] += delta["content"]
        logprobs = delta_choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            choice.setdefault("logprobs", {"content": []})["content"] += logprobs["content"]

    def document(self) -> dict[str, Any]:
        return {
            "id": self._head.get("id"),
            "object": "chat.completion",
            "created": self._head.get("created"),
            "model": self._head.get("model"),
            "choices": [self._choices[index] for index in sorted(self._choices)],
            "usage": self._usage,
            "system_fingerprint": self._head.get("system_fingerprint"),
        }


def _object(text: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise faults.bad_response("something that is not JSON") from error
    if not isinstance(document, dict):
        raise faults.bad_response("JSON that is not an object")
    return document
