"""The strategy for capable models: our written rules, the user's text as data, a free answer."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from llm_api.domain.calls import Completion
from llm_api.domain.prompts import EDIT, TYPES
from llm_api.services.prompts.checks.violations import Violation
from llm_api.services.prompts.languages.tags import canonical, form_of, name_of
from llm_api.services.prompts.strategies import reply_parser
from llm_api.services.prompts.task import LENGTH_BANDS, Task
from llm_api.services.quotas.estimates import estimate_text

METHOD = "instructed"
LANGUAGES = ("en", "zh")
_MIN_TOKENS = 700
_MAX_TOKENS = 4_000
_TEMPERATURE = 0.3
_VARIED_TEMPERATURE = 0.8  # for several rewrites, which should differ
_MAX_SHOWN = 6_000
_UNITS = {"en": "words", "zh": "Chinese characters"}
_UNITS_OF_TOKEN = {"en": 0.6, "zh": 0.8}  # a little less than the encoders have
_CHARS_OF_UNIT = {"en": 7, "zh": 1}  # an English word with its space, and a little air
# The vendors' finish reasons of a text that is whole; `length`, `error` and others say it is not.
_WHOLE = frozenset(
    re.findall(
        r"\w+",
        "stop stop_sequence stop_token end_turn end_of_turn end eos eos_token complete completed"
        " finished done success normal tool_calls tool_use function_call",
    )
)
_AGAIN = {
    "en": "Write the JSON object again: put these right, keep everything else.",
    "zh": "请重新写出 JSON 对象：改正这些问题，其余保持不变。",
}


class InstructedStrategy:
    """Prompts a model that can follow a page of rules."""

    method = METHOD

    def __init__(self) -> None:
        """Read the rules."""
        folder = resources.files(__package__)
        self._rules = {
            (kind, language): folder.joinpath(f"system_{kind}_{language}.txt").read_text("utf-8")
            for kind in TYPES
            for language in LANGUAGES
        }
        self._versions = {
            (kind, language): f"{kind}-{language}-{hashlib.sha256(rules.encode()).hexdigest()[:8]}"
            for (kind, language), rules in self._rules.items()
        }

    @property
    def instructions(self) -> Sequence[str]:
        """Everything that is said to models and must not occur in a rewrite."""
        return [*self._rules.values(), *_AGAIN.values()]

    def rules(self, kind: str, language: str) -> str:
        """Return the rules for a `kind` of request, such as `video`, in a `language`."""
        return self._rules[kind, language]

    def version(self, task: Task) -> str:
        """Return the version of the rules for a task; it changes with every word of them."""
        return self._versions[task.wanted.type, language_of_rules(task)]

    def parameters(self, task: Task, *, has_json_mode: bool = False) -> Mapping[str, Any]:
        """Return the parameters of the chat completion to request.

        Args:
            task: the prompt and what its rewrite must satisfy.
            has_json_mode: whether the model supports `response_format` `json_object`.
        """
        rules = self._rules[task.wanted.type, language_of_rules(task)]
        versions = task.request.n
        # JSON, because no text a user can write ends a JSON string early.
        material = json.dumps(material_of(task), ensure_ascii=False)
        needed = 2 * estimate_text([task.source]) + _MIN_TOKENS // 2
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": rules},
                {"role": "user", "content": material},
            ],
            "temperature": _TEMPERATURE if versions == 1 else _VARIED_TEMPERATURE,
            "top_p": 0.8,
            "max_tokens": min(_MAX_TOKENS, max(_MIN_TOKENS, needed) * versions),
        }
        if task.request.seed is not None:
            parameters["seed"] = task.request.seed
        if has_json_mode:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def rewrites(self, task: Task, completion: Completion | None) -> Sequence[str]:
        """Return the prompts that the model wrote; none if its answer is cut off."""
        if completion is None or not is_whole(completion):
            return []
        return reply_parser.find_prompts(
            completion.text, task.constraints.in_words.get("syntax", ())
        )[: task.request.n]


def correction(
    first: Mapping[str, Any], completion: Completion, wrong: Sequence[Violation], task: Task
) -> Mapping[str, Any]:
    """Return the parameters of the corrective completion.

    Args:
        first: the parameters of the first one.
        completion: the answer to it.
        wrong: the violations found in that answer.
        task: the prompt and what its rewrite must satisfy.
    """
    problems = list(dict.fromkeys(violation.instruction for violation in wrong))
    demand = {"wrong_with_your_text": problems, "task": _AGAIN[language_of_rules(task)]}
    again = [
        {"role": "assistant", "content": completion.text[:_MAX_SHOWN] or "{}"},
        {"role": "user", "content": json.dumps(demand, ensure_ascii=False)},
    ]
    return {**first, "messages": [*first["messages"], *again]}


def is_whole(completion: Completion) -> bool:
    """Whether the text was neither cut off at `max_tokens` nor interrupted.

    A reason that is no text, such as a number, says nothing of the kind.
    """
    reason = completion.document["choices"][0].get("finish_reason")
    return reason is None or (isinstance(reason, str) and (not reason or reason.lower() in _WHOLE))


def language_of_rules(task: Task) -> str:
    """Return the language of the rules: the rewrite's, or English where there are none in it."""
    return task.language if task.language in LANGUAGES else "en"


def language_name(task: Task) -> str:
    """Return what the language of a rewrite is called, as closely as the request says."""
    is_asked = canonical(task.request.language) == task.language
    return name_of(task.request.language if is_asked else task.language)


def material_of(task: Task) -> dict[str, Any]:
    """Return what a model is given of a task: the prompt as data, and what is wanted of it."""
    if task.wanted.type == EDIT:
        return _material_of_edit(task)
    request, wanted = task.request, task.wanted
    keep = dict(task.constraints.in_words)
    unwanted, syntax = keep.pop("negations", []), keep.pop("syntax", [])
    material: dict[str, Any] = {
        "description": task.prompt,
        "keep": keep,
        "add_details": request.enhance_details,
        "language": language_name(task),
        "form": "tags" if wanted.is_tags else "sentences",
        "length": wanted_length(task),
    }
    optional = {
        "verbatim": list(dict.fromkeys([*wanted.preserve, *syntax])),
        "unwanted": unwanted,
        "style": wanted.style,
        "camera": request.camera,
        "duration_seconds": request.duration_seconds,
        "versions": request.n if request.n > 1 else None,
    }
    return material | {name: value for name, value in optional.items() if value}


def _material_of_edit(task: Task) -> dict[str, Any]:
    named = dict(task.constraints.in_words)
    unwanted, syntax = named.pop("negations", []), named.pop("syntax", [])
    material: dict[str, Any] = {"instruction": task.prompt, "named": named}
    optional = {
        "removed": named.pop("removed", []),
        "unwanted": unwanted,
        "verbatim": list(dict.fromkeys([*task.wanted.preserve, *syntax])),
        "pictures": len(task.request.pictures) if task.wanted.sees_pictures else None,
        "versions": task.request.n if task.request.n > 1 else None,
    }
    material |= {name: value for name, value in optional.items() if value}
    return material | {"language": language_name(task), "length": wanted_length(task)}


def wanted_length(task: Task) -> str:
    """Return how long a rewrite shall be, in words for a model."""
    language = form_of(task.language)
    unit, size = _UNITS[language], _CHARS_OF_UNIT[language]
    longest = (task.wanted.max_length or _MAX_SHOWN) // size
    if task.tokens.limit is not None:
        longest = min(longest, int(task.tokens.limit * _UNITS_OF_TOKEN[language]))
    if task.wanted.type == EDIT:
        return f"as short as it can be, at most {max(longest, 1)} {unit}"
    if not task.request.enhance_details:
        return f"about as long as the description, at most {max(longest, 1)} {unit}"
    low, high = LENGTH_BANDS[task.wanted.type, language]
    if task.constraints.is_detailed:
        return f"about as long as the description, at most {max(longest, 1)} {unit}"
    high = min(high, longest)
    return f"{min(low, high * 2 // 3)} to {high} {unit}"
