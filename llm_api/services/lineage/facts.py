"""What is stored of an event: facts by their names, and texts only where that is switched on.

The names are a list of what is let in: a caller that hands in more cannot store what somebody has
written by mistake.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from llm_api.domain.lineage import (
    COMPARISON,
    DESCRIPTION,
    FEEDBACK,
    PICTURES,
    PURGE,
    REWRITE,
    VERDICT,
)

_MONEY = ("cost_micro", "currency")
NAMES: Mapping[str, frozenset[str]] = {
    REWRITE: frozenset(
        {
            "type",
            "target_model",
            "language",
            "method",
            "template_version",
            "model",
            "arm",
            "control_share",
            "is_repeat",
            "passed",
            "problems",
            "request_id",
            *_MONEY,
        }
    ),
    PICTURES: frozenset(
        {
            "model",
            "upstream",
            "n",
            "failed",
            "is_optimized",
            "picture_ids",
            "reason",
            "request_id",
            *_MONEY,
        }
    ),
    VERDICT: frozenset(
        {
            "method",
            "model",
            "passed",
            "overall",
            "coverage",
            "confidence",
            "samples",
            "rubric_version",
            "checkpoints",
            "picture_id",
            "request_id",
            *_MONEY,
        }
    ),
    COMPARISON: frozenset(
        {
            "mode",
            "model",
            "ranking",
            "wins",
            "consistent",
            "confidence",
            "samples",
            "rubric_version",
            "picture_ids",
            "request_id",
            *_MONEY,
        }
    ),
    DESCRIPTION: frozenset(
        {
            "type",
            "target_model",
            "language",
            "template_version",
            "model",
            "passed",
            "problems",
            "picture_id",
            "request_id",
            *_MONEY,
        }
    ),
    FEEDBACK: frozenset({"outcome", "score", "picture_id", "edited_length", "changed"}),
    PURGE: frozenset(),
}
_CHECKPOINT = ("outcome", "source", "kind")
_MAX_WORD, _MAX_LIST = 128, 64
_MAX_TEXT, _MAX_TEXTS = 20_000, 40
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")


def facts_of(kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return those facts that an event of a kind has, short enough to be no text."""
    return {name: _fact(name, value) for name, value in facts.items() if name in NAMES[kind]}


def _fact(name: str, value: Any) -> Any:
    if name == "checkpoints":
        return [{part: _fact(part, one.get(part)) for part in _CHECKPOINT} for one in value]
    if isinstance(value, str):
        return str(value)[:_MAX_WORD]
    if isinstance(value, list | tuple):
        return [_fact("", one) for one in value[:_MAX_LIST]]
    return value if isinstance(value, bool | int | float | None) else None


def texts_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts as they are stored: not so long that a line of the spool would be too long."""
    return {name: text[:_MAX_TEXT] for name, text in list(texts.items())[:_MAX_TEXTS] if text}


def changed_share(before: str, after: str) -> float:
    """Return how much of two texts is in one of them only, from 0 to 1.

    Counted in words, and in Chinese in characters; their order does not matter. It takes a time
    that grows with the length alone: who compares texts of callers must not be kept busy by them.
    """
    first, second = (Counter(_WORD.findall(text.casefold())) for text in (before, after))
    both = sum((first & second).values())
    total = sum(first.values()) + sum(second.values())
    return round(1 - 2 * both / total, 3) if total else 0.0
