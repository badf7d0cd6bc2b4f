"""Writes an entry for every error reason: docs/errors.toml says why, the code says how."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_api import errors
from tools.error_reasons import Reason, collect

_CODES = (
    ("VALIDATION_ERROR", "Change the request; repeating it does not help."),
    ("AUTHENTICATION_ERROR", "Send a valid key, or one that allows the call."),
    ("RATE_LIMIT_EXCEEDED", "Wait, or make the call smaller."),
    ("SERVICE_ERROR", "The fault is on this side: repeat the call if `retryable` is true."),
)
_LOGGED_HEAD = """\
## Words that only usage rows and logs have

A usage row has the reason of a failed call, and `attempts_detail` one for every failed attempt.
Besides the reasons above they can be:
"""


def explained(root: Path) -> dict[str, dict[str, Any]]:
    """Return docs/errors.toml: `reasons` and `attempts`."""
    return tomllib.loads((root / "docs" / "errors.toml").read_text("utf-8"))


def written(root: Path) -> str:
    """Return the entries, grouped by code."""
    found, table = collect(root / "llm_api"), explained(root)
    parts: list[str] = []
    shown = {w: e for w, e in table["reasons"].items() if not e.get("only_logged")}
    for code, advice in _CODES:
        entries = [(w, e) for w, e in shown.items() if code in _codes(found[w], e)]
        parts.append(f"## {code}\n\n{advice}\n")
        parts += [_entry(word, entry, found[word]) for word, entry in entries]
    logged = {w: e["when"] for w, e in table["reasons"].items() if e.get("only_logged")}
    parts += [_LOGGED_HEAD, _definitions(logged | table["attempts"])]
    return "\n".join(parts)


def _codes(reason: Reason, entry: Mapping[str, Any]) -> set[str]:
    return reason.codes or {getattr(errors, entry["raised_as"]).code}


def _entry(word: str, entry: Mapping[str, Any], reason: Reason) -> str:
    statuses = reason.statuses or {getattr(errors, entry["raised_as"]).status}
    facts = [
        "HTTP " + " or ".join(map(str, sorted(statuses))),
        _retryable(reason),
    ]
    lines = [f"### `{word}`\n", f"{', '.join(facts)}. {entry['when']}\n"]
    lines.append(f"- Caller: {entry['caller']}")
    if "operator" in entry:
        lines.append(f"- Operator: {entry['operator']}")
    return "\n".join(lines) + "\n"


def _retryable(reason: Reason) -> str:
    if reason.retryable == {True}:
        return "retryable"
    return "retryable in some cases" if True in reason.retryable else "not retryable"


def _definitions(texts: Mapping[str, str]) -> str:
    rows = [f"| `{word}` | {text} |" for word, text in texts.items()]
    return "\n".join(["| word | meaning |", "|---|---|", *rows]) + "\n"
