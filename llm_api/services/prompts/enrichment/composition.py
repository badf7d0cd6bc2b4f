"""Composes a prompt from the user's own words, a style and phrases of ours."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.enrichment.facets import Phrase, all_facets
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
    """Return what a prompt shows in its style, by its words and its constraints."""
    found = task.constraints
    styles = "drawn" if any(style.is_drawn for style in found.styles) else ""
    counted = "group" if any(count.value > 1 for count in found.counts) else ""
    known = frozenset(filter(None, (styles, counted)))
    scenes = all_facets().scenes
    style = f", {named_style(task.wanted.style, 'en')}" if task.wanted.style else ""
    return scenes.with_implied(scenes.find(f"{task.source}{style}") | known)


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
