"""Repairs rewrites by code, and judges what came of it: nothing is given that was not judged."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_api.services.prompts.checks.chatter import chatter_words, speaks_to_readers
from llm_api.services.prompts.repair.quotations import with_quotes_restored
from llm_api.services.prompts.repair.removal import (
    COUNT,
    DROPPED,
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
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import TOLERATED, RewriteValidator, ValidationResult

# A text that leaks, refuses or speaks of something else is beyond repair.
_REPAIRABLE = DROPPED | LOST | {"too_long", "truncated"}
_NOTHING_ADDED = "nothing_added"
_SHORTENING = frozenset({"addition_dropped", "shortened"})
_MAX_CHARS = 8_000
_MAX_CUTS = 200  # each may cost a check; good rewrites of long prompts have fewer
_LIGHT_SHARE = 2 / 3
Step = tuple[str, Callable[[Task, ValidationResult], str]]


def _dropped(task: Task, verdict: ValidationResult) -> str:
    if DROPPED.isdisjoint(verdict.codes):
        return verdict.rewrite
    return without_added(task, verdict.rewrite, verdict.codes)


def _shortened(task: Task, verdict: ValidationResult) -> str:
    if verdict.codes.isdisjoint({"too_long", "truncated"}):
        return verdict.rewrite
    return fitted(task, verdict.rewrite, verdict.codes)


def _quoted(task: Task, verdict: ValidationResult) -> str:
    """Put quoted texts back, if the sentences of the prompt that have them need not come back."""
    is_alone = verdict.codes.isdisjoint(LOST - {QUOTE, "style_lost", "camera_lost"})
    return with_quotes_restored(task, verdict.rewrite) if is_alone else verdict.rewrite


def _recounted(task: Task, verdict: ValidationResult) -> str:
    return recounted(task, verdict.rewrite) if COUNT in verdict.codes else verdict.rewrite


def _filled(task: Task, verdict: ValidationResult) -> str:
    """Add details where what was dropped has left too few."""
    if not (_NOTHING_ADDED in verdict.codes or _has_become_short(task, verdict)):
        return verdict.rewrite
    filled = with_details(task, verdict.rewrite)
    has_room = len(filled) <= (task.wanted.max_length or len(filled))
    return filled if has_room else verdict.rewrite


def _framed(task: Task, verdict: ValidationResult) -> str:
    is_size_wanted = _has_become_short(task, verdict)
    return with_framing(task, verdict.rewrite, is_size_wanted=is_size_wanted)


def _has_become_short(task: Task, verdict: ValidationResult) -> bool:
    return not _SHORTENING.isdisjoint(verdict.repairs) and is_short(task, verdict.rewrite)


_DROPPING: Sequence[Step] = (
    ("shortened", _shortened),
    # Twice: without one thing, another may be seen for what it is.
    ("addition_dropped", _dropped),
    ("addition_dropped", _dropped),
)
_RESTORING: Sequence[Step] = (
    ("style_restored", lambda task, one: with_style(task, one.rewrite, one.violations)),
    ("camera_restored", lambda task, one: with_camera(task, one.rewrite, one.violations)),
)
_LIGHT: Sequence[Step] = (*_DROPPING, *_RESTORING, ("details_added", _filled))
_THOROUGH: Sequence[Step] = (
    ("quotes_restored", _quoted),
    *_DROPPING,
    ("addition_dropped", _recounted),
    ("prompt_put_in_front", lambda task, one: with_prompt(task, one.rewrite, one.violations)),
    ("quotes_restored", lambda task, one: with_quotes_restored(task, one.rewrite)),
    *_RESTORING,
    ("details_added", _filled),
)
_FRAMED: Sequence[Step] = (("framing_added", _framed),)


class Repairer:
    """Repairs rewrites."""

    def __init__(self, judge: RewriteValidator) -> None:
        """Take who judges what came of it."""
        self._judge = judge

    def lightly(self, task: Task, verdict: ValidationResult) -> ValidationResult:
        """Return a rewrite of which little had to be dropped, or the same verdict.

        Most of it must stay: a model that is told what was wrong writes a better one than code.
        """
        if not _is_repairable(task, verdict):
            return verdict
        repaired = self._after(task, verdict, _LIGHT)
        is_most = len(repaired.rewrite) >= _LIGHT_SHARE * len(verdict.rewrite)
        return repaired if repaired.is_usable and is_most else verdict

    def thoroughly(self, task: Task, verdict: ValidationResult) -> ValidationResult:
        """Return what can be made of a rewrite with all means there are, or the same verdict."""
        if not (_is_repairable(task, verdict) or _is_only_plain(task, verdict)):
            return verdict
        repaired = self._after(task, verdict, _THOROUGH)
        return repaired if repaired.is_usable else verdict

    def framed(self, task: Task, verdict: ValidationResult) -> ValidationResult:
        """Return a usable rewrite that says, for a film, how it is filmed."""
        framed = self._after(task, verdict, _FRAMED)
        return framed if framed.codes <= verdict.codes else verdict

    def _after(
        self, task: Task, verdict: ValidationResult, steps: Sequence[Step]
    ) -> ValidationResult:
        for name, step in steps:
            if verdict.rewrite and (text := step(task, verdict)) != verdict.rewrite:
                repairs = tuple(dict.fromkeys([*verdict.repairs, name]))
                verdict = replace(self._judge.judge(task, text), repairs=repairs)
        return verdict


def _is_repairable(task: Task, verdict: ValidationResult) -> bool:
    """Whether nothing is wrong that tells of a text which is no description of the prompt's."""
    codes = verdict.codes
    if codes.isdisjoint(_REPAIRABLE) or not codes <= _REPAIRABLE | TOLERATED:
        return False
    return _is_mendable(task, verdict.rewrite)


def _is_only_plain(task: Task, verdict: ValidationResult) -> bool:
    """Whether a rewrite has all of the prompt's things and is long enough, but adds nothing known.

    Without things, a poem or an obedient "OK" would look the same.
    """
    if verdict.codes != {_NOTHING_ADDED} or is_short(task, verdict.rewrite):
        return False
    if speaks_to_readers(verdict.rewrite) or not task.locks.objects:
        return False
    return _is_mendable(task, verdict.rewrite)


def _is_mendable(task: Task, rewrite: str) -> bool:
    """Whether a text is of a prompt's size, and does not speak to its reader where none does."""
    if not 0 < len(rewrite) <= _MAX_CHARS or count_cuts(rewrite) > _MAX_CUTS:
        return False
    return chatter_words(rewrite) <= chatter_words(task.source)
