"""Reads a request for a rewrite: what the prompt is, what must stay of it, and what is wanted."""

from dataclasses import dataclass

from llm_api.domain.prompts import PromptRequest, Target
from llm_api.errors import InvalidRequest
from llm_api.services.prompts.checks.all_checks import Wanted
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.text.cleaning import clean
from llm_api.services.prompts.text.phrasing import joined

# In characters: about 200 English words. A prompt that is long already grows by a part of itself.
_LONGEST = {"en": 1_300, "zh": 400}
_GROWTH = 1.5
_DETAILED_GROWTH = 1.3
_CLARITY_GROWTH = 1.3
_CLARITY_SLACK = 10
# Half of what is asked for: with less, hardly anything was added.
_SHORTEST = {("image", "en"): 120, ("image", "zh"): 35, ("video", "en"): 180, ("video", "zh"): 45}
# What a prompt grows to when it is translated.
_SCALE = {("zh", "en"): 4.0, ("en", "zh"): 0.5}


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to rewrite: `prompt` is it as its user means it, without what nobody sees.

    `source` is the prompt with the camera move that was given beside it: what the rewrite is held
    to. `is_detailed` says that hardly anything is missing.
    """

    request: PromptRequest
    prompt: str
    source: str
    target: Target
    locks: Constraints
    wanted: Wanted

    @property
    def language(self) -> str:
        """The language of the rewrite, `en` or `zh`."""
        return self.wanted.language

    @property
    def is_translated(self) -> bool:
        """Whether the rewrite is in another language than the prompt."""
        return self.language != self.locks.language


def read_task(request: PromptRequest, target: Target) -> Task:
    """Read a request; raises InvalidRequest for a prompt of which nothing is to be seen."""
    prompt = clean(request.prompt)
    if not prompt:
        raise InvalidRequest.of_field(
            "prompt", "must be more than white space.", reason="out_of_range"
        )
    locks = find_constraints(prompt)
    language = request.language
    if language == "auto":
        is_known = locks.language in target.languages
        language = locks.language if is_known else target.languages[0]
    longest = _longest(request, prompt, target, locks, language)
    wanted = Wanted(
        type=request.type,
        language=language,
        max_length=longest,
        min_length=_shortest(request, target, language, longest),
        enhance_details=request.enhance_details,
        style=clean(request.style or "") or None,
        preserve=tuple(words for words in map(clean, request.preserve) if words in prompt),
        is_tags=target.is_tags,
    )
    return Task(
        request, prompt, _with_camera(prompt, request, locks.language), target, locks, wanted
    )


def _with_camera(prompt: str, request: PromptRequest, language: str) -> str:
    camera = clean(request.camera or "")
    if not camera or camera.casefold() in prompt.casefold():
        return prompt
    return joined(prompt, [camera], language)


def _longest(
    request: PromptRequest, prompt: str, target: Target, locks: Constraints, language: str
) -> int:
    """Return the most characters that a rewrite may have."""
    length = len(prompt) * _SCALE.get((locks.language, language), 1.0)
    given = len(request.style or "") + len(request.camera or "")
    if request.enhance_details:
        growth = _DETAILED_GROWTH if locks.is_detailed else _GROWTH
        natural = max(_LONGEST[language], round(length * growth) + given)
    else:
        natural = round(length * _CLARITY_GROWTH) + given + _CLARITY_SLACK
    limits = [natural, target.max_length.get(language, natural), request.max_length or natural]
    return min(limits)


def _shortest(request: PromptRequest, target: Target, language: str, longest: int) -> int | None:
    """Return the fewest characters that are worth it, None where nothing is to be added."""
    if not request.enhance_details or target.is_tags:
        return None
    return min(_SHORTEST[request.type, language], longest // 2)
