"""Turns what a picture lacked into words for the next one.

The words are added to the caller's prompt, and nothing of it is left out: so the optimizer finds
the same constraints in it as before, keeps them all, and keeps the added words as `preserve`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from llm_api.domain.judging import Outcome, PromptRequirement, Verdict
from llm_api.domain.prompts import PromptRequest

MAX_FED_BACK = 10
_MAX_CHARS = 4_000  # of a prompt, as the routes take it
_ENGLISH = " The picture must clearly show: {}."
_CHINESE = "画面中务必清楚地画出：{}。"
_ENDS = (".", "!", "?", "。", "！", "？", "…")


def lacked(verdict: Verdict | None, requirements: Iterable[PromptRequirement]) -> list[str]:
    """Return what a verdict says to be missing: in the words of the prompt, where it has some."""
    if verdict is None:
        return []
    sources = {one.words: one.source for one in requirements if one.source}
    failed = [one.text for one in verdict.checkpoints if one.outcome is Outcome.FAILED]
    return [sources.get(text, text) for text in failed]


def together(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be fed back: first what was missing last.

    What was mended stays, or the next picture could lack it again.
    """
    return tuple(dict.fromkeys([*now, *before]))[:MAX_FED_BACK]


def emphasized(prompt: str, fed_back: Sequence[str]) -> str:
    """Return a prompt that says once more what was missing, as far as there is room for it."""
    kept = list(fed_back)
    while kept:
        text = _with_words(prompt, kept)
        if len(text) <= _MAX_CHARS:
            return text
        kept.pop()
    return prompt


def _with_words(prompt: str, fed_back: Sequence[str]) -> str:
    text = prompt.rstrip()
    words = [one.strip().rstrip("".join(_ENDS)) for one in fed_back]
    if any("\u4e00" <= char <= "\u9fff" for char in prompt):
        return f"{text}{'' if text.endswith(_ENDS) else '。'}" + _CHINESE.format("；".join(words))
    return f"{text}{'' if text.endswith(_ENDS) else '.'}" + _ENGLISH.format("; ".join(words))


def rewrite_of(
    prompt: str, fed_back: Sequence[str], options: PromptRequest | None, target: str
) -> PromptRequest:
    """Return how the optimizer is to rewrite a prompt for a target model, by a caller's options."""
    wanted = options or PromptRequest(prompt, "image")
    return replace(
        wanted,
        prompt=emphasized(prompt, fed_back),
        target_model=target,
        preserve=(*wanted.preserve, *(one.strip().rstrip("".join(_ENDS)) for one in fed_back)),
    )
