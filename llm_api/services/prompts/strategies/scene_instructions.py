"""The strategy for several target models, or for one that reads no prose: one scene for all.

The rules are those of `instructions`, with another answer: a text for each language in which prose
is wanted, and a scene in pieces for each in which code renders something else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import json_repair

from llm_api.domain.calls import Completion
from llm_api.domain.prompts import PROSE
from llm_api.services.prompts.strategies import reply_parser
from llm_api.services.prompts.strategies.instructions import (
    LANGUAGES,
    InstructedStrategy,
    is_whole,
    language_name,
    language_of_rules,
    material_of,
    wanted_length,
)
from llm_api.services.prompts.strategies.reply_marks import without_marks
from llm_api.services.prompts.task import Task

_HEADINGS = {"en": "\nANSWER\n", "zh": "\n回答\n"}
_TOKENS = {"text": 700, "scene": 1_400}
_MAX_TOKENS = 4_000


class SceneStrategy:
    """Asks a model that can follow a page of rules for one scene and the texts beside it."""

    def __init__(self, instructed: InstructedStrategy) -> None:
        """Read how to answer; all other rules are those of `instructed`."""
        folder = resources.files(__package__)
        self._answers = {
            language: folder.joinpath(f"scene_answer_{language}.txt").read_text("utf-8")
            for language in LANGUAGES
        }
        self._instructed = instructed

    @property
    def instructions(self) -> Sequence[str]:
        """What is said to models besides the other rules, and must not occur in a rewrite."""
        return list(self._answers.values())

    def version(self, tasks: Sequence[Task]) -> str:
        """Return the version of the rules for tasks; it changes with every word of them."""
        digest = hashlib.sha256(self._rules(tasks).encode()).hexdigest()[:8]
        return f"scene-{tasks[0].wanted.type}-{_language(tasks)}-{digest}"

    def parameters(
        self, tasks: Sequence[Task], *, has_json_mode: bool = False
    ) -> Mapping[str, Any]:
        """Return the parameters of the one chat completion for all tasks.

        Args:
            tasks: the same prompt for each of its target models.
            has_json_mode: whether the model supports `response_format` `json_object`.
        """
        material = material_of(tasks[0])
        for name in ("language", "form", "length"):
            material.pop(name, None)  # an edit has no form
        wanted = answers_of(tasks)
        material["answers"] = wanted
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": self._rules(tasks)},
                {"role": "user", "content": json.dumps(material, ensure_ascii=False)},
            ],
            "temperature": 0.3,
            "top_p": 0.8,
            "max_tokens": min(_MAX_TOKENS, sum(_TOKENS[one["answer"]] for one in wanted.values())),
        }
        if tasks[0].request.seed is not None:
            parameters["seed"] = tasks[0].request.seed
        if has_json_mode:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def _rules(self, tasks: Sequence[Task]) -> str:
        language = _language(tasks)
        rules = self._instructed.rules(tasks[0].wanted.type, language)
        return rules.partition(_HEADINGS[language])[0] + "\n" + self._answers[language]


def scene_key(task: Task) -> str:
    """Return the name of the scene that a task is rendered from."""
    return f"scene_{task.language}"


def text_key(task: Task) -> str:
    """Return the name of the text that a task is answered with."""
    return f"{'tags' if task.wanted.is_tags else 'text'}_{task.language}"


def wants_scene(task: Task) -> bool:
    """Whether a task is rendered from a scene; without new details, its text is put in order."""
    return task.target.form != PROSE and task.request.enhance_details


def answers_of(tasks: Sequence[Task]) -> dict[str, dict[str, str]]:
    """Return what a model shall write for tasks, by name: as few texts and scenes as will do.

    Targets with prose in the same language share a text, as long as the least of them takes.
    """
    answers: dict[str, dict[str, str]] = {}
    shortest: dict[str, int] = {}
    for task in tasks:
        language = language_name(task)
        if wants_scene(task):
            answers.setdefault(scene_key(task), {"answer": "scene", "language": language})
            continue
        longest = task.wanted.max_length or reply_parser.MAX_REPLY_CHARS
        if longest < shortest.get(text_key(task), reply_parser.MAX_REPLY_CHARS + 1):
            shortest[text_key(task)] = longest
            answers[text_key(task)] = {
                "answer": "text",
                "language": language,
                "form": "tags" if task.wanted.is_tags else "sentences",
                "length": wanted_length(task),
            }
    return answers


def read_answers(completion: Completion) -> Mapping[str, Any] | None:
    """Return the JSON object that a model answered with; None if there is none, or half of one."""
    if not is_whole(completion) or len(completion.text) > reply_parser.MAX_REPLY_CHARS:
        return None
    text = without_marks(completion.text)
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        document = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        document = _mended(text[start : end + 1])
    return document if isinstance(document, dict) else None


def _mended(text: str) -> Any:
    try:
        return json_repair.loads(text)
    except (RecursionError, ValueError):
        return None


def _language(tasks: Sequence[Task]) -> str:
    """Return the language of the rules: that of the first rewrite."""
    return language_of_rules(tasks[0])
