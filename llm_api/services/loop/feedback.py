"""Turns what a picture lacked into words for the next one.

The words are added to the caller's prompt, and nothing of it is left out: so the optimizer finds
the same constraints in it as before, keeps them all, and keeps the added words as `preserve`.
"""

from collections.abc import Sequence
from dataclasses import replace

from llm_api.domain.judging import Outcome, PromptRequirement, Verdict
from llm_api.domain.prompts import PromptRequest
from llm_api.services.prompts import find_constraints, is_chinese, requirements_of

MAX_FED_BACK = 10
_MAX_CHARS = 4_000  # of a prompt, as the routes take it
_READ = frozenset({"en", "zh"})  # what a rewrite says in other languages may be translated
_ENDS = ".!?。！？…;；"


def lacked(prompt: str, verdict: Verdict | None) -> list[str]:
    """Return what a verdict says to be missing: in the words of the prompt, where it has some."""
    if verdict is None:
        return []
    texts = [one.text for one in verdict.checkpoints if one.outcome is Outcome.FAILED]
    known = {one.words: _phrase(one, prompt) for one in requirements_of(prompt) if one.source}
    phrases = [known.get(text, text).strip().rstrip(_ENDS) for text in texts]
    kept = dict.fromkeys(phrases)
    return [one for one in kept if not any(_says_less(one, other) for other in kept)]


def _says_less(phrase: str, other: str) -> bool:
    """Whether another phrase has all of its words, as "blue dog" has those of "dog"."""
    if is_chinese(phrase):
        return phrase != other and phrase in other
    return set(phrase.split()) < set(other.split())


def _phrase(requirement: PromptRequirement, prompt: str) -> str:
    chinese = is_chinese(prompt)
    if requirement.kind == "text":
        return f"文字“{requirement.source}”" if chinese else f'the text "{requirement.source}"'
    if requirement.kind == "count" and requirement.count:
        return f"恰好{requirement.source}" if chinese else f"exactly {requirement.source}"
    return requirement.source


def together(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be fed back: first what was missing last.

    What was mended stays, or the next picture could lack it again.
    """
    return tuple(dict.fromkeys([*now, *before]))[:MAX_FED_BACK]


def emphasized(prompt: str, fed_back: Sequence[str]) -> str:
    """Return a prompt that says once more what was missing, as far as there is room for it."""
    for count in range(len(fed_back), 0, -1):
        text = _with_words(prompt.rstrip(), fed_back[:count])
        if len(text) <= _MAX_CHARS:
            return text
    return prompt


def _with_words(prompt: str, fed_back: Sequence[str]) -> str:
    has_end = prompt.endswith(tuple(_ENDS))
    if is_chinese(prompt):
        return f"{prompt}{'' if has_end else '。'}最重要的是：{'；'.join(fed_back)}。"
    return f"{prompt}{'' if has_end else '.'} Most important: {'; '.join(fed_back)}."


def rewrite_of(
    prompt: str, fed_back: Sequence[str], options: PromptRequest | None
) -> PromptRequest:
    """Return how the optimizer is to rewrite a prompt, by a caller's options.

    Of a prompt that is translated no words can be preserved; its texts and numbers are compared.
    """
    wanted = options or PromptRequest(prompt, "image")
    is_read = find_constraints(prompt).language in _READ
    kept = fed_back if is_read else ()
    return replace(
        wanted,
        prompt=emphasized(prompt, fed_back),
        preserve=(*wanted.preserve, *kept),
        # Another try wants other words, also where the judge has found the same fault again.
        refresh=True,
    )
