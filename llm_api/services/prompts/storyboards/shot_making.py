"""Makes shots of what a model proposes, or of the script's own words, and holds them to the script.

A shot is a rewrite of its part of the script: the checks and repairs are those of every rewrite.
One of which nothing is usable gets the words of its part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from llm_api.domain.storyboards import CastMember
from llm_api.services.prompts.checks.additions import improvements
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.enrichment.composition import named_style
from llm_api.services.prompts.language import is_written_in
from llm_api.services.prompts.languages.tags import form_of, is_dense, name_of
from llm_api.services.prompts.repair.repairer import Repairer
from llm_api.services.prompts.repair.restoration import LOST
from llm_api.services.prompts.storyboards.camera_moves import (
    move_named,
    moves_in,
    with_one_move,
    without_moves,
)
from llm_api.services.prompts.storyboards.cast_words import (
    bare_description,
    is_described,
    members_of,
    named_in,
    with_cast,
)
from llm_api.services.prompts.storyboards.script_parts import (
    aligned,
    split_units,
    spread,
    together,
)
from llm_api.services.prompts.storyboards.script_task import ScriptTask
from llm_api.services.prompts.storyboards.shot_replies import ShotDraft
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import is_ended
from llm_api.services.prompts.validation import TOLERATED, RewriteValidator, ValidationResult

OWN_WORDS = "own_words"
SCRIPT_CAMERA = "script_camera_reduced"
# A shot need not add to its part of the script, and may be short.
_NO_FAULTS = frozenset({"nothing_added", "too_short"})
# A line that somebody says is no text in the picture, and phrases of ours suit no film's next shot.
# The script's words in front of a model's would say the same twice.
_NO_REPAIRS = frozenset({"quotes_restored", "details_added", "prompt_put_in_front"})
_OF_PART = LOST | {"unrelated", "camera_added"}
# Where one sentence has to be several shots.
_VIEWS = {
    "en": ("Wide shot.", "Medium shot.", "Close-up.", "Low angle."),
    "zh": ("全景。", "中景。", "特写。", "低角度。"),
}


@dataclass(frozen=True, slots=True)
class MadeShot:
    """A shot before it is rendered.

    `text` is in plain sentences, with its camera and its cast; `weight` is how long it wants to be
    with respect to the others: the seconds that a model has given it if it `is_timed`. `violations`
    are those for which a model's text was given up.
    """

    text: str
    move: str
    members: Sequence[CastMember]
    weight: float
    repaired: Sequence[str] = ()
    improvements: Sequence[str] = ()
    violations: Sequence[Violation] = ()
    is_timed: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it has the script's words, and nothing of a model."""
        return OWN_WORDS in self.repaired


@dataclass(frozen=True, slots=True)
class _Part:
    """What a shot shows of the script; `view` is a framing.

    A shot between two parts has borrowed the words of its neighbor: it need not show them.
    """

    text: str
    members: Sequence[CastMember]
    view: str = ""
    is_borrowed: bool = False

    @property
    def move(self) -> str | None:
        """The move that the script gives, the first of several."""
        return next(iter(moves_in(self.text)), None)

    @property
    def source(self) -> str:
        """The script's words with one move at most."""
        return without_moves(self.text, self.move) if self.move else self.text


class ShotMaker:
    """Makes shots, checked and repaired."""

    def __init__(self, validator: RewriteValidator) -> None:
        """Create it; `validator` knows what models are told here."""
        self._validator = validator

    @cached_property
    def _repairer(self) -> Repairer:
        return Repairer(self._validator)

    def of_drafts(self, script: ScriptTask, drafts: Sequence[ShotDraft]) -> Sequence[MadeShot]:
        """Return a shot for each draft, in their order: together they show the whole script."""
        texts = aligned(script.units, [draft.text for draft in drafts])
        is_timed = all(draft.seconds for draft in drafts)
        made = []
        for part, draft in zip(_parts_shown(script, texts), drafts, strict=True):
            shot = self._of_draft(script, part, draft)
            weight = draft.seconds if is_timed else shot.weight
            made.append(replace(shot, weight=weight, is_timed=is_timed))
        return made

    def _of_draft(self, script: ScriptTask, part: _Part, draft: ShotDraft) -> MadeShot:
        said = [one for one in script.cast if one.name.casefold() in map(str.casefold, draft.cast)]
        named = named_in(draft.text, script.cast)
        who = list(dict.fromkeys([*named, *(() if part.is_borrowed else part.members), *said]))
        language = script.task.language
        move = part.move or move_named(draft.camera)
        text, move, of_camera = with_one_move(_as_sentence(draft.text, language), move, language)
        text, of_cast = with_cast(text, who, language)
        task = script.part(with_cast(part.source, who, language)[0])
        result = self._checked(task, _styled(task, text), part)
        wrong = [*_of_another_language(script, draft), *result.violations]
        kept, _ = with_cast(result.rewrite, who, language)
        if wrong or set(_moves_beside(kept, who)) != {move}:
            wrong = wrong or [violation_of("camera_lost", move)]
            return replace(own_shot(script, part), violations=wrong)
        steps = (*of_camera, *of_cast, *result.repairs, *_reduced_by(part))
        return MadeShot(kept, move, who, _weight(part.text), steps, result.improvements)

    def _checked(self, task: Task, text: str, part: _Part) -> ValidationResult:
        """Validate a shot against its part of the script, and repair it where it is not usable.

        What is left of violations makes it unusable.
        """

        def without_faults(result: ValidationResult) -> ValidationResult:
            left = [one for one in result.violations if _counts(one, part)]
            return replace(result, violations=left)

        first = without_faults(self._validator.validate(task, text))
        if first.is_good:
            return first
        for repair in (self._repairer.lightly, self._repairer.thoroughly):
            repaired = without_faults(repair(task, first))
            if repaired.is_good and _NO_REPAIRS.isdisjoint(repaired.repairs):
                return repaired
        return first


def _counts(violation: Violation, part: _Part) -> bool:
    if part.is_borrowed and violation.code in _OF_PART:
        return False
    return violation.is_hard or violation.code not in TOLERATED | _NO_FAULTS


def _parts_shown(script: ScriptTask, texts: Sequence[str]) -> Sequence[_Part]:
    """Return the parts of shots; one that shows none borrows from its neighbor, to be held to."""
    members = members_of(texts, script.cast)
    near = next((_Part(*one) for one in zip(texts, members, strict=True) if one[0]), _Part("", ()))
    parts = []
    for text, seen in zip(texts, members, strict=True):
        if text:
            near = _Part(text, seen)
        bare = without_moves(near.text) or near.text
        parts.append(near if text else replace(near, text=bare, is_borrowed=True))
    return parts


def _of_another_language(script: ScriptTask, draft: ShotDraft) -> Sequence[Violation]:
    """Find whether a draft is in a language in which no shot is wanted.

    The words of the script, which may be put in front of it afterwards, would hide that.
    """
    task = script.task.answered_in(draft.text)
    if is_written_in(draft.text, task.language, task.source):
        return []
    return [violation_of("wrong_language", name_of(task.language))]


def script_shots(script: ScriptTask, behind: Sequence[str] = ()) -> Sequence[MadeShot]:
    """Return shots with the script's own words.

    Args:
        script: the script.
        behind: a sentence for each shot, such as its framing and its camera move.
    """
    words = behind or [""] * script.count
    return [own_shot(script, *one) for one in zip(parts_of(script), words, strict=True)]


def parts_of(script: ScriptTask) -> Sequence[_Part]:
    """Return the parts of a script for as many shots as suit it, in their order."""
    units = split_units(script.units, script.count)
    texts = [together(group) for group in spread(units, script.count)]
    views = _VIEWS[form_of(script.task.constraints.language)]
    members, parts = members_of(texts, script.cast), []
    times = 0
    for at, text in enumerate(texts):
        is_repeated = text in {*texts[:at][-1:], *texts[at + 1 :][:1]}
        times = times + 1 if at and texts[at - 1] == text else 0
        parts.append(_Part(text, members[at], views[times % len(views)] if is_repeated else ""))
    return parts


def own_shot(script: ScriptTask, part: _Part, behind: str = "") -> MadeShot:
    """Return a shot with the words of its part, a static camera if nothing moves it.

    Args:
        script: the script.
        part: what the shot shows of it.
        behind: a sentence to put behind them, such as a framing and a camera move.
    """
    language = script.task.constraints.language
    gap = "" if is_dense(language) else " "
    said = [_as_sentence(part.source, language), part.view, behind]
    text, move, _ = with_one_move(gap.join(filter(None, said)), part.move, language)
    text, _ = with_cast(text, part.members, language)
    plain, _ = with_cast(part.source, part.members, language)
    added = improvements(plain, text) if behind else ()
    repaired = (OWN_WORDS, *_reduced_by(part))
    words = _styled(script.task, text)
    return MadeShot(words, move, part.members, _weight(part.text), repaired, added)


def _weight(text: str) -> float:
    """Return how long a part of a script is filmed: more for more words, but not as many times."""
    return math.sqrt(len(text) or 1)


def _reduced_by(part: _Part) -> Sequence[str]:
    return (SCRIPT_CAMERA,) if len(moves_in(part.text)) > 1 else ()


def _moves_beside(text: str, members: Sequence[CastMember]) -> Sequence[str]:
    """Return the moves of a text, apart from what the cast's descriptions say."""
    for member in members:
        text = text.replace(bare_description(member), "…")
    return moves_in(text)


def _as_sentence(text: str, language: str) -> str:
    text = text.strip()
    stop = "" if not text or is_ended(text) else ("。" if is_dense(language) else ".")
    return text[:1].upper() + text[1:].rstrip(" ,;，；、") + stop


def _styled(task: Task, text: str) -> str:
    """Return a shot that begins with the style, where one is wanted that it does not name."""
    style = task.wanted.style
    if not style or style.casefold() in text.casefold():
        return text
    named = named_style(style, task.language)
    return f"{named[:1].upper()}{named[1:]}{'：' if is_dense(task.language) else ': '}{text}"


def is_true_to(shot: MadeShot) -> bool:
    """Whether a shot has one camera move, and the description of everybody in it word for word."""
    has_one = set(_moves_beside(shot.text, shot.members)) == {shot.move}
    return has_one and all(is_described(shot.text, one) for one in shot.members)
