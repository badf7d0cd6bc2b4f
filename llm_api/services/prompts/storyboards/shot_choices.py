"""Asks a small model for the shots of a script: it chooses a framing and a camera move for each.

It cannot plan, so that the shots are the script's own sentences. As in `strategies.guided_decoding`
its answer is bound to a JSON schema that begins every shot with the words that it shows, so that it
reads these directly before it chooses, and can choose nothing wrong.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.domain.calls import Completion
from llm_api.services.prompts.enrichment.composition import scenes_of
from llm_api.services.prompts.enrichment.facets import Facet, Phrase, all_facets
from llm_api.services.prompts.languages.tags import form_of, has_vocabulary, is_dense
from llm_api.services.prompts.storyboards.camera_moves import moves_in
from llm_api.services.prompts.storyboards.script_task import ScriptTask
from llm_api.services.prompts.storyboards.shot_making import parts_of
from llm_api.services.prompts.strategies.guided_decoding import gist_of, pattern_of, turns_of

_KIND = "video"
_FRAMING, _CAMERA = "composition", "camera"
_INSTRUCTION = (
    "You choose the framing and the camera move that suit each shot of a film. Answer in JSON."
)
_TOKENS_OF_SHOT = 60
_GIST = {"en": 60, "zh": 20}  # characters of a shot's words; the model writes them again
# As many shots as the bundled model answers for in good time; those behind them have the phrases
# that suit them best.
_MAX_ASKED = 8


class ShotChoices:
    """Prompts a model that can only choose."""

    @property
    def version(self) -> str:
        """The version of the phrases; it changes with every word of them."""
        return f"storyboard-guided-{all_facets().version}"

    def parameters(self, script: ScriptTask) -> Mapping[str, Any] | None:
        """Return the parameters of the chat completion; None where there is nothing to choose."""
        shots = _open_in(script)[:_MAX_ASKED]
        if not any(facets for _, facets in shots):
            return None
        messages = [{"role": "system", "content": _INSTRUCTION}]
        for example in all_facets().examples[_KIND]:
            messages += turns_of(example, frozenset([_FRAMING, _CAMERA]))
        messages.append({"role": "user", "content": " ".join(gist for gist, _ in shots)})
        schema = {
            "type": "object",
            "properties": {
                f"shot_{at}": {"type": "string", "pattern": f"^{pattern_of(*shot)}$"}
                for at, shot in enumerate(shots, 1)
            },
            "required": [f"shot_{at}" for at in range(1, len(shots) + 1)],
            "additionalProperties": False,
        }
        parameters: dict[str, Any] = {
            "messages": messages,
            "temperature": 0.3,
            "top_p": 0.9,
            "max_tokens": _TOKENS_OF_SHOT * len(shots),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "shots", "schema": schema},
            },
        }
        if script.task.request.seed is not None:
            parameters["seed"] = script.task.request.seed
        return parameters

    def phrases(self, script: ScriptTask, completion: Completion | None) -> Sequence[str]:
        """Return the sentence behind each shot's words; none if the answer breaks the schema."""
        shots = _open_in(script)
        try:
            chosen = json.loads(completion.text) if completion is not None else {}
            found = [
                _chosen(shot, chosen[f"shot_{at}"]) for at, shot in enumerate(shots[:_MAX_ASKED], 1)
            ]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []
        rest = [[facet.phrases[0] for facet in facets] for _, facets in shots[_MAX_ASKED:]]
        is_han = is_dense(script.task.constraints.language)
        if None in found:
            return []
        return [_sentence(one or [], is_han=is_han) for one in [*found, *rest]]


def _open_in(script: ScriptTask) -> Sequence[tuple[str, Sequence[Facet]]]:
    """Return the gist of each shot's words, and what they leave open; empty if none is known."""
    task = script.task
    if task.is_translated or not has_vocabulary(task.constraints.language):
        return []
    shots = []
    for part in parts_of(script):
        own = script.part(part.text)
        open_ones = all_facets().open_for(_KIND, part.text, scenes_of(own))
        facets = [_usable(one) for one in open_ones if one.name in {_FRAMING, _CAMERA}]
        is_viewed = bool(part.view)
        kept = [one for one in facets if one.phrases and not (is_viewed and one.name == _FRAMING)]
        gist = gist_of(part.text)[: _GIST[form_of(task.constraints.language)]].rstrip(" ,")
        shots.append((gist, kept))
    return shots


def _usable(facet: Facet) -> Facet:
    """Return a facet with the phrases that have exactly one move, if it is that of the camera."""
    if facet.name != _CAMERA:
        return facet
    phrases = [one for one in facet.phrases if len(moves_in(one.en)) == len(moves_in(one.zh)) == 1]
    return Facet(facet.name, phrases, facet.already)


def _chosen(shot: tuple[str, Sequence[Facet]], answer: str) -> Sequence[Phrase] | None:
    gist, facets = shot
    match = re.fullmatch(pattern_of(gist, facets), answer)
    if match is None:
        return None
    return [
        next(phrase for phrase in facet.phrases if phrase.en == words)
        for facet, words in zip(facets, match.groups(), strict=True)
    ]


def _sentence(phrases: Sequence[Phrase], *, is_han: bool) -> str:
    if not phrases:
        return ""
    text = "，".join(one.zh for one in phrases) if is_han else ", ".join(one.en for one in phrases)
    return f"{text}。" if is_han else f"{text[:1].upper()}{text[1:]}."
