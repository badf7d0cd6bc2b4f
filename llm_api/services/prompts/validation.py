"""Validates a rewrite: by the checks of the bench, and by what only the service knows.

That is whether our own instructions came back, and whether the text is about the prompt at all.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from llm_api.domain.prompts import EDIT, RewriteRequirements
from llm_api.runtime.native_threads import NativeThreads
from llm_api.services.prompts.checks.additions import improvements
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.checks.formatting import chatter_words, has_markup
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.constraints.syntax import without_tags
from llm_api.services.prompts.edits import content_words, keeping_words
from llm_api.services.prompts.languages.tags import has_vocabulary, length_ratio
from llm_api.services.prompts.languages.writing import shares_words
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import words_of

# Worth a corrective call, and no reason to give up a rewrite.
TOLERATED = frozenset(
    [
        *("too_short", "quote_unmarked", "negation_worded", "style_repeated", "lens_talk"),
        *("not_sentences", "not_tags"),
    ]
)
_LOADER = NativeThreads(1)
NOTHING_ADDED = violation_of("nothing_added")
SAYS_WHAT_STAYS = "Named what stays unchanged"
# A run of so many words of ours is no chance: measured on 3,700 prompts and 1,200 good rewrites.
_RUN_WORDS = 7
_RUN_HAN = 13
# Of a longer text, this share of its pieces of three words: ours, slightly altered.
_PIECE = 3
_SHARE = 0.2
_MIN_PIECES = 12
# A rewrite is about its prompt if it has this share of the prompt's words, by their first letters.
_MIN_SHARE = 0.25
_STEM = 4
# A rewrite of a prompt whose words are not known is so many times as long.
_MIN_GROWTH = 1.15
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
    """A rewrite, its violations, the worst first, and what it verifiably adds.

    `repairs` are the steps by which code has changed what the model wrote.
    """

    rewrite: str
    violations: Sequence[Violation]
    improvements: Sequence[str] = ()
    repairs: Sequence[str] = ()

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the violations."""
        return frozenset(violation.code for violation in self.violations)

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to correct."""
        return not self.violations

    @property
    def is_usable(self) -> bool:
        """Whether the caller may have it."""
        return all(
            violation.code in TOLERATED and not violation.is_hard for violation in self.violations
        )


@functools.cache
def _read_vocabulary() -> None:
    find_violations("a cat", "a dog", RewriteRequirements("image", "en"))
    improvements("a cat", "a dog")


def load_vocabulary() -> None:
    """Load what prompts are read with, unless it is loaded.

    It takes 4 MiB, which a worker that rewrites nothing does without, and a tenth of a second: in a
    thread, so that the worker's other calls go on meanwhile.
    """
    if not _read_vocabulary.cache_info().currsize:
        _LOADER.run(_read_vocabulary)


class RewriteValidator:
    """Validates rewrites."""

    def __init__(self, instructions: Sequence[str]) -> None:
        """Look for texts that came back; `instructions` are all that is said to models."""
        self._leaks = LeakFinder(instructions)

    def validate(self, task: Task, rewrite: str) -> ValidationResult:
        """Find everything that is wrong with a rewrite of a task's prompt."""
        task = task.answered_in(rewrite)
        found = find_violations(task.source, rewrite, task.wanted, constraints=task.checked)
        if not rewrite:
            return ValidationResult(rewrite, found)
        if task.tokens.is_passed_by(rewrite):
            found.append(violation_of("too_many_tokens", task.tokens.limit))
        found = [*self._foreign(task, rewrite), *_unrelated(task, rewrite, found), *found]
        if task.wanted.type == EDIT:
            return ValidationResult(rewrite, sorted(found, key=_weight), _kept_more(task, rewrite))
        added = improvements(task.source, rewrite) if task.is_read else ()
        # Where details are missing and none are added the text may be anything.
        has_room = not (task.constraints.is_detailed or task.tokens.is_full)
        if task.request.enhance_details and has_room:
            is_plain = not added if task.is_read else not has_grown(task, rewrite)
            found += [NOTHING_ADDED] if is_plain else []
        return ValidationResult(rewrite, sorted(found, key=_weight), added)

    def validate_composed(self, task: Task, rewrite: str) -> ValidationResult:
        """Validate a rewrite that contains the prompt as it is.

        Soft violations of the prompt itself are left out: they are as its user wants them.
        """
        result = self.validate(task, rewrite)
        own = {
            *find_violations(task.source, task.source, task.wanted, constraints=task.checked),
            NOTHING_ADDED,
        }
        new = [
            violation
            for violation in result.violations
            if violation.is_hard or violation not in own
        ]
        return replace(result, violations=new)

    def _foreign(self, task: Task, rewrite: str) -> Sequence[Violation]:
        """Find what cannot come from the prompt."""
        found = []
        if self._leaks.is_leaked(rewrite, task.source):
            found.append(violation_of("instructions_leaked"))
        if has_markup(rewrite, task.source):
            found.append(violation_of("markup"))
        return found


class LeakFinder:
    """Finds our own instructions in what a model wrote."""

    def __init__(self, instructions: Iterable[str]) -> None:
        """Split the instructions into pieces of three words."""
        self._pieces = frozenset(
            piece for text in instructions for piece in _pieces(words_of(text))
        )

    def is_leaked(self, text: str, original: str) -> bool:
        """Whether a text repeats our instructions, apart from what its original has itself.

        That is a long run of our words, or a share of short pieces that is no coincidence.
        """
        words = words_of(text)
        ours = self._pieces.intersection(_pieces(words))
        if not ours or not (ours := ours.difference(_pieces(words_of(original)))):
            return False
        hits = bytes(map(ours.__contains__, _pieces(words)))  # 1 for each piece of ours
        found = hits.count(1)
        if found < _RUN_WORDS - _PIECE + 1:  # no run of them is long enough
            return False
        longest = max(map(len, hits.split(b"\0")))
        if longest + _PIECE - 1 >= (_RUN_HAN if _is_chinese(words) else _RUN_WORDS):
            return True
        return found >= _MIN_PIECES and found > _SHARE * len(hits)


def _pieces(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return zip(words, words[1:], words[2:], strict=False)


def _is_chinese(words: Sequence[str]) -> bool:
    """Whether most words are single characters: Chinese has more of them than English has words."""
    return sum(map("\u33ff".__lt__, words)) * 2 > len(words)


def _weight(violation: Violation) -> int:
    """Sort hard violations first and tolerated ones last."""
    return 0 if violation.is_hard else 1 + (violation.code in TOLERATED)


def has_grown(task: Task, rewrite: str) -> bool:
    """Whether a rewrite says more than its prompt, whose words are not known: it is longer."""
    own, said = (len(" ".join(without_tags(one).split())) for one in (task.source, rewrite))
    before = own * length_ratio(task.constraints.language, task.language)
    return said >= _MIN_GROWTH * before


def _unrelated(task: Task, rewrite: str, found: Sequence[Violation]) -> Sequence[Violation]:
    """Check whether a rewrite is about its prompt: it has the prompt's things, or its words."""
    if task.wanted.type == EDIT and task.is_translated and not task.is_read:
        return []  # an instruction need not name anything that can be seen
    if not task.is_read:
        return [] if _is_description(task, rewrite) else [violation_of("unrelated")]
    has_lost = any(violation.code == "object_lost" for violation in found)
    if task.constraints.objects and not has_lost:
        return []
    if task.wanted.type == EDIT and content_words.have_common(task.source, rewrite):
        return []
    # The words of another language cannot be compared; but chatter is no translation.
    if task.is_translated:
        is_about = bool(chatter_words(task.source)) or not chatter_words(rewrite)
    else:
        is_about = _is_about(task.source, rewrite)
    return [] if is_about else [violation_of("unrelated")]


def _kept_more(task: Task, rewrite: str) -> Sequence[str]:
    """Return what a rewrite adds to an edit: that it says what stays, if only it does."""
    was_said = keeping_words.says_what_stays(task.source, task.constraints.language)
    return (
        ()
        if was_said or not keeping_words.says_what_stays(rewrite, task.language)
        else (SAYS_WHAT_STAYS,)
    )


def _is_description(task: Task, rewrite: str) -> bool:
    """Whether a rewrite may be one of a prompt whose words are not known.

    In the prompt's language it has pieces of the prompt's words; in English or Chinese it names
    things to be seen, and does not speak of itself.
    """
    if not task.is_translated:
        return shares_words(task.source, rewrite)
    if not has_vocabulary(task.language):
        return True
    if chatter_words(rewrite) - chatter_words(task.source):
        return False
    return bool(read(rewrite).things()) or bool(improvements(task.source, rewrite))


def _is_about(original: str, rewrite: str) -> bool:
    """Whether a rewrite has at least a quarter of its original's words."""
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
