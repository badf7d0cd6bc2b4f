"""Asks a model that can follow a page of rules for the shots of a script."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from llm_api.services.prompts.shot_seconds import named
from llm_api.services.prompts.storyboards.camera_moves import MOVES
from llm_api.services.prompts.storyboards.script_task import ScriptTask
from llm_api.services.prompts.strategies.instructions import (
    LANGUAGES,
    language_name,
    language_of_rules,
)

_TOKENS_OF_SHOT = 220
_MAX_TOKENS = 5_000


class ShotRules:
    """The rules, and what a model is given of a script."""

    def __init__(self) -> None:
        """Read the rules."""
        folder = resources.files(__package__)
        self._rules = {
            language: folder.joinpath(f"system_storyboard_{language}.txt").read_text("utf-8")
            for language in LANGUAGES
        }

    @property
    def instructions(self) -> Sequence[str]:
        """Everything that is said to models and must not occur in a shot."""
        return list(self._rules.values())

    def version(self, script: ScriptTask) -> str:
        """Return the version of the rules for a script; it changes with every word of them."""
        language = language_of_rules(script.task)
        digest = hashlib.sha256(self._rules[language].encode()).hexdigest()[:8]
        return f"storyboard-{language}-{digest}"

    def parameters(self, script: ScriptTask, *, has_json_mode: bool = False) -> Mapping[str, Any]:
        """Return the parameters of the chat completion to request.

        Args:
            script: the script and what its storyboard must satisfy.
            has_json_mode: whether the model supports `response_format` `json_object`.
        """
        rules = self._rules[language_of_rules(script.task)]
        # JSON, because no text a user can write ends a JSON string early.
        material = json.dumps(_material(script), ensure_ascii=False)
        most = script.count if len(script.counts) == 1 else script.count + 2
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": rules},
                {"role": "user", "content": material},
            ],
            "temperature": 0.3,
            "top_p": 0.8,
            "max_tokens": min(_MAX_TOKENS, 300 + _TOKENS_OF_SHOT * most),
        }
        if script.task.request.seed is not None:
            parameters["seed"] = script.task.request.seed
        if has_json_mode:
            parameters["response_format"] = {"type": "json_object"}
        return parameters


def _material(script: ScriptTask) -> Mapping[str, Any]:
    task = script.task
    keep = dict(task.constraints.in_words)
    unwanted, syntax = keep.pop("negations", []), keep.pop("syntax", [])
    material: dict[str, Any] = {
        "script": list(script.units),
        "cast": [{"name": one.name, "looks": one.description} for one in script.cast],
        "shots": script.count,
        "total_seconds": script.total,
        "shot_seconds": named(script.allowed),
        "camera_moves": list(MOVES),
        "keep": keep,
        "language": language_name(task),
    }
    optional = {
        "verbatim": list(dict.fromkeys([*task.wanted.preserve, *syntax])),
        "unwanted": unwanted,
        "style": task.wanted.style,
    }
    return material | {name: value for name, value in optional.items() if value}
