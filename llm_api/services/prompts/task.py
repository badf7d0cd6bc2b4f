"""Reads a request for a rewrite: the prompt, its constraints, and what the rewrite must satisfy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm_api.domain.prompts import EDIT, PromptRequest, RewriteRequirements, Target
from llm_api.errors import InvalidRequest
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.constraints.excluded import with_unwanted
from llm_api.services.prompts.constraints.target_syntax import TargetPrompt, fit_syntax
from llm_api.services.prompts.edits import edit_constraints
from llm_api.services.prompts.edits.edit_requests import require_edit
from llm_api.services.prompts.language import is_written_in, language_of
from llm_api.services.prompts.languages.english_chinese import other_language
from llm_api.services.prompts.languages.tags import (
    canonical,
    form_of,
    has_vocabulary,
    is_dense,
    length_ratio,
)
from llm_api.services.prompts.languages.writing import shares_words
from llm_api.services.prompts.shot_seconds import require_storyboard
from llm_api.services.prompts.target_types import made_of, require_type
from llm_api.services.prompts.text import clean, joined
from llm_api.services.prompts.token_limits import TokenLimit, token_limit

# How long a rewrite should be, in English words or Chinese characters.
LENGTH_BANDS = {
    ("image", "en"): (40, 120),
    ("image", "zh"): (60, 250),
    ("video", "en"): (60, 150),
    ("video", "zh"): (80, 280),
}
_TRADITIONAL = "zh-Hant"
_SAME_SHARE = 0.5  # of a prompt's words in a rewrite of its language, in any form
# In characters: about 200 English words. A prompt that is long already grows by a part of itself.
_LONGEST = {"en": 1_300, "zh": 400}
_LONGEST_FORM = 6_000
_GROWTH = 1.5
_DETAILED_GROWTH = 1.3
_CLARITY_GROWTH = 1.3
_CLARITY_SLACK = 10
_EDIT_GROWTH = 1.6
_KEEPING = {"en": 400, "zh": 130}  # in which an edit may say what stays
# Half of what is asked for: with less, hardly anything was added.
_SHORTEST = {("image", "en"): 120, ("image", "zh"): 35, ("video", "en"): 180, ("video", "zh"): 45}
_AUTO = frozenset({"auto", "und"})  # the second says in BCP 47 that a language is not known


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to rewrite, as read from a request.

    `prompt` is the user's prompt in one paragraph, without invisible signs, without its flags and
    with only such syntax as the target understands (`fitted`); `source` is the prompt with the
    camera move given beside it: what the rewrite is compared with. `constraints` are those of the
    prompt, `checked` those of the source, to which rewrites are held. `tokens` is what the target
    reads of a rewrite.
    """

    request: PromptRequest
    prompt: str
    source: str
    target: Target
    constraints: Constraints
    checked: Constraints
    wanted: RewriteRequirements
    fitted: TargetPrompt
    tokens: TokenLimit

    @property
    def language(self) -> str:
        """The canonical tag of the language of the rewrite."""
        return self.wanted.language

    @property
    def is_translated(self) -> bool:
        """Whether the rewrite is in another language than the prompt."""
        return self.wanted.language != self.constraints.language

    def finished(self, rewrite: str) -> str:
        """Return a rewrite with the prompt's flags behind it, as the target reads it."""
        return f"{rewrite} {self.fitted.tail}" if self.fitted.tail else rewrite

    @property
    def is_read(self) -> bool:
        """Whether the vocabulary has the words of the prompt, and those of the rewrite."""
        return has_vocabulary(self.constraints.language) and has_vocabulary(self.wanted.language)

    def answered_in(self, rewrite: str) -> "Task":
        """Return the task as a rewrite answers it: in another language that is welcome, too.

        Where the caller leaves the language open and the prompt's has no vocabulary, one language
        is asked for; a model that keeps to the prompt's, or takes another one of the target, does
        nothing wrong. Neither does one that answers in either language of a prompt that has two.
        """
        own = self.constraints.language
        if canonical(self.request.language) not in _AUTO:
            return self
        if has_vocabulary(own):
            other = other_language(rewrite, own, self.source)
            return self._in(other) if other in self.target.languages else self
        is_own = language_of(rewrite) == own  # of a few words the language is not sure
        if is_written_in(rewrite, self.language, self.source) and not is_own:
            return self
        welcome = [*([own] if _is_welcome(self.target, own) else []), *self.target.languages]
        found = next((tag for tag in welcome if is_written_in(rewrite, tag, self.source)), None)
        if found is None and self.target.understands_all:
            found = _seen_together(self.source, rewrite)
        return self if found is None else self._in(found)

    def _in(self, language: str) -> "Task":
        wanted = _wanted(self.request, self.target, self.constraints, language, self.fitted)
        wanted = replace(wanted, style=self.wanted.style, preserve=self.wanted.preserve)
        return replace(self, wanted=replace(wanted, sees_pictures=self.wanted.sees_pictures))

    def with_sight(self, *, sees_pictures: bool) -> "Task":
        """Return the task for a model that is shown the pictures of an edit, or is not."""
        return replace(self, wanted=replace(self.wanted, sees_pictures=sees_pictures))


def read_tasks(request: PromptRequest, targets: Mapping[str, Target]) -> Sequence[Task]:
    """Return a request's task for each of the target models that it names, in their order.

    Args:
        request: the request, as validated against its schema.
        targets: all target models by name.

    Raises:
        InvalidRequest: nothing of the prompt is visible, a target does not make what is wanted, an
            edit has fields that only descriptions have, or a storyboard's seconds do not add up.
    """
    require_edit(request)
    field = "targets" if request.targets else "target_model"
    names = dict.fromkeys(request.targets or [request.target_model])
    for name in names:
        require_type(made_of(request), name, targets, field)
        require_storyboard(request, targets[name])
    return [read_task(_for_target(request, name), targets[name]) for name in names]


def _for_target(request: PromptRequest, name: str) -> PromptRequest:
    return request if request.target_model == name else replace(request, target_model=name)


def read_task(request: PromptRequest, target: Target) -> Task:
    """Read a request.

    Args:
        request: the request, as validated against its schema.
        target: the image or video model that the rewrite is for.

    Raises:
        InvalidRequest: nothing of the prompt is visible.
    """
    whole = clean(request.prompt)
    style, camera = clean(request.style or ""), clean(request.camera or "")
    if not whole:
        raise InvalidRequest.of_field(
            "prompt", "must be more than white space.", reason="out_of_range"
        )
    asked = [words for words in map(clean, request.preserve) if words in whole]
    fitted = fit_syntax(whole, target, asked)
    prompt = fitted.text
    preserve = [words for words in asked if words in prompt]
    constraints = with_unwanted(
        edit_constraints.constraints_of(request.type, prompt), fitted.unwanted
    )
    language = _language(request, target, constraints)
    wanted = replace(
        _wanted(request, target, constraints, language, fitted),
        style=style or None,
        preserve=tuple(preserve),
    )
    is_named = camera.casefold() in prompt.casefold()  # as is an empty one
    source = prompt if is_named else joined(prompt, [camera], constraints.language)
    checked = with_unwanted(edit_constraints.constraints_of(request.type, source), fitted.unwanted)
    tokens = token_limit(request, target, source)
    return Task(request, prompt, source, target, constraints, checked, wanted, fitted, tokens)


def _wanted(
    request: PromptRequest,
    target: Target,
    constraints: Constraints,
    language: str,
    fitted: TargetPrompt,
) -> RewriteRequirements:
    longest = _longest(request, fitted.text, target, constraints, language)
    if fitted.tail:
        longest = max(longest - len(fitted.tail) - 1, 1)
    return RewriteRequirements(
        type=made_of(request),
        language=language,
        max_length=longest,
        min_length=_shortest(request, target, language, longest),
        enhance_details=request.enhance_details,
        is_tags=target.is_tags,
    )


def _language(request: PromptRequest, target: Target, constraints: Constraints) -> str:
    """Return the language of the rewrite; raises InvalidRequest.

    A prompt in a language that the target is not known to be good at is rewritten in English, or
    in the target's first language.
    """
    language = canonical(request.language)
    if language not in _AUTO:
        if not understands(target, language):
            raise InvalidRequest.of_field(
                "language",
                f"must be auto, en or zh for {target.name}, which understands no other language.",
                reason="not_supported",
            )
        return language
    own = constraints.language
    if own in target.languages or (own == _TRADITIONAL and "zh" in target.languages):
        return own
    return "en" if "en" in target.languages else target.languages[0]


def _seen_together(prompt: str, rewrite: str) -> str | None:
    """Return the language of a prompt that was too short to tell it, and of its rewrite.

    The rewrite has the prompt's words, so that it is no translation.
    """
    found = language_of(f"{prompt}. {rewrite}")
    is_same = found == language_of(rewrite) and shares_words(prompt, rewrite, least=_SAME_SHARE)
    return found if is_same and not has_vocabulary(found) else None


def _is_welcome(target: Target, own: str) -> bool:
    """Whether a target takes prompts in a language of theirs that has no vocabulary."""
    is_chinese = own == _TRADITIONAL and "zh" in target.languages
    return target.understands_all or own in target.languages or is_chinese


def understands(target: Target, language: str) -> bool:
    """Whether a rewrite may be wanted in a language.

    English and Chinese may be wanted for every target, as they always could: who asks for the other
    one knows of an encoder that takes it.
    """
    is_usual = has_vocabulary(language) or (is_dense(language) and language != "ja")
    return target.understands_all or language in target.languages or is_usual


def _longest(
    request: PromptRequest, prompt: str, target: Target, constraints: Constraints, language: str
) -> int:
    """Return the most characters that a rewrite may have."""
    most = [_max_length(target, language), request.max_length]
    if target.dialect:  # a form with many names and pieces says everything in more words
        return min(limit for limit in [*most, _LONGEST_FORM] if limit)
    length = len(prompt) * length_ratio(constraints.language, language)
    form = form_of(language)
    if request.type == EDIT:
        natural = round(length * _EDIT_GROWTH) + _KEEPING[form]
        return min(limit for limit in [*most, natural] if limit)
    given = len(request.style or "") + len(request.camera or "")
    if request.enhance_details:
        growth = _DETAILED_GROWTH if constraints.is_detailed else _GROWTH
        natural = max(_LONGEST[form], round(length * growth) + given)
    else:
        natural = round(length * _CLARITY_GROWTH) + given + _CLARITY_SLACK
    return min(limit for limit in [*most, natural] if limit)


def _max_length(target: Target, language: str) -> int | None:
    """Return the target's limit for a language, or for the one whose lengths it shares."""
    limits = target.max_length
    likest = limits.get(form_of(language), min(limits.values(), default=None))
    return limits.get(language, likest)


def _shortest(request: PromptRequest, target: Target, language: str, longest: int) -> int | None:
    """Return the fewest characters of a useful rewrite, None where nothing is to be added."""
    is_open = request.enhance_details and request.type != EDIT
    if not is_open or target.is_tags or target.dialect:
        return None
    return min(_SHORTEST[made_of(request), form_of(language)], longest // 2)
