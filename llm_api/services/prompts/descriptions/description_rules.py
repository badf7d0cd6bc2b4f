"""What a vision model is told that shall describe a picture."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

from llm_api.domain.prompts import DescriptionRequest, PromptRequest, Target
from llm_api.services.prompts.languages.tags import name_of
from llm_api.services.prompts.strategies.instructions import (
    LANGUAGES,
    wanted_length,
)
from llm_api.services.prompts.task import Task, read_task

# The sign of Unicode that stands for an object in a text: here for the picture. A description is
# checked as the rewrite of a prompt that consists of it.
PICTURE = "\N{OBJECT REPLACEMENT CHARACTER}"
_MAX_TOKENS = 1_500
_TEMPERATURE = 0.2


class DescriptionRules:
    """The rules in both languages, and how they are sent."""

    def __init__(self) -> None:
        """Read the rules."""
        folder = resources.files(__package__)
        self._rules = {
            language: folder.joinpath(f"describe_{language}.txt").read_text("utf-8")
            for language in LANGUAGES
        }

    @property
    def instructions(self) -> Sequence[str]:
        """Everything that is said to models and must not occur in a description."""
        return list(self._rules.values())

    def version(self, task: Task) -> str:
        """Return the version of the rules for a task; it changes with every word of them."""
        digest = hashlib.sha256(self._rules_for(task).encode()).hexdigest()[:8]
        return f"describe-{task.language}-{digest}"

    def parameters(
        self, task: Task, picture: Mapping[str, Any], *, has_json_mode: bool = False
    ) -> Mapping[str, Any]:
        """Return the parameters of the chat completion to request.

        Args:
            task: what the description must satisfy.
            picture: the part of a message that has the picture.
            has_json_mode: whether the model supports `response_format` `json_object`.
        """
        material = {
            "for": task.wanted.type,
            "form": "tags" if task.wanted.is_tags else "sentences",
            "length": wanted_length(task),
            "language": name_of(task.language),
        }
        text = json.dumps(material, ensure_ascii=False)
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": self._rules_for(task)},
                {"role": "user", "content": [picture, {"type": "text", "text": text}]},
            ],
            "temperature": _TEMPERATURE,
            "max_tokens": _MAX_TOKENS,
        }
        if has_json_mode:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def _rules_for(self, task: Task) -> str:
        """Return the rules; models that are to write another language get them in English."""
        return self._rules[task.language if task.language in self._rules else "en"]


def description_task(request: DescriptionRequest, target: Target) -> Task:
    """Read what a description must satisfy: what the rewrite of a short prompt must.

    A picture has no language: `auto` is the target model's first.
    """
    is_auto = request.language == "auto"
    prompt = PromptRequest(
        PICTURE,
        request.type,
        language=target.languages[0] if is_auto else request.language,
        target_model=target.name,
        max_length=request.max_length,
    )
    task = read_task(prompt, target)
    # A plain picture has a short prompt.
    return replace(task, wanted=replace(task.wanted, min_length=None))
