"""Restores text in quotation marks."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import (
    MARKS,
    SENTENCE_STOPS,
    find_quotes,
    has_quote,
    is_ended,
    names_quote,
)

_MARKS = re.escape("".join(sorted(MARKS)))


def with_marks_restored(task: Task, rewrite: str) -> str:
    """Return a rewrite in which quoted texts that have lost their marks have them again."""
    for quote in task.constraints.quotes:
        if not has_quote(rewrite, quote) and names_quote(rewrite, quote):
            rewrite = _marked(rewrite, quote)
    return rewrite


def with_quotes_restored(task: Task, rewrite: str) -> str:
    """Return a rewrite with every quoted text of its prompt.

    A single changed text is replaced where it is; others are added behind the rewrite.
    """
    missing = [quote for quote in task.constraints.quotes if not has_quote(rewrite, quote)]
    foreign = [quote for quote in find_quotes(rewrite) if quote not in task.constraints.quotes]
    if len(missing) == len(foreign) == 1:
        return _replaced(rewrite, foreign[0], missing[0])
    return _with_added(rewrite, missing, task.language) if missing else rewrite


def _marked(rewrite: str, quote: str) -> str:
    """Put marks around a text's first whole occurrence that has none."""
    place = re.compile(rf"(?<![A-Za-z0-9]){re.escape(quote)}(?![A-Za-z0-9])")
    marks = ("“", "”") if '"' in quote else ('"', '"')
    return place.sub(lambda found: marks[0] + found[0] + marks[1], rewrite, count=1)


def _replaced(rewrite: str, foreign: str, quote: str) -> str:
    """Put a quoted text in the place of another, within the same marks."""
    place = re.compile(rf"([{_MARKS}])\s*{re.escape(foreign)}\s*([{_MARKS}])")
    return place.sub(lambda found: found[1] + quote + found[2], rewrite, count=1)


def _with_added(rewrite: str, quotes: Sequence[str], language: str) -> str:
    end = rewrite[-1:] if rewrite[-1:] in SENTENCE_STOPS else ""
    body = rewrite.removesuffix(end).rstrip(" ,;，；") if end else rewrite.rstrip(" ,;，；")
    if not end and is_ended(rewrite):
        end = (
            "。" if language == "zh" else "."
        )  # the stop within the quotation marks ends it no longer
    if language == "zh":
        texts = "".join(f"“{quote}”" for quote in quotes)
        return f"{body}，画面中写着{texts}{end}"
    if language != "en":
        texts = ", ".join(_in_marks(quote) for quote in quotes)
        return f"{body}: {texts}{end}"
    texts = " and ".join(_in_marks(quote) for quote in quotes)
    return f"{body}, with the text {texts}{end}"


def _in_marks(quote: str) -> str:
    return f'"{quote}"' if not MARKS.intersection(quote) - {"'", "’"} else f"“{quote}”"
