"""Prints calls for `flask --app wsgi usage show`."""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_api.cli.tables import aligned

_UNKNOWN = "-"


def call_text(call: Mapping[str, Any]) -> str:
    """Return all that is known of a call, as lines of a name and its value.

    `call` is one of those that `CallLookup.described` returns.
    """
    lines = aligned([[name, value] for name, value in _facts(call)], right_from=2)
    if not call["attempts"]:
        return lines
    rows = [["attempt", "upstream", "model", "ms", "status", "cause", "what the upstream said"]]
    for number, attempt in enumerate(call["attempts"], start=1):
        named = ("upstream", "model", "ms", "status", "reason", "said")
        rows.append([str(number), *(_text(attempt[name]) for name in named)])
    return f"{lines}\n\n{aligned(rows, right_from=len(rows[0]))}"


def _facts(call: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "request_id", call["request_id"]
    if call["shown_id"] is not None:
        yield "shown as", call["shown_id"]
    yield "status", f"{call['status']} {call['reason'] or ''}".strip()
    if not call["is_stored"]:
        yield "row", "waits for the usage store"
    yield "http_status", _text(call["http_status"])
    yield "began at", call["created_at"]
    yield "key", _who(call["key"])
    if call["group"] is not None:
        yield "group", _who(call["group"])
    yield "route", call["route"]
    yield "model", f"{call['model']} at {call['upstream']}"
    if call["requested_model"] not in {None, call["model"]}:
        yield "requested", call["requested_model"]
    yield "tokens", _tokens(call["tokens"])
    if call["images"] is not None:
        yield "images", _text(call["images"])
    cost = call["cost"]
    yield "cost", "unknown" if cost is None else f"{cost['amount']} {cost['currency']}"
    yield "times", _times(call["times"])
    if call["pictures"] is not None:
        for name, value in call["pictures"].items():
            yield f"pictures.{name}", _text(value)
    yield "tags", ", ".join(call["tags"]) or _UNKNOWN
    yield "lineage", _text(call["lineage_id"])


def _who(one: Mapping[str, str | None] | None) -> str:
    return _UNKNOWN if one is None else f"{one['id']} ({one['name'] or 'unknown'})"


def _tokens(tokens: Mapping[str, Any]) -> str:
    counted = f"{_text(tokens['prompt_tokens'])} in, {_text(tokens['completion_tokens'])} out"
    parts = [f"{tokens[f'{name}_tokens'] or 0} {name}" for name in ("cached", "reasoning")]
    return f"{counted} ({', '.join(parts)}; {tokens['source']})"


def _times(times: Mapping[str, int | None]) -> str:
    known = {name.removesuffix("_ms"): ms for name, ms in times.items() if ms is not None}
    return ", ".join(f"{name.replace('_', ' ')} {ms} ms" for name, ms in known.items()) or _UNKNOWN


def _text(value: object) -> str:
    return _UNKNOWN if value is None or value == "" else str(value)
