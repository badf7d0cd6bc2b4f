"""Composes a prompt from the user's own words, a style and phrases of ours."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.enrichment.facets import Phrase
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import has_sentences, is_ended, joined


def composed(task: Task, phrases: Sequence[Phrase]) -> str:
    """Return the prompt with its style, and the phrases behind it."""
    texts = [phrase.zh if task.language == "zh" else phrase.en for phrase in phrases]
    return joined(*_with_style(task, texts), task.language)


def tidied(task: Task) -> str:
    """Return the prompt with nothing but its style: as a sentence, without stray marks."""
    text = joined(*_with_style(task, []), task.language)
    text = re.sub(r"\s+([,.;:!?])(?=\s|$)", r"\1", text.rstrip(" ,;，；、"))
    if task.language == "zh" or task.wanted.is_tags:
        return text
    text = text[:1].upper() + text[1:]
    return text if is_ended(text) else f"{text}."


def scenes_of(task: Task) -> frozenset[str]:
    """Return what the constraints say of the scene, for the choice of phrases."""
    found = task.constraints
    has_several = len(found.objects) > 1 or found.counts or found.relations
    known = {"alive": found.has_animate or found.mentions_person, "group": bool(has_several)}
    return frozenset(name for name, is_so in known.items() if is_so)


def named_style(style: str, language: str) -> str:
    """Return a style's name with the word "style" (风格) in it."""
    if language == "zh":
        return style if style.endswith(("风格", "风")) else f"{style}风格"
    return style if style.casefold().endswith("style") else f"{style} style"


def _with_style(task: Task, texts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Put the style into the first sentence: before sentences, or behind a fragment."""
    style, prompt = task.wanted.style, task.source
    if not style or _names(prompt, style):
        return prompt, texts
    named = named_style(style, task.language)
    colon = "：" if task.language == "zh" else ": "
    if has_sentences(prompt):
        return f"{named[:1].upper()}{named[1:]}{colon}{prompt}", texts
    return prompt, [named, *texts]


def _names(prompt: str, style: str) -> bool:
    """Whether a prompt has the style as whole words."""
    words = re.escape(style.casefold())
    edges = rf"(?<![a-z0-9]){words}(?![a-z0-9])" if style.isascii() else words
    return bool(re.search(edges, prompt.casefold()))
