"""Renders shots in the form of a target: each as a prompt of its own, and all of them as one text.

Veo reads `[00:00-00:04]` in front of a shot, MiniMax H3 `[Shot 2]` and its times in the first of
three fields, Kling and Seedance numbered shots with their seconds; Wan's are numbered, with the
time in brackets. config/targets.toml names the sources. Others film one shot from a prompt: their
whole text is for people and programs to read.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise

from llm_api.domain.prompts import Target
from llm_api.domain.storyboards import Shot, Storyboard
from llm_api.services.prompts.dialects.dialect_table import rendered_text
from llm_api.services.prompts.dialects.timed_sections import clock, h3_fields
from llm_api.services.prompts.languages.tags import form_of
from llm_api.services.prompts.negative_prompts import negative_prompt
from llm_api.services.prompts.shot_seconds import share
from llm_api.services.prompts.storyboards.script_task import ScriptTask
from llm_api.services.prompts.storyboards.shot_making import MadeShot

_Mark = Callable[[int, int, int], str]
_NUMBERED: Mapping[str, str] = {"en": "Shot {0} ({1}-{2}s): ", "zh": "镜头{0}（{1}-{2}秒）："}
_MARKS: Mapping[str, Mapping[str, str]] = {
    "kling": {"en": "Shot {0}, {1}-{2}s: ", "zh": "镜头{0}，{1}-{2}秒："},
    "seedance": {"en": "[Shot {0}] {1}-{2}s: ", "zh": "【镜头{0}】{1}-{2}秒："},
    "wan": {"en": "Shot {0} [{1}-{2}s]: ", "zh": "第{0}个镜头[{1}-{2}秒]："},
}


def storyboard_of(
    script: ScriptTask,
    made: Sequence[MadeShot],
    repaired: Sequence[str] = (),
    *,
    is_fallback: bool = False,
) -> tuple[Storyboard, str]:
    """Return a storyboard of shots whose seconds add up, and all of it as one text.

    Args:
        script: the script and its seconds.
        made: the shots, as many as can add up.
        repaired: what was done to a model's plan.
        is_fallback: whether all shots have the script's own words.
    """
    seconds, is_fitted = _seconds(script, made)
    ends = list(accumulate(seconds, initial=0))
    shots = [
        _shot(script, one, at, span)
        for at, (one, span) in enumerate(zip(made, pairwise(ends), strict=True), 1)
    ]
    whole = _whole(script, made, shots)
    wrong = ["seconds_fitted"] if is_fitted and made[0].is_timed else []
    board = Storyboard(
        target_model=script.task.target.name,
        total_seconds=script.total,
        shots=shots,
        fits_one_prompt=_fits(script, shots, whole),
        is_fallback=is_fallback,
        repaired=[*repaired, *wrong],
    )
    return board, whole


def _shot(script: ScriptTask, made: MadeShot, number: int, span: tuple[int, int]) -> Shot:
    task, (start, end) = script.task, span
    return Shot(
        number=number,
        seconds=end - start,
        start=start,
        end=end,
        camera=made.move,
        cast=[member.name for member in made.members],
        prompt=_behind(rendered_text(task, made.text).prompt, script.tail),
        negative_prompt=None if task.target.max_negative is None else negative_prompt(task),
        repaired=list(dict.fromkeys(made.repaired)),
    )


def _seconds(script: ScriptTask, made: Sequence[MadeShot]) -> tuple[Sequence[int], bool]:
    """Return the seconds of shots, and whether they are others than were proposed."""
    wanted = [one.weight for one in made]
    allowed = set(script.allowed)
    if sum(wanted) == script.total and all(one in allowed for one in wanted):
        return list(map(int, wanted)), False
    return share(script.total, wanted, script.allowed), True


def _whole(script: ScriptTask, made: Sequence[MadeShot], shots: Sequence[Shot]) -> str:
    if len(shots) == 1:
        return shots[0].prompt
    form, language = script.task.target.shot_form, form_of(script.task.language)
    mark = _mark(form, language)
    lines = [
        f"{mark(shot.number, shot.start, shot.end)}{one.text}"
        for shot, one in zip(shots, made, strict=True)
    ]
    text = h3_fields("\n".join(lines), language) if form == "minimax-h3" else "\n".join(lines)
    return _behind(text, script.tail)


def _mark(form: str | None, language: str) -> _Mark:
    if form == "veo":
        return lambda _, start, end: f"[{clock(start)}-{clock(end)}] "
    if form == "minimax-h3":
        return lambda number, start, end: (
            f"[Shot {number}] From {clock(start)}.000 to {clock(end)}.000: "
        )
    return _MARKS.get(form or "", _NUMBERED)[language].format


def _fits(script: ScriptTask, shots: Sequence[Shot], whole: str) -> bool:
    """Whether the target films all shots from one prompt."""
    target = script.task.target
    is_one = len(shots) == 1 or (target.shot_form is not None and len(shots) <= target.max_shots)
    is_made = not target.durations or script.total in target.durations
    return is_one and is_made and len(whole) <= longest_prompt(target, script.task.language)


def longest_prompt(target: Target, language: str) -> int:
    """Return how many characters a prompt for a target may have in a language."""
    known = target.max_length
    return known.get(language, known.get(form_of(language), min(known.values())))


def _behind(prompt: str, tail: str) -> str:
    return f"{prompt} {tail}" if tail else prompt
