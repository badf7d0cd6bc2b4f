"""Cuts a rewrite to the tokens that its target reads: the user's own words stay, additions go."""

import re
from collections.abc import Callable, Sequence

from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.repair.sentences import as_text, sentences
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import is_ended

MANY_TOKENS = "too_many_tokens"
# At a comma, though not within brackets, since (red, blue:1.2) is one tag; and behind a sentence.
_CUT = re.compile(r"(?=[,，]\s*(?![^(\[{<]*[)\]}>]))|(?<=[.!?])(?=\s)")
_MAX_CHECKS = 60  # each reads the whole text


def read_whole(task: Task, rewrite: str) -> str:
    """Return a rewrite without so much of its additions that all of it is read.

    The last part goes first of which nothing was asked for.
    """
    parts = [] if task.wanted.is_tags else list(sentences(rewrite))
    if len(parts) > 1:
        return as_text(_cut(task, parts, lambda some: as_text(some, task.language)), task.language)
    text = "".join(_cut(task, _CUT.split(rewrite), "".join))
    stop = rewrite[-1:] if is_ended(rewrite) and not is_ended(text) else ""
    return text + stop


def _cut(
    task: Task, parts: Sequence[str], text_of: Callable[[Sequence[str]], str]
) -> Sequence[str]:
    kept, checks, missing = list(parts), _MAX_CHECKS, _missing(task, text_of(parts))
    for at in range(len(parts) - 1, 0, -1):
        if not checks or not task.tokens.is_passed_by(text_of(kept)):
            break
        rest = [*kept[:at], *kept[at + 1 :]]
        checks -= 1
        if _missing(task, text_of(rest)) <= missing:
            kept = rest
    return kept


def _missing(task: Task, rewrite: str) -> int:
    """Return how much a rewrite has lost of its prompt, and has too little of."""
    found = find_violations(task.source, rewrite, task.wanted, constraints=task.checked)
    return sum(violation.code != "too_short" for violation in found)
