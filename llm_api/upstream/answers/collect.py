"""Puts the events of a streamed answer together to one in one piece, and takes one apart."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_api.domain.calls import Completion, Operation
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import DONE, StreamedAnswer
from llm_api.upstream.answers.completion import dumped, parse_answer
from llm_api.upstream.answers.deltas import set_missing

_HEAD = ("id", "created", "model", "system_fingerprint")


def collect_chunks(
    events: Iterable[bytes], answer: StreamedAnswer, max_tokens: int | None = None
) -> Completion:
    """Put the events together that an `answer` takes; raises faults.Fault.

    A stream that was cut is a fault, too. `max_tokens` is the most tokens that it can have.
    """
    operation = answer.operation
    document: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for event in events:
        chunk, _ = answer.read(event)
        if chunk is not None:
            for name in _HEAD:
                if chunk.get(name) is not None:
                    document.setdefault(name, chunk[name])
            for choice in chunk["choices"]:
                _add_choice(choices, choice, operation)
        if answer.is_over:
            break
    answer.check_complete()
    document |= {
        "choices": [_ended(choices[index]) for index in sorted(choices)],
        "usage": answer.raw_usage,
    }
    return parse_answer(dumped(document), operation, max_tokens=max_tokens)


def _add_choice(
    choices: dict[int, dict[str, Any]], part: Mapping[str, Any], operation: Operation
) -> None:
    index = part["index"]
    choice = choices.setdefault(index, {"index": index, "finish_reason": None})
    choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    if operation is Operation.TEXT:
        choice["text"] = choice.get("text", "") + part["text"]
    else:
        message = choice.setdefault("message", {"role": "assistant", "content": None})
        _add_delta(message, part["delta"])
    if isinstance(part.get("logprobs"), dict):
        collected = choice.setdefault("logprobs", {})
        for name, entries in part["logprobs"].items():
            if isinstance(entries, list):
                collected.setdefault(name, []).extend(entries)


def _ended(choice: dict[str, Any]) -> dict[str, Any]:
    """Make a choice what it is in an answer in one piece."""
    if (message := choice.get("message")) is None:
        return choice
    for call in message.get("tool_calls", []):
        del call["index"]
    if set(message) <= {"role", "content"}:
        message["content"] = message.get("content") or ""  # the model said nothing
    return choice


def _add_delta(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for call in value or []:
                _add_tool_call(message.setdefault("tool_calls", []), call)
        elif name == "function_call" and isinstance(value, dict):
            _add_function(message, name, value)
        elif value is not None and name != "role":
            message[name] = _joined(message.get(name), value)
        elif value is not None:
            message[name] = value


def _joined(known: object, value: Any) -> Any:
    """Return what was known of a field with what has come: texts and lists go on."""
    if isinstance(value, list):  # pictures, one after the other
        return [*known, *value] if isinstance(known, list) else value
    if not isinstance(value, str):
        return value
    if not isinstance(known, str | None):
        raise faults.bad_response("a text that goes on from something else")
    return (known or "") + value


def _add_tool_call(calls: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    index = part["index"]
    known = next((call for call in calls if call["index"] == index), None)
    if known is None:
        known = {"index": index}
        calls.append(known)
    for name, value in part.items():
        if name == "function" and isinstance(value, dict):
            _add_function(known, name, value)
        elif value is not None:
            known[name] = value


def _add_function(holder: dict[str, Any], field: str, part: Mapping[str, Any]) -> None:
    """Add a part of a function to what stands in a field, which may have been no function yet."""
    known = holder.get(field)
    function = holder[field] = known if isinstance(known, dict) else {}
    for name, value in part.items():
        if isinstance(value, str):
            function[name] = function.get(name, "") + value


def events_of(document: Mapping[str, Any], operation: Operation) -> Iterator[bytes]:
    """Return the events of a streamed answer for a `document` that came in one piece.

    `parse_answer` has checked it.
    """
    head = {name: document.get(name) for name in ("id", "created", "model", "system_fingerprint")}
    head = {name: value for name, value in head.items() if value is not None}
    choices = [dict(choice) for choice in document["choices"]]
    reasons = [choice.pop("finish_reason") for choice in choices]
    for position, choice in enumerate(choices):
        set_missing(choice, "index", position)
        if operation is Operation.CHAT:
            choice["delta"] = _delta(choice.pop("message"))
    yield dumped(head | {"choices": [c | {"finish_reason": None} for c in choices]})
    nothing: dict[str, Any] = {"delta": {}} if operation is Operation.CHAT else {"text": ""}
    ends = [
        {"index": choice["index"], **nothing, "finish_reason": reason}
        for choice, reason in zip(choices, reasons, strict=True)
    ]
    yield dumped(head | {"choices": ends})
    if document.get("usage"):
        yield dumped(head | {"choices": [], "usage": document["usage"]})
    yield DONE


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    delta = {"role": "assistant", **message}
    if delta.get("tool_calls"):
        delta["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(delta["tool_calls"])
        ]
    return delta
