"""Checks what an upstream answered in one piece."""

import secrets
import time
from collections.abc import Mapping
from typing import Any, TypeGuard

import orjson

from llm_api.domain.calls import Completion, Operation, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.vendors.errors import PLAIN, ErrorClassifier

_INSTEAD_OF_CONTENT = (
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "reasoning_content",
    "reasoning",
)
_OBJECTS = {
    Operation.CHAT: "chat.completion",
    Operation.TEXT: "text_completion",
    Operation.EMBEDDINGS: "list",
}
ID_PREFIXES = {Operation.CHAT: "chatcmpl-", Operation.TEXT: "cmpl-"}
_OF_COMPLETION = "completion_tokens_details"
_MAX_IMAGES = 10_000
_MAX_TOKENS = 2**31 - 1  # more tokens than any context holds: such a count is a mistake


def parse_answer(
    body: bytes,
    operation: Operation = Operation.CHAT,
    *,
    model: str = "",
    classifier: ErrorClassifier = PLAIN,
    max_tokens: int | None = None,
) -> Completion:
    """Check the body of an answer; its bytes are kept to be passed on as they are.

    `model` is named in the answer of an upstream that names none; `max_tokens` is the most tokens
    can have written. Raises faults.Fault.
    """
    document = parse_object(body)
    raise_embedded_error(document, classifier)
    if operation is Operation.EMBEDDINGS:
        _check_embeddings(document)
    else:
        _check_choices(document, operation)
    counts_prompt_only = operation is Operation.EMBEDDINGS
    usage = parse_usage(document.get("usage"), max_tokens, counts_prompt_only=counts_prompt_only)
    is_changed = "error" in document  # null: it says nothing, and looks like an error
    document.pop("error", None)
    is_changed |= _settle_head(document, operation, model)
    return Completion(
        document,
        dumped(document) if is_changed else body,
        usage,
        has_only_reasoned=spent_on_reasoning(document),
    )


def _check_embeddings(document: Mapping[str, Any]) -> None:
    data = document.get("data")
    if not isinstance(data, list) or not data:
        raise faults.bad_response("an answer without data")
    if not all(isinstance(one, dict) and one.get("embedding") for one in data):
        raise faults.bad_response("an answer without embeddings")


def _check_choices(document: Mapping[str, Any], operation: Operation) -> None:
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise faults.bad_response("an answer without choices")
    for choice in choices:
        if operation is Operation.TEXT:
            if not isinstance(choice, dict) or not isinstance(choice.get("text"), str):
                raise faults.bad_response("a choice without text")
            continue
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise faults.bad_response("a choice without a message")
        message = choice["message"]
        if not _are_objects(message.get("tool_calls") or []):
            raise faults.bad_response("a message with malformed tool calls")
        has_text = isinstance(message.get("content"), str)
        if not has_text and not any(message.get(name) for name in _INSTEAD_OF_CONTENT):
            raise faults.bad_response("a message without content")


def _are_objects(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def dumped(document: Any) -> bytes:
    """Write JSON that came from an upstream; raises faults.Fault."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:  # it reads 1,024 levels and writes 254
        raise faults.bad_response("an answer that is nested too deep") from error


def _settle_head(document: dict[str, Any], operation: Operation, model: str) -> bool:
    """Add what SDKs expect at the top and the upstream left out; return whether anything was."""
    right: dict[str, Any] = {"object": _OBJECTS[operation]}
    if model and not document.get("model"):
        right["model"] = model
    if operation is not Operation.EMBEDDINGS:
        if not document.get("id"):
            right["id"] = f"{ID_PREFIXES[operation]}{secrets.token_hex(12)}"
        if type(document.get("created")) is not int:
            right["created"] = int(time.time())
    is_changed = any(document.get(name) != value for name, value in right.items())
    document.update(right)
    return is_changed


def raise_embedded_error(document: Mapping[str, Any], classifier: ErrorClassifier = PLAIN) -> None:
    """Raise the Fault of an error inside a `document` that came with status 200."""
    error = document.get("error")
    if not error and isinstance(document.get("code"), str) and "choices" not in document:
        error = document  # DashScope's native shape: {code, message, request_id}
    if error:
        dumped(error)  # one that is nested too deep is not looked into
        raise classifier.of_embedded(error)


def parse_usage(
    usage: object, max_tokens: int | None = None, *, counts_prompt_only: bool = False
) -> TokenUsage:
    """Read `usage`; a count that cannot be true is kept as unknown, never guessed."""
    if not isinstance(usage, dict):
        return TokenUsage()
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if counts_prompt_only:
        completion = 0
    if not (_is_count(prompt) and _is_count(completion)):
        return TokenUsage(source="invalid")
    # Some vendors' caps are without what was thought.
    thought = _detail(usage, _OF_COMPLETION, "reasoning_tokens", completion) or 0
    if max_tokens is not None and (completion or 0) - thought > max_tokens:
        return TokenUsage(source="invalid")
    return TokenUsage(
        prompt,
        completion,
        source="upstream",
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens", prompt),
        reasoning_tokens=_detail(usage, _OF_COMPLETION, "reasoning_tokens", completion),
        images=_images(usage),
    )


def _detail(usage: Mapping[str, Any], of: str, name: str, whole: Any) -> int | None:
    """Read a part of a count; None if it is missing, or more than the whole."""
    details = usage.get(of)
    count = details.get(name) if isinstance(details, dict) else None
    return count if _is_count(count) and count <= whole else None


def _images(usage: Mapping[str, Any]) -> int | None:
    """Read how many images were made: DashScope's and Ark's names."""
    counts = (usage.get(name) for name in ("image_count", "generated_images"))
    return next((count for count in counts if _is_count(count) and count <= _MAX_IMAGES), None)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_TOKENS


def parse_object(text: bytes, what: str = "an answer") -> dict[str, Any]:
    """Return the JSON object in `text`, which is `what` the upstream sent; raises faults.Fault."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise faults.bad_response(f"{what} that is not JSON") from error
    if not isinstance(document, dict):
        raise faults.bad_response(f"{what} that is not a JSON object")
    return document


def spent_on_reasoning(document: Mapping[str, Any]) -> bool:
    """Whether every choice was cut off while the model was still reasoning."""
    choices = document.get("choices", ())
    if not choices or not all("message" in choice for choice in choices):
        return False  # embeddings, or a text completion
    return all(_is_empty(choice) for choice in choices) and _has_reasoned(document)


def _is_empty(choice: Mapping[str, Any]) -> bool:
    if choice.get("finish_reason") != "length":
        return False
    message = choice["message"]
    content = message.get("content")
    return not (isinstance(content, str) and content.strip()) and not message.get("tool_calls")


def _has_reasoned(document: Mapping[str, Any]) -> bool:
    if any(choice["message"].get("reasoning_content") for choice in document["choices"]):
        return True
    if any(choice["message"].get("reasoning") for choice in document["choices"]):
        return True  # Ollama's and vLLM's newer name
    usage = document.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    return bool(isinstance(details, dict) and details.get("reasoning_tokens"))
