"""The form for small models: they choose phrases, and the prompt keeps the user's own words.

A model of some hundred million parameters cannot follow rules: asked freely it echoes, invents
people or drifts. Here its answer is bound by a JSON schema whose pattern begins with the user's own
words and goes on with one phrase of each facet, so that it reads the subject right before it
chooses, and can choose nothing wrong. Of its answer only the choices are taken: the user's words
stay as they were typed. Measured in docs/decisions/0004-guided-form.md.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from llm_api.domain import Completion, PromptRequest
from llm_api.services.prompts.checks import is_chinese

_INSTRUCTION = (
    "You add words for light, framing, colors, surface and camera that suit a picture."
    " Answer in JSON."
)
_GIST_CHARS = 240
_CHINESE_GIST_CHARS = 80  # the bundled model needs about three tokens for each
_MAX_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Facet:
    """One thing to choose: its phrases in English with their Chinese, and when it is left out."""

    phrases: Mapping[str, str]
    already: re.Pattern[str]
    is_detail: bool
    is_optical: bool

    @property
    def pattern(self) -> str:
        """A regular expression that matches one of the phrases."""
        return "(" + "|".join(self.phrases) + ")"


class GuidedForm:
    """Asks a model that can only choose."""

    def __init__(self) -> None:
        """Read the facets and the examples."""
        text = resources.files(__package__).joinpath("facets.toml").read_text("utf-8")
        table = tomllib.loads(text)
        self._drawn = re.compile(table["drawn_styles"])
        self._facets = {kind: [_facet(f) for f in table[kind]] for kind in ("image", "video")}
        self._examples = {kind: table[f"{kind}_example"] for kind in ("image", "video")}

    def parameters(self, request: PromptRequest) -> Mapping[str, Any]:
        """Return the chat completion to ask for."""
        chosen = self._wanted(request)
        gist = _gist(request.prompt)
        messages = [{"role": "system", "content": _INSTRUCTION}]
        for example in self._examples[request.type]:
            messages += _turn(example["prompt"], _chosen_of(example["chosen"], chosen))
        messages.append({"role": "user", "content": gist})
        return {
            "messages": messages,
            "temperature": 0.6,
            "top_p": 0.9,
            "repeat_penalty": 1.12,
            "repeat_last_n": 96,
            "max_tokens": _MAX_TOKENS,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "prompt", "schema": _schema(_pattern(gist, chosen))},
            },
        }

    def rewrite(self, request: PromptRequest, completion: Completion) -> str:
        """Build the prompt from the user's words and the model's choices; empty if it made none."""
        pattern = _pattern(_gist(request.prompt), self._wanted(request))
        try:
            match = re.fullmatch(pattern, json.loads(completion.text)["prompt"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return self._composed(request, match.groups()) if match else ""

    def _wanted(self, request: PromptRequest) -> list[Facet]:
        """Return the facets to choose; at least one, so that the model has something to do."""
        facets = self._facets[request.type]
        text = f"{request.prompt} {request.style or ''}"
        is_drawn = bool(self._drawn.search(text))
        allowed = [
            facet
            for facet in facets
            if (request.enhance_details or not facet.is_detail)
            and not (is_drawn and facet.is_optical)
        ]
        return [facet for facet in allowed if not facet.already.search(text)] or allowed[-1:]

    def _composed(self, request: PromptRequest, chosen: Sequence[str]) -> str:
        prompt, style = request.prompt.strip(), (request.style or "").strip()
        chinese = is_chinese(prompt)
        added = [
            facet.phrases[phrase] if chinese else phrase
            for phrase, facet in zip(chosen, self._wanted(request), strict=True)
            if not facet.already.search(f"{prompt} {style}")
        ]
        if style and not _names(prompt, style):
            added.insert(0, _with_noun(style, "风格" if chinese else " style"))
        return _joined(prompt, added, chinese=chinese)


def _names(prompt: str, style: str) -> bool:
    """Whether a prompt has the style as words of its own, and not as a part of others."""
    words = re.escape(style.casefold())
    edges = rf"(?<![a-z0-9]){words}(?![a-z0-9])" if style.isascii() else words
    return bool(re.search(edges, prompt.casefold()))


def _with_noun(style: str, noun: str) -> str:
    return style if style.casefold().endswith(noun.strip()) else f"{style}{noun}"


def _facet(table: Mapping[str, Any]) -> Facet:
    return Facet(
        phrases={phrase["en"]: phrase["zh"] for phrase in table["phrases"]},
        already=re.compile(table["already"]),
        is_detail=table.get("is_detail", False),
        is_optical=table.get("is_optical", False),
    )


def _gist(prompt: str) -> str:
    """Return what the model reads of a prompt: plain words, which need no escape in a pattern."""
    words = " ".join(re.sub(r"[^\w ,'-]|_", " ", prompt).split())
    at_most = _CHINESE_GIST_CHARS if is_chinese(words) else _GIST_CHARS
    return words[:at_most].rstrip(" ,") or "a picture"


def _pattern(gist: str, facets: Sequence[Facet]) -> str:
    return re.sub(r"-", r"\\-", gist) + "".join(f", {facet.pattern}" for facet in facets)


def _schema(pattern: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"prompt": {"type": "string", "pattern": f"^{pattern}$"}},
        "required": ["prompt"],
        "additionalProperties": False,
    }


def _chosen_of(example: Sequence[str], facets: Sequence[Facet]) -> list[str]:
    """Show in an example only the facets that are asked for."""
    return [phrase for facet in facets for phrase in example if phrase in facet.phrases]


def _turn(prompt: str, chosen: Sequence[str]) -> list[dict[str, str]]:
    answer = json.dumps({"prompt": ", ".join([prompt, *chosen])})
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def _joined(prompt: str, added: Sequence[str], *, chinese: bool) -> str:
    """Put phrases behind a prompt: into its sentence, or into one of their own."""
    if not added:
        return prompt
    comma, stop = ("，", "。") if chinese else (", ", ".")
    tail = comma.join(added)
    if prompt[-1] in ".!?。！？":
        gap = "" if chinese else " "
        return f"{prompt}{gap}{tail[0].upper()}{tail[1:]}{stop}"
    return f"{prompt.rstrip(',;，；、 ')}{comma}{tail}"
