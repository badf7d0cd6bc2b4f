"""Checks what an upstream answered in one piece."""

import secrets
import time
from collections.abc import Mapping
from typing import Any, TypeGuard

import orjson

from llm_api.domain.calls import Completion, Operation, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers import embedded_errors, tool_calls, vectors
from llm_api.upstream.answers.content import TEXTS, settle_texts, text_of_chat
from llm_api.upstream.answers.reasons import REASONS
from llm_api.upstream.answers.reasons import settle_whole as settle_reason
from llm_api.upstream.answers.usage_forms import OTHER_NAMES, in_openai_form
from llm_api.upstream.vendors.errors import PLAIN, ErrorClassifier

# What a model has said that has said no text.
_INSTEAD_OF_CONTENT = (
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "images",
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
    encoding: object = None,
) -> Completion:
    """Check the body of an answer; bytes that are right are kept to be passed on as they are.

    `model` is named in the answer of an upstream that names none; `max_tokens` is the most tokens
    can have written; `encoding` of embeddings was asked for. Raises faults.Fault.
    """
    document = parse_object(body, classifier=classifier)
    raise_embedded_error(document, classifier, is_whole=True)
    is_changed = "error" in document  # it says nothing, and looks like an error
    document.pop("error", None)
    if operation is Operation.EMBEDDINGS:
        is_changed |= vectors.settle(document, encoding)
    else:
        is_changed |= _settle_choices(document, operation, classifier)
    counts_prompt_only = operation is Operation.EMBEDDINGS
    usage = parse_usage(_usage_of(document), max_tokens, counts_prompt_only=counts_prompt_only)
    is_changed |= _settle_head(document, operation, model)
    return Completion(
        document,
        dumped(document) if is_changed else body,
        usage,
        has_only_reasoned=spent_on_reasoning(document),
    )


def _usage_of(document: Mapping[str, Any]) -> object:
    """Return the usage of an answer, which can stand in its last choice."""
    usage, choices = document.get("usage"), document.get("choices")
    return choices[-1].get("usage") if usage is None and choices else usage


def _settle_choices(
    document: Mapping[str, Any], operation: Operation, classifier: ErrorClassifier
) -> bool:
    """Bring the choices into OpenAI's form; return whether anything was changed."""
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise faults.bad_response("an answer without choices")
    is_changed = False
    for position, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise faults.bad_response("a choice that is no object")
        raise_error_of_choice(choice, classifier)
        if type(choice.get("index")) is not int:
            choice["index"] = position
            is_changed = True
        settle = _settle_text if operation is Operation.TEXT else _settle_message
        is_changed |= settle(choice)
        if choice.get("finish_reason") not in REASONS:
            is_changed |= settle_reason(choice)
    return is_changed


def _settle_text(choice: dict[str, Any]) -> bool:
    text = choice.get("text")
    if isinstance(text, str):
        return False
    if text is not None:
        raise faults.bad_response("a choice whose text is none")
    choice["text"] = text_of_chat(choice)
    return True


def _has_ended(choice: Mapping[str, Any]) -> bool:
    """Whether a choice says why it ended, and nothing else: Gemini leaves the message out then.

    One that ended well with null for a message has lost it on the way.
    """
    reason = choice.get("finish_reason")
    if choice.get("message") is not None or not isinstance(reason, str) or not reason.strip():
        return False
    return "message" not in choice or reason.lower() != "stop"


def _settle_message(choice: dict[str, Any]) -> bool:
    if _has_ended(choice):
        choice["message"] = {"role": "assistant", "content": ""}
        return True
    message = choice.get("message")
    if not isinstance(message, dict):
        raise faults.bad_response("a choice without a message")
    is_changed = settle_texts(message) if has_odd_texts(message) else False
    if message.get("tool_calls") or message.get("function_call"):
        is_changed |= tool_calls.settle_whole(message)
    # A model that has nothing to say has answered all the same.
    if message.get("content") is None and not any(map(message.get, _INSTEAD_OF_CONTENT)):
        message["content"] = ""
        is_changed = True
    return is_changed


def has_odd_texts(said: Mapping[str, Any]) -> bool:
    """Whether a text of a message or delta is something else."""
    for name in TEXTS:  # a loop, as it is asked of every event: half the time of `all`
        text = said.get(name)
        if text is not None and type(text) is not str:
            return True
    return False


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
    wrong = {name: value for name, value in right.items() if document.get(name) != value}
    document.update(wrong)
    return bool(wrong)


def raise_embedded_error(
    document: Mapping[str, Any], classifier: ErrorClassifier = PLAIN, *, is_whole: bool = False
) -> None:
    """Raise the Fault of an error inside a `document` that came with status 200.

    `is_whole` says that the document is the whole body.
    """
    if document.get("choices") and "error" not in document and "base_resp" not in document:
        return
    error = embedded_errors.find_error(document, is_whole=is_whole)
    is_begun = bool(document.get("choices"))  # and paid for, as far as it came
    raise_error(error, classifier, is_paid=is_begun)


def raise_error_of_choice(choice: Mapping[str, Any], classifier: ErrorClassifier) -> None:
    """Raise the Fault of an error inside a `choice`, in the middle of which the model failed."""
    reason = choice.get("finish_reason")
    if reason in REASONS and "error" not in choice:
        return
    # Another attempt would be paid for as well as this one.
    raise_error(embedded_errors.error_of_choice(choice), classifier, is_paid=True)


def raise_error(error: object, classifier: ErrorClassifier, *, is_paid: bool = False) -> None:
    """Raise the Fault of an `error` that came with status 200, if there is one."""
    if error is not None:
        dumped(error)  # one that is nested too deep is not looked into
        fault = classifier.of_embedded(error)
        raise fault.with_retries_exhausted() if is_paid else fault


def parse_usage(
    usage: object, max_tokens: int | None = None, *, counts_prompt_only: bool = False
) -> TokenUsage:
    """Read `usage`; a count that cannot be true is kept as unknown, never guessed."""
    if not isinstance(usage, dict):
        return TokenUsage()
    if not _is_plain(usage):
        usage = in_openai_form(usage)
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if counts_prompt_only:
        completion = 0
    if not (_is_count(prompt) and _is_count(completion)):
        return TokenUsage(source="invalid")
    # Some vendors' caps are without what was thought.
    thought = _detail(usage, _OF_COMPLETION, "reasoning_tokens", completion)
    if max_tokens is not None and (completion or 0) - (thought or 0) > max_tokens:
        return TokenUsage(source="invalid")
    return TokenUsage(
        prompt,
        completion,
        source="upstream",
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens", prompt),
        reasoning_tokens=thought,
        images=_images(usage),
    )


def _is_plain(usage: Mapping[str, Any]) -> bool:
    """Whether a usage is in OpenAI's form, where the total is the sum of its parts."""
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return False
    details = usage.get(_OF_COMPLETION)
    thought = details.get("reasoning_tokens") if isinstance(details, dict) else None
    is_part = type(thought) is not int or thought <= completion
    is_sum = usage.get("total_tokens") in (None, prompt + completion)
    return is_part and is_sum and OTHER_NAMES.isdisjoint(usage)


def _detail(usage: Mapping[str, Any], of: str, name: str, whole: Any) -> int | None:
    """Read a part of a count; None if it is missing, or more than the whole."""
    details = usage.get(of)
    count = details.get(name) if isinstance(details, dict) else None
    return count if _is_count(count) and count <= whole else None


def _images(usage: Mapping[str, Any]) -> int | None:
    """Read how many images were made: DashScope's and Ark's names."""
    for count in (usage.get("image_count"), usage.get("generated_images")):
        if _is_count(count) and count <= _MAX_IMAGES:
            return count
    return None


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_TOKENS


def parse_object(
    text: bytes, what: str = "an answer", classifier: ErrorClassifier = PLAIN
) -> dict[str, Any]:
    """Return the JSON object in `text`, which is `what` the upstream sent; raises faults.Fault."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise faults.bad_response(f"{what} that is not JSON") from error
    if not isinstance(document, dict):
        raise_error(embedded_errors.error_of_list(document), classifier)
        raise faults.bad_response(f"{what} that is not a JSON object")
    return document


def spent_on_reasoning(document: Mapping[str, Any]) -> bool:
    """Whether every choice was cut off while the model was still reasoning."""
    choices = document.get("choices", ())
    for choice in choices:
        # Without a message it is of embeddings, or a text completion.
        if "message" not in choice or not _is_empty(choice):
            return False
    return bool(choices) and _has_reasoned(document)


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
