"""Cuts a rewrite to the tokens that its target reads: the user's own words stay, additions go."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.repair.sentences import as_text, sentences
from llm_api.services.prompts.task import Task

MANY_TOKENS = "too_many_tokens"
# Not within brackets: (red, blue:1.2) is one tag.
_COMMA = re.compile(r"[,，]\s*(?![^(\[{<]*[)\]}>])")
_MAX_CHECKS = 60  # each reads the whole text


def read_whole(task: Task, rewrite: str) -> str:
    """Return a rewrite without so much of its additions that all of it is read.

    The last part goes first of which nothing was asked for.
    """
    is_tags = task.wanted.is_tags
    parts = list(_COMMA.split(rewrite) if is_tags else sentences(rewrite))
    if len(parts) == 1:
        parts, is_tags = _COMMA.split(rewrite), True
    comma = "，" if task.language == "zh" else ", "

    def text_of(some: Sequence[str]) -> str:
        return comma.join(some) if is_tags else as_text(some, task.language)

    checks, missing = _MAX_CHECKS, _missing(task, rewrite)
    for at in range(len(parts) - 1, 0, -1):
        if not task.tokens.is_passed_by(text_of(parts)) or not checks:
            break
        rest = text_of([*parts[:at], *parts[at + 1 :]])
        checks -= 1
        if _missing(task, rest) <= missing:
            del parts[at]
    return text_of(parts)


def _missing(task: Task, rewrite: str) -> int:
    """Return how much a rewrite has lost of its prompt, and has too little of."""
    found = find_violations(task.source, rewrite, task.wanted, constraints=task.checked)
    return sum(violation.code != "too_short" for violation in found)
