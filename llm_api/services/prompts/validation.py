"""Judges a rewrite: by the checks of the bench, and by what only the service knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from llm_api.services.prompts.checks.all_checks import Wanted, find_violations
from llm_api.services.prompts.checks.chatter import chatter_words
from llm_api.services.prompts.checks.leaks import LeakFinder, has_markup
from llm_api.services.prompts.checks.violations import Violation
from llm_api.services.prompts.improvements import improvements
from llm_api.services.prompts.task import Task

_LEAKED = Violation("instructions_leaked", "The reply repeats the instructions.", is_hard=True)
_MARKUP = Violation(
    "markup", "The prompt holds markup, an address or code; it must be plain text.", is_hard=True
)
_UNRELATED = Violation("unrelated", "The prompt is about something else.", is_hard=True)
_NOTHING_ADDED = Violation(
    "nothing_added", "The prompt adds nothing to the description that can be seen.", is_hard=False
)
# Worth a corrective call, and no reason to give up a rewrite.
TOLERATED = frozenset(
    ["too_short", "quote_unmarked", "negation_worded", "style_repeated", "lens_talk"]
)
_MIN_SHARE = 0.25
_STEM = 4
_LATIN = re.compile(r"[a-z]{3,}|\d+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]{2,}")
_COMMON = frozenset(
    # Words that say nothing of what a picture is about.
    re.findall(
        r"\w+",
        "the and with for from that this are was his her its their has have into onto over under"
        " photo image picture video style shot who which there here you your all any not but",
    )
)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """A rewrite, what is wrong with it, the worst first, and what it verifiably adds.

    `repairs` are the steps by which code has changed what the model wrote.
    """

    rewrite: str
    violations: Sequence[Violation]
    improvements: Sequence[str] = ()
    repairs: Sequence[str] = ()

    @property
    def codes(self) -> frozenset[str]:
        """What is wrong, in stable words."""
        return frozenset(one.code for one in self.violations)

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to put right."""
        return not self.violations

    @property
    def is_usable(self) -> bool:
        """Whether the user may have it."""
        return all(one.code in TOLERATED and not one.is_hard for one in self.violations)


class RewriteValidator:
    """Judges rewrites."""

    def __init__(self, instructions: Sequence[str]) -> None:
        """Take our own instructions, which must not come back."""
        self._leaks = LeakFinder(instructions)
        # The first text has the vocabulary read: here, so that no user waits for it.
        find_violations("a cat", "a dog", Wanted("image", "en"))
        improvements("a cat", "a dog")

    def judge(self, task: Task, rewrite: str) -> ValidationResult:
        """Find everything that is wrong with a rewrite."""
        found = find_violations(task.source, rewrite, task.wanted)
        if not rewrite:
            return ValidationResult(rewrite, found)
        added = improvements(task.source, rewrite)
        found = [*self._foreign(task, rewrite), *_strayed(task, rewrite, found), *found]
        # Where something is missing and nothing is added the text may be anything.
        if not added and task.request.enhance_details and not task.locks.is_detailed:
            found.append(_NOTHING_ADDED)
        return ValidationResult(rewrite, sorted(found, key=_weight), added)

    def judge_composed(self, task: Task, rewrite: str) -> ValidationResult:
        """Judge a rewrite that has the prompt in it as it is.

        What is soft and wrong with the prompt itself is as its user wants it.
        """
        verdict = self.judge(task, rewrite)
        own = {*find_violations(task.source, task.source, task.wanted), _NOTHING_ADDED}
        kept = [one for one in verdict.violations if one.is_hard or one not in own]
        return replace(verdict, violations=kept)

    def _foreign(self, task: Task, rewrite: str) -> Sequence[Violation]:
        """Find what cannot come from the prompt."""
        found = []
        if self._leaks.is_ours(rewrite, task.source):
            found.append(_LEAKED)
        if has_markup(rewrite, task.source):
            found.append(_MARKUP)
        return found


def _weight(one: Violation) -> int:
    """Put first what forbids the rewrite."""
    return 0 if one.is_hard else 1 + (one.code in TOLERATED)


def _strayed(task: Task, rewrite: str, found: Sequence[Violation]) -> Sequence[Violation]:
    """See whether a rewrite is about something else: it has the prompt's things, or its words."""
    has_things = task.locks.objects and all(one.code != "object_lost" for one in found)
    if has_things:
        return []
    # The words of another language cannot be compared; but talk is no translation.
    if task.is_translated:
        is_about = bool(chatter_words(task.source)) or not chatter_words(rewrite)
    else:
        is_about = _is_about(task.source, rewrite)
    return [] if is_about else [_UNRELATED]


def _is_about(original: str, rewrite: str) -> bool:
    """Whether a rewrite speaks of what its original does: by a quarter of its words at least."""
    words = _stems(original)
    if not words:
        return True
    known = _stems(rewrite)
    return len(words & known) >= _MIN_SHARE * len(words)


def _stems(text: str) -> set[str]:
    lowered = text.casefold()
    stems = {word[:_STEM] for word in _LATIN.findall(lowered) if word not in _COMMON}
    if not lowered.isascii():
        for run in _HAN_RUN.findall(lowered):
            stems.update(map("".join, pairwise(run)))
    return stems
