"""Restores what a rewrite lost or never had, in sentences of ours or in the user's own words."""

import functools
import re
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.constraints.styles import Style
from llm_api.services.prompts.enrichment.composition import named_style, scenes_of
from llm_api.services.prompts.enrichment.facets import Facet, all_facets
from llm_api.services.prompts.languages.tags import form_of
from llm_api.services.prompts.repair.conflicts import (
    contradicts,
    is_drawn_otherwise,
    is_filmed_otherwise,
)
from llm_api.services.prompts.repair.sentences import sentences
from llm_api.services.prompts.task import LENGTH_BANDS, Task
from llm_api.services.prompts.text import has_sentences, is_ended, joined

QUOTE = "quote_lost"
_OURS = frozenset({"style_lost", "camera_lost"})
LOST = _OURS | {
    QUOTE,
    "preserve_lost",
    "syntax_lost",
    "count_changed",
    "color_lost",
    "object_lost",
    "relation_lost",
    "name_lost",
}
# Commas inside of brackets belong to a tag: (a, b:1.2), {red, blue|green}.
_BETWEEN_TAGS = re.compile(r",(?![^(){}<>\[\]]*[)}>\]])")
_LIGHT = re.compile(
    r"(?i)sun|night|dusk|dawn|dark|dim|neon|lit\b|glow|shadow|moon|bright|light|[日夜光暗月灯]"
)
_IN_OWN_WORDS = (LOST - _OURS) | {"unrelated"}
_SHOTS = {"en": "medium shot", "zh": "中景"}
_FILLING = ("lighting", "palette", "texture")
_MAX_SENTENCES = 40
_MAX_REPEATED = {"en": 300, "zh": 100}  # characters; more of the prompt twice reads badly


def with_style(task: Task, rewrite: str, wrong: Sequence[Violation]) -> str:
    """Return a rewrite that begins with the style it lost, unless it names another style."""
    asked = [(task.wanted.style, task.wanted.style)] if task.wanted.style else []
    own = [(style.words, _name(style, task)) for style in task.constraints.styles]
    for words, name in (*asked, *own):
        if violation_of("style_lost", words) in wrong and name:
            if is_drawn_otherwise(task, rewrite):
                return rewrite
            named = named_style(name, task.language)
            colon = "：" if task.language == "zh" else ": "
            return f"{named[:1].upper()}{named[1:]}{colon}{rewrite}"
    return rewrite


def _name(style: Style, task: Task) -> str | None:
    """Return a style's name in the language of the rewrite, None if there is none."""
    if not task.is_translated:
        return style.words
    return style.concept if task.language == "en" else None


def with_camera(task: Task, rewrite: str, wrong: Sequence[Violation]) -> str:
    """Return a rewrite that ends with the camera moves, angles and shots it lost."""
    known = _sentences_of_ours()["camera"]
    for label in known:
        if violation_of("camera_lost", label) not in wrong:
            continue
        if not is_filmed_otherwise(task, rewrite, label):
            is_tag = task.wanted.is_tags and task.language == "en"
            sentence = label if is_tag else known[label][task.language]
            rewrite = _with_sentence(rewrite, sentence, task)
    return rewrite


def with_prompt(task: Task, rewrite: str, wrong: Sequence[Violation]) -> str:
    """Return a rewrite behind those sentences of the prompt of which it lost something.

    A style or a camera move alone is restored by sentences of ours instead.
    """
    if task.is_translated or all(violation.code not in _IN_OWN_WORDS for violation in wrong):
        return rewrite
    parts = sentences(task.prompt)
    if len(parts) > _MAX_SENTENCES or contradicts(task, rewrite, wrong):
        return rewrite
    own = [part for part in parts if _is_lost(part, rewrite, task)]
    text = (" " if task.language == "en" else "").join(own or [task.prompt])
    if len(text) > min(_MAX_REPEATED[task.language], len(rewrite)):
        return rewrite
    text = text.rstrip(" ,;:，；：、")
    if task.wanted.is_tags:
        return ", ".join([text, *_tags_beside(text, rewrite)])
    end = "" if is_ended(text) else ("。" if task.language == "zh" else ". ")
    gap = " " if task.language == "en" and not end else ""
    return f"{text[:1].upper()}{text[1:]}{end}{gap}{rewrite}"


def _tags_beside(own: str, rewrite: str) -> Iterator[str]:
    """Yield the tags of a rewrite that the user's own words do not have already."""
    for tag in _BETWEEN_TAGS.split(rewrite):
        words = re.escape(tag.strip(" ,"))
        if words and re.search(rf"(?<!\w){words}(?!\w)", own, re.IGNORECASE) is None:
            yield tag.strip()


def with_details(task: Task, rewrite: str) -> str:
    """Return a rewrite with phrases of ours for light, colors and surface behind it."""
    if not task.request.enhance_details or task.wanted.is_tags:
        return rewrite
    facets = all_facets().open_for("image", task.source, scenes_of(task))
    words = [
        _chosen(facet, task)
        for facet in facets
        if facet.name in _FILLING and not _has_facet(facet, rewrite)
    ]
    rewrite = joined(rewrite, words, task.language)
    is_still = task.wanted.type == "image" or bool(task.constraints.camera.labels())
    if is_still or not is_short(task, rewrite):
        return rewrite
    return _with_sentence(rewrite, _sentences_of_ours()["motion"][task.language], task)


def _has_facet(facet: Facet, rewrite: str) -> bool:
    """Whether a rewrite speaks of light, colors or surface; of light in any words."""
    if facet.name == "lighting" and _LIGHT.search(rewrite):
        return True
    return bool(facet.already.search(rewrite))


def is_short(task: Task, rewrite: str) -> bool:
    """Whether a rewrite is shorter than the band that models are asked for."""
    form = form_of(task.language)
    low, _ = LENGTH_BANDS[task.wanted.type, form]
    return (len(rewrite) if form == "zh" else len(rewrite.split())) < low


def with_framing(task: Task, rewrite: str, *, is_size_wanted: bool = False) -> str:
    """Return a rewrite for a video with a shot size, unless it says how the scene is filmed.

    The size depends on the scene and the prompt alone: the same prompt always gets the same.

    Args:
        task: the prompt and what its rewrite must satisfy.
        rewrite: the text.
        is_size_wanted: a move or an angle is not enough, unless it is the user's.
    """
    if task.wanted.type != "video" or not task.request.enhance_details:
        return rewrite
    if _is_filmed(rewrite, is_size_wanted=is_size_wanted and not task.constraints.camera.labels()):
        return rewrite
    facets = all_facets().open_for("video", task.source, scenes_of(task))
    shots = [_chosen(facet, task) for facet in facets if facet.name == "composition"]
    # The word for the lens does not suit a drawn picture.
    words = (shots or [_SHOTS[task.language]])[0].removesuffix("镜头")
    if not has_sentences(rewrite):
        return joined(rewrite, [words], task.language)
    ours = _sentences_of_ours()["framing"][task.language]
    return _with_sentence(rewrite, ours[_number(task) // 7 % len(ours)].format(words), task)


def _with_sentence(rewrite: str, sentence: str, task: Task) -> str:
    if task.wanted.is_tags:
        return joined(rewrite, [sentence.rstrip(".。")], task.language)
    gap, stop = ("", "。") if task.language == "zh" else (" ", ".")
    end = "" if is_ended(rewrite) else stop
    return f"{rewrite.rstrip(' ,;，；、')}{end}{gap}{sentence}"


def _is_lost(sentence: str, rewrite: str, task: Task) -> bool:
    return any(
        violation.code in LOST for violation in find_violations(sentence, rewrite, task.wanted)
    )


def _chosen(facet: Facet, task: Task) -> str:
    phrase = facet.phrases[_number(task) % len(facet.phrases)]
    return phrase.zh if task.language == "zh" else phrase.en


def _is_filmed(rewrite: str, *, is_size_wanted: bool) -> bool:
    reading = read(rewrite)
    if is_size_wanted:
        return bool(reading.of("shot"))
    is_filmed = bool(reading.of("move", "shot", "angle"))
    return is_filmed or reading.has("mover", "camera")


def _number(task: Task) -> int:
    return zlib.crc32(task.prompt.encode())


@functools.cache
def _sentences_of_ours() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("sentences.toml").read_text("utf-8")
    return tomllib.loads(text)
