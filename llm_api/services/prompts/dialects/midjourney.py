"""Midjourney's prompts: phrases, and behind them its flags, which nothing may follow.

https://docs.midjourney.com/docs/parameter-list: what stands behind `--no` is excluded, up to the
next flag. Words such as "no people" in the prompt itself are drawn.
"""

import re

from llm_api.services.prompts.constraints.constraints import Constraints

_FLAG = re.compile(r"\s+--[a-z]")
_COMMA = re.compile(r"\s*[,，、;]\s*")
_EXCLUDED = re.compile(r"--no\s+(\S.*?)(?=\s+--[a-z]|\s*\Z)")


def with_flags(text: str, tail: str, constraints: Constraints) -> str:
    """Return a text with the user's flags behind it, and what is excluded behind `--no`.

    Args:
        text: phrases or sentences, perhaps with flags of the user's in them.
        tail: the flags of the user's prompt.
        constraints: those of the user's prompt.
    """
    flags = _EXCLUDED.sub("", tail).split()
    found = _FLAG.search(text)
    bare = _without_denials(text[: found.start()] if found else text, constraints)
    own = [one for listed in _EXCLUDED.findall(tail) for one in _COMMA.split(listed)]
    denied = [one.english for one in constraints.negations]
    excluded = ", ".join(dict.fromkeys(filter(None, [*own, *denied])))
    no = [f"--no {excluded}"] if excluded else []
    return " ".join([bare, *flags, *no])


def _without_denials(text: str, constraints: Constraints) -> str:
    """Return a text without "no people": what is named is drawn, and --no says it."""
    for one in constraints.negations:
        denied = rf"[,;]?\s*\b(?:with )?(?:no|without)(?: any)? {re.escape(one.english)}\b"
        text = re.sub(denied, "", text, flags=re.IGNORECASE)
    return " ".join(text.split()).strip(" ,.;")


def without_flags(text: str) -> str:
    """Return a text up to its first flag."""
    found = _FLAG.search(text)
    return text[: found.start()] if found else text
