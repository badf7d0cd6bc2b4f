"""Checks responses, the answers of the Responses API, and completes what clients need of them.

What a client's parser breaks on where it is missing is put there; everything else passes as it is:
https://platform.openai.com/docs/api-reference/responses/object and the types of openai-python.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from llm_api.domain.calls import Completion, Operation, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.completion import dumped, parse_object, parse_usage
from llm_api.upstream.answers.responses.response_failures import (
    raise_failure_instead_of_response,
    raise_failure_of_response,
)
from llm_api.upstream.vendors.errors import ErrorClassifier

_PREFIXES = {"function_call": "fc_", "message": "msg_", "reasoning": "rs_"}
_TEXTS = ("text", "refusal", "arguments", "input", "code")
# Fields that every response has, with what they say where nothing was asked for.
_ECHOED: Mapping[str, Any] = {
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
}


def parse_response(
    body: bytes,
    request: Mapping[str, Any],
    classifier: ErrorClassifier,
    max_tokens: int | None = None,
) -> Completion:
    """Check the body of an answer to a `request`; one that is right is kept byte by byte.

    `max_tokens` is the most tokens that it can have. Raises faults.Fault.
    """
    document = parse_object(body, classifier=classifier)
    if not isinstance(document.get("output"), list):
        raise_failure_instead_of_response(document, classifier)
        raise faults.bad_response("a response without output")
    raise_failure_of_response(document, classifier)
    if document.get("status") not in (None, "completed", "incomplete"):
        raise faults.bad_response("a response that has not ended")
    is_changed = settle_response(document, request, "completed")
    return Completion(
        document,
        dumped(document) if is_changed else body,
        usage_of(document, max_tokens),
        operation=Operation.RESPONSES,
    )


def usage_of(response: Mapping[str, Any], max_tokens: int | None) -> TokenUsage:
    """Return the usage of a response."""
    return parse_usage(response.get("usage"), max_tokens)


def settle_response(response: dict[str, Any], request: Mapping[str, Any], status: str) -> bool:
    """Complete a response to a `request`, and its items; return whether anything was missing.

    `status` is what it is where it does not say so itself. Raises faults.Fault.
    """
    wrong = _missing_of_response(response, request, status)
    response.update(wrong)
    is_changed = _settle_usage(response.get("usage"))
    for item in response["output"]:
        is_changed |= settle_item(item)
    return is_changed or bool(wrong)


def _missing_of_response(
    response: Mapping[str, Any], request: Mapping[str, Any], status: str
) -> dict[str, Any]:
    """Return the fields of a response that it lacks, or that are not of their type."""
    wrong = _missing(response, output=[], status=status)
    if response.get("object") != "response":
        wrong["object"] = "response"
    if not _is_name(response.get("id")):
        wrong["id"] = f"resp_{secrets.token_hex(24)}"
    if type(response.get("created_at")) not in (int, float):
        wrong["created_at"] = int(time.time())
    if not response.get("model"):
        wrong["model"] = request["model"]
    echoed = {name: request.get(name, value) for name, value in _ECHOED.items()}
    return wrong | {name: value for name, value in echoed.items() if name not in response}


def _settle_usage(usage: object) -> bool:
    """Complete a usage with the parts that newer SDKs read; return whether one was missing."""
    if not isinstance(usage, dict):
        return False
    is_changed = False
    for name, parts in (
        ("input_tokens_details", ("cached_tokens", "cache_write_tokens")),
        ("output_tokens_details", ("reasoning_tokens",)),
    ):
        sent = usage.get(name)
        details: dict[str, Any] = sent if isinstance(sent, dict) else {}
        missing = {part: 0 for part in parts if type(details.get(part)) is not int}
        if missing:
            usage[name] = {**details, **missing}
            is_changed = True
    return is_changed


def settle_item(item: Any, name: str | None = None, status: str = "completed") -> bool:
    """Complete an item of an output; return whether anything was missing.

    `name` is the id that it was given before, `status` what it is where it does not say so itself.
    Raises faults.Fault for what is no item.
    """
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise faults.bad_response("an item of a response without a type")
    kind = item["type"]
    right = _missing_of_item(item, kind, status)
    if name is not None or not _is_name(item.get("id")):
        right["id"] = name or new_id(kind)
    wrong = {field: value for field, value in right.items() if item.get(field) != value}
    item.update(wrong)
    is_changed = bool(wrong)
    for part in item["content"] if kind == "message" else ():
        is_changed |= settle_part(part)
    return is_changed


def _missing_of_item(item: Mapping[str, Any], kind: str, status: str) -> dict[str, Any]:
    """Return the fields of an item of this type that it lacks."""
    if kind == "message":
        content = item.get("content")
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else []
        return {"role": "assistant"} | _missing(item, status=status, content=parts)
    if kind == "function_call":
        return _missing(item, arguments="", call_id=f"call_{secrets.token_hex(12)}")
    return _missing(item, summary=[]) if kind == "reasoning" else {}


def settle_part(part: Any) -> bool:
    """Complete a part of a message; return whether anything was missing.

    Volcengine Ark has no `annotations`, without which the AI SDK reads no answer:
    https://github.com/CherryHQ/cherry-studio/issues/17973. Raises faults.Fault for what is no part.
    """
    if not isinstance(part, dict):
        raise faults.bad_response("a part of a message that is no object")
    if part.get("type") != "output_text":
        return False
    missing = _missing(part, text="", annotations=[])
    part.update(missing)
    return bool(missing)


def texts_of(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the model wrote in an item: texts, arguments, input of tools and thoughts."""
    for holder in (item, *_objects(item.get("content")), *_objects(item.get("summary"))):
        for name in _TEXTS:
            if isinstance(text := holder.get(name), str):
                yield text


def new_id(kind: str) -> str:
    """Make the id of an item of this type."""
    return f"{_PREFIXES.get(kind, 'item_')}{secrets.token_hex(24)}"


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _missing(document: Mapping[str, Any], **right: Any) -> dict[str, Any]:
    """Return the fields that have no value of their type."""
    return {
        name: value
        for name, value in right.items()
        if not isinstance(document.get(name), type(value))
    }


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)
