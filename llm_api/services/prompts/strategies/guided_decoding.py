"""The strategy for small models: they choose phrases, and the prompt keeps the user's own words.

A model of some hundred million parameters cannot follow rules: prompted freely it echoes, invents
people or drifts. Here its answer is constrained by a JSON schema whose pattern begins with the
user's own words and continues with a phrase for each facet that the user left open, so that it
reads the subject directly before it chooses, and can choose nothing wrong. Of its answer only the
choices are used: the user's words stay as they were typed.
Measured in docs/decisions/0004-guided-form.md.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from llm_api.domain.calls import Completion
from llm_api.domain.prompts import EDIT
from llm_api.services.prompts.enrichment.composition import composed, scenes_of, tidied
from llm_api.services.prompts.enrichment.facets import Example, Facet, Phrase, all_facets
from llm_api.services.prompts.language import is_chinese
from llm_api.services.prompts.strategies import edit_wording
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator

METHOD = "guided"
_INSTRUCTION = (
    "You add words for light, framing, colors, surface and camera that suit a picture."
    " Answer in JSON."
)
_GIST_CHARS = 240
# The bundled model needs about three tokens for each, and understands hardly any.
_CHINESE_GIST_CHARS = 30
_MAX_TOKENS = 400


class GuidedStrategy:
    """Prompts a model that can only choose."""

    method = METHOD

    def __init__(self, validator: RewriteValidator) -> None:
        """Create a strategy; `validator` decides which of the chosen phrases may stay."""
        self._validator = validator

    def version(self, task: Task) -> str:
        """Return the version of the phrases for a task; it changes with every word of them."""
        return f"{task.wanted.type}-{METHOD}-{all_facets().version}"

    def parameters(self, task: Task, *, has_json_mode: bool = False) -> Mapping[str, Any] | None:  # noqa: ARG002  # the strategy has a schema of its own
        """Return the parameters of the chat completion; None where there is nothing to choose."""
        facets = self._open(task)
        if not facets:
            return None
        gist = gist_of(task.prompt)
        messages = [{"role": "system", "content": _INSTRUCTION}]
        names = frozenset(facet.name for facet in facets)
        for example in all_facets().examples[task.wanted.type]:
            messages += turns_of(example, names)
        messages.append({"role": "user", "content": gist})
        parameters: dict[str, Any] = {
            "messages": messages,
            "temperature": 0.3,
            "top_p": 0.9,
            "repeat_penalty": 1.12,
            "repeat_last_n": 96,
            "max_tokens": _MAX_TOKENS,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "prompt", "schema": _schema(pattern_of(gist, facets))},
            },
        }
        if task.request.seed is not None:
            parameters["seed"] = task.request.seed
        return parameters

    def rewrites(self, task: Task, completion: Completion | None) -> Sequence[str]:
        """Build prompts from the user's words and the model's choices; none without choices."""
        if task.wanted.type == EDIT:
            own = edit_wording.edit_in_own_words(task)
            return [] if task.answered_in(task.prompt).is_translated else [own]
        if not task.request.enhance_details:  # in any language that the target understands
            own = tidied(task)
            return [] if task.answered_in(task.prompt).is_translated else [own]
        if task.is_translated or not task.is_read:
            return []
        facets = self._open(task)
        chosen = _chosen(task, facets, completion) if completion else []
        if chosen is None:
            return []
        varied = _varied(facets, chosen, task.request.n)
        return list(dict.fromkeys(self._composed(task, phrases) for phrases in varied))

    def _open(self, task: Task) -> Sequence[Facet]:
        is_open = task.request.enhance_details and task.is_read and task.wanted.type != EDIT
        if task.is_translated or not is_open:
            return []
        text = f"{task.source} {task.wanted.style or ''}"
        return all_facets().open_for(task.wanted.type, text, scenes_of(task))

    def _composed(self, task: Task, phrases: Sequence[Phrase]) -> str:
        """Put phrases behind the prompt, except those that add a violation."""
        whole = composed(task, phrases)
        if self._validator.validate_composed(task, whole).is_good:
            return whole
        kept: list[Phrase] = []
        least = len(self._validator.validate_composed(task, composed(task, [])).violations)
        for phrase in phrases:
            result = self._validator.validate_composed(task, composed(task, [*kept, phrase]))
            if len(result.violations) <= least:
                kept.append(phrase)
        return composed(task, kept)


def _chosen(task: Task, facets: Sequence[Facet], completion: Completion) -> Sequence[int] | None:
    """Return which phrase of each facet the model chose; None if its answer breaks the schema."""
    pattern = pattern_of(gist_of(task.prompt), facets)
    try:
        match = re.fullmatch(pattern, json.loads(completion.text)["prompt"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if match is None:
        return None
    names = [[phrase.en for phrase in facet.phrases] for facet in facets]
    return [known.index(phrase) for known, phrase in zip(names, match.groups(), strict=True)]


def _varied(facets: Sequence[Facet], chosen: Sequence[int], n: int) -> Sequence[Sequence[Phrase]]:
    """Return up to `n` selections: the chosen phrases, then those that differ in most facets."""
    every = product(*(range(len(facet.phrases)) for facet in facets))
    shifts = sorted(every, key=lambda shift: (any(shift), shift.count(0)))
    return [
        [
            facet.phrases[(at + by) % len(facet.phrases)]
            for facet, at, by in zip(facets, chosen, shift, strict=True)
        ]
        for shift in shifts[:n]
    ]


def gist_of(prompt: str) -> str:
    """Return what the model reads of a prompt: plain words that need no escape in a pattern."""
    words = " ".join(re.sub(r"[^\w ,'-]|_", " ", prompt).split())
    at_most = _CHINESE_GIST_CHARS if is_chinese(words) else _GIST_CHARS
    return words[:at_most].rstrip(" ,") or "a picture"


def pattern_of(gist: str, facets: Sequence[Facet]) -> str:
    """Return a regular expression: the `gist`, and one phrase of each facet behind it."""
    return re.sub(r"-", r"\\-", gist) + "".join(f", {facet.pattern}" for facet in facets)


def _schema(pattern: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"prompt": {"type": "string", "pattern": f"^{pattern}$"}},
        "required": ["prompt"],
        "additionalProperties": False,
    }


def turns_of(example: Example, names: frozenset[str]) -> list[dict[str, str]]:
    """Return an example with only the facets that are to be chosen; nothing if it has none."""
    chosen = example.chosen_of(names)
    if not chosen:
        return []
    answer = json.dumps({"prompt": ", ".join([example.prompt, *chosen])})
    return [
        {"role": "user", "content": example.prompt},
        {"role": "assistant", "content": answer},
    ]
