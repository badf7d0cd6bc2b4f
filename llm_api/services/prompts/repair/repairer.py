"""Repairs rewrites by code, and validates the outcome of every step."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_api.domain.prompts import EDIT
from llm_api.services.prompts.checks.formatting import addresses_reader, chatter_words
from llm_api.services.prompts.languages.tags import has_vocabulary
from llm_api.services.prompts.repair.edit_repairs import (
    EDIT_REPAIRABLE,
    with_keep_sentence,
    with_what_stays,
    without_edit_additions,
)
from llm_api.services.prompts.repair.quotations import with_quotes_restored
from llm_api.services.prompts.repair.removal import (
    COUNT,
    REMOVED,
    fitted,
    recounted,
    without_added,
)
from llm_api.services.prompts.repair.restoration import (
    LOST,
    QUOTE,
    is_short,
    with_camera,
    with_details,
    with_framing,
    with_prompt,
    with_style,
)
from llm_api.services.prompts.repair.sentences import count_cuts
from llm_api.services.prompts.repair.syntax_pieces import with_syntax, with_tags_once
from llm_api.services.prompts.repair.token_cuts import MANY_TOKENS
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import TOLERATED, RewriteValidator, ValidationResult

# A text that leaks, refuses or is about something else is beyond repair.
_TOO_LONG = frozenset({"too_long", "truncated", MANY_TOKENS})
_REPAIRABLE = REMOVED | LOST | _TOO_LONG
_NOTHING_ADDED = "nothing_added"
_SHORTENING = frozenset({"addition_dropped", "shortened"})
_MAX_CHARS = 8_000
_MAX_CUTS = 200  # each may cost a check; good rewrites of long prompts have fewer
_LIGHT_SHARE = 2 / 3
# The name of a step, as in `details`, and the function that returns the changed rewrite.
Step = tuple[str, Callable[[Task, ValidationResult], str]]


def _without_additions(task: Task, result: ValidationResult) -> str:
    if REMOVED.isdisjoint(result.codes):
        return result.rewrite
    return without_added(task, result.rewrite, result.codes)


def _shortened(task: Task, result: ValidationResult) -> str:
    if result.codes.isdisjoint(_TOO_LONG):
        return result.rewrite
    return fitted(task, result.rewrite, result.codes)


def _quoted(task: Task, result: ValidationResult) -> str:
    """Restore quoted texts, unless whole sentences of the prompt have to be restored."""
    is_alone = result.codes.isdisjoint(LOST - {QUOTE, "style_lost", "camera_lost"})
    return with_quotes_restored(task, result.rewrite) if is_alone else result.rewrite


def _recounted(task: Task, result: ValidationResult) -> str:
    return recounted(task, result.rewrite) if COUNT in result.codes else result.rewrite


def _filled(task: Task, result: ValidationResult) -> str:
    """Add details where removals have left too few."""
    if not (_NOTHING_ADDED in result.codes or _has_become_short(task, result)):
        return result.rewrite
    filled = with_details(task, result.rewrite)
    has_room = len(filled) <= (task.wanted.max_length or len(filled))
    return filled if has_room else result.rewrite


def _framed(task: Task, result: ValidationResult) -> str:
    is_size_wanted = _has_become_short(task, result)
    return with_framing(task, result.rewrite, is_size_wanted=is_size_wanted)


def _has_become_short(task: Task, result: ValidationResult) -> bool:
    return not _SHORTENING.isdisjoint(result.repairs) and is_short(task, result.rewrite)


_REMOVING: Sequence[Step] = (
    ("shortened", _shortened),
    # Twice: without the first addition, a second may be recognized.
    ("addition_dropped", _without_additions),
    ("addition_dropped", _without_additions),
)
_SYNTAX: Step = ("syntax_restored", lambda task, result: with_syntax(task, result.rewrite))
_RESTORING: Sequence[Step] = (
    ("style_restored", lambda task, result: with_style(task, result.rewrite, result.violations)),
    ("camera_restored", lambda task, result: with_camera(task, result.rewrite, result.violations)),
)
_LIGHT: Sequence[Step] = (*_REMOVING, _SYNTAX, *_RESTORING, ("details_added", _filled))
_THOROUGH: Sequence[Step] = (
    ("quotes_restored", _quoted),
    *_REMOVING,
    _SYNTAX,
    ("addition_dropped", _recounted),
    (
        "prompt_put_in_front",
        lambda task, result: with_prompt(task, result.rewrite, result.violations),
    ),
    ("syntax_restored", lambda task, result: with_tags_once(task, result.rewrite)),
    ("shortened", _shortened),  # what stands behind the user's own words
    ("quotes_restored", lambda task, result: with_quotes_restored(task, result.rewrite)),
    *_RESTORING,
    ("details_added", _filled),
)
# Of a prompt or a rewrite that cannot be read nothing is removed, and no phrase of ours is added.
_UNREAD: Sequence[Step] = (("quotes_restored", _quoted), _SYNTAX)
# Of an edit parts are removed, and only what the user has said, or that the rest stays, is added.
_EDIT: Sequence[Step] = (
    _SYNTAX,
    ("addition_dropped", without_edit_additions),
    ("kept_restored", with_what_stays),
    ("keep_added", with_keep_sentence),
)
_FRAMED: Sequence[Step] = (("framing_added", _framed),)


class Repairer:
    """Repairs rewrites."""

    def __init__(self, validator: RewriteValidator) -> None:
        """Create a repairer; `validator` validates the outcome of every step."""
        self._validator = validator

    def lightly(self, task: Task, result: ValidationResult) -> ValidationResult:
        """Return a repaired rewrite if at least two thirds of it stay, otherwise the same result.

        If less would stay, a corrective call gets a better rewrite than code.
        """
        task = task.answered_in(result.rewrite)
        if task.wanted.type == EDIT:
            return self._edited(task, result)
        if not _is_repairable(task, result):
            return result
        repaired = self._after(task, result, _LIGHT if task.is_read else _UNREAD)
        is_most = len(repaired.rewrite) >= _LIGHT_SHARE * len(result.rewrite)
        return repaired if repaired.is_usable and is_most else result

    def thoroughly(self, task: Task, result: ValidationResult) -> ValidationResult:
        """Return a rewrite repaired by all steps, or the same result if that makes none usable."""
        task = task.answered_in(result.rewrite)
        if task.wanted.type == EDIT:
            return self._edited(task, result)
        if not (_is_repairable(task, result) or _is_only_plain(task, result)):
            return result
        repaired = self._after(task, result, _THOROUGH if task.is_read else _UNREAD)
        return repaired if repaired.is_usable else result

    def _edited(self, task: Task, result: ValidationResult) -> ValidationResult:
        if not result.codes <= EDIT_REPAIRABLE | TOLERATED:
            return result
        if not _is_of_prompt_size(task, result.rewrite):
            return result
        repaired = self._after(task, result, _EDIT)
        return repaired if repaired.is_usable else result

    def framed(self, task: Task, result: ValidationResult) -> ValidationResult:
        """Return a usable `result` that also says how the scene of a video `task` is filmed."""
        if not task.answered_in(result.rewrite).is_read:
            return result  # it may say so in words that are not known
        framed = self._after(task, result, _FRAMED)
        return framed if framed.codes <= result.codes else result

    def _after(
        self, task: Task, result: ValidationResult, steps: Sequence[Step]
    ) -> ValidationResult:
        for name, step in steps:
            if result.rewrite and (text := step(task, result)) != result.rewrite:
                repairs = tuple(dict.fromkeys([*result.repairs, name]))
                result = replace(self._validator.validate(task, text), repairs=repairs)
        return result


def _is_repairable(task: Task, result: ValidationResult) -> bool:
    """Whether all violations can be repaired, and the text is a description."""
    codes = result.codes
    if codes.isdisjoint(_REPAIRABLE) or not codes <= _REPAIRABLE | TOLERATED:
        return False
    return _is_of_prompt_size(task, result.rewrite)


def _is_only_plain(task: Task, result: ValidationResult) -> bool:
    """Whether a rewrite has all of the prompt's things and its length, but adds no known detail.

    Without things, a poem or an obedient "OK" would look the same.
    """
    if result.codes != {_NOTHING_ADDED} or is_short(task, result.rewrite):
        return False
    if addresses_reader(result.rewrite) or not task.constraints.objects:
        return False
    return _is_of_prompt_size(task, result.rewrite)


def _is_of_prompt_size(task: Task, rewrite: str) -> bool:
    """Whether a text has the size of a prompt, and no more chatter than its original."""
    if not 0 < len(rewrite) <= _MAX_CHARS or count_cuts(rewrite) > _MAX_CUTS:
        return False
    # Words of English chatter are others' little words.
    return not has_vocabulary(task.language) or chatter_words(rewrite) <= chatter_words(task.source)
