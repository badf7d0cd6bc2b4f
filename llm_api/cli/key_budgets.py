"""Prints a key or a group, and what is spent and left of its budgets."""

from collections.abc import Mapping
from typing import Any

from llm_api.cli.tables import aligned

_COLUMNS = ("of", "budget", "spent", "reserved", "left", "resets_at")


def budget_table(shown: Mapping[str, Any]) -> str:
    """Write the properties of a key or group that are set, and below them its budgets."""
    states = shown["budget_states"]
    left_out = {"budget_states", "budgets"} if states else {"budget_states"}
    rows = [[name, _text(value)] for name, value in shown.items() if name not in left_out]
    text = aligned([row for row in rows if row[1]])
    if not states:
        return text
    budgets = [[str(state[name] or "never") for name in _COLUMNS] for state in states]
    return f"{text}\n\n{aligned([list(_COLUMNS), *budgets])}"


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {most}" for name, most in value.items())
    return str(value) if isinstance(value, str | bool) else ", ".join(map(str, value))
