"""Answers a request for a storyboard, and says what of it is not as requested."""

from collections.abc import Iterator, Sequence

from llm_api.domain.storyboards import Storyboard
from llm_api.services.prompts.constraints.target_syntax import notices_of
from llm_api.services.prompts.languages.exclusions import on_exclusions
from llm_api.services.prompts.languages.tags import has_vocabulary, name_of
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.prompts.storyboards.script_task import ScriptTask, read_script
from llm_api.services.prompts.storyboards.shot_forms import longest_prompt, storyboard_of
from llm_api.services.prompts.storyboards.shot_making import (
    OWN_WORDS,
    SCRIPT_CAMERA,
    script_shots,
)
from llm_api.services.prompts.task import Task, understands


def answered(task: Task, result: RewriteResult) -> tuple[str, Sequence[str], Storyboard]:
    """Return all shots as one text, what could not be done as requested, and the storyboard.

    Args:
        task: the request for a storyboard.
        result: the outcome; where no model took part the script's own words are the shots.
    """
    script = read_script(task)
    if result.storyboard is not None:
        board, whole = result.storyboard, result.rewrites[0]
    else:
        board, whole = storyboard_of(script, script_shots(script), is_fallback=True)
    return whole, _warnings(script, result, board), board


def _warnings(script: ScriptTask, result: RewriteResult, board: Storyboard) -> Sequence[str]:
    task, warnings = script.task, []
    if board.is_fallback:
        why = result.violations[0].message
        warnings.append(f"The shots have the script's own words. {why}")
        if not understands(task.target, task.constraints.language):
            name = name_of(task.constraints.language)
            warnings.append(f"They are in {name}, which {task.target.name} is not known to read.")
    warnings += [*_on_shots(board), *_on_cast(script, board), *_on_lengths(script, board)]
    if task.request.include_negative_prompt and task.target.max_negative is None:
        warnings.append(f"{task.target.name} does not support negative prompts.")
    elif task.request.include_negative_prompt and not has_vocabulary(task.constraints.language):
        warnings.append(on_exclusions(task.constraints.language))
    return [*warnings, *_on_syntax(script, board)]


def _on_shots(board: Storyboard) -> Iterator[str]:
    own = [str(shot.number) for shot in board.shots if OWN_WORDS in shot.repaired]
    if own and not board.is_fallback:
        yield (
            f"The script's own words stand in shot {', '.join(own)}: nothing that the model wrote"
            " for it was usable."
        )
    for shot in board.shots:
        if SCRIPT_CAMERA in shot.repaired:
            yield (
                f"The script moves the camera more than once in what shot {shot.number} shows: it"
                f" keeps “{shot.camera}”, and the clauses of the others are left out."
            )


def _on_cast(script: ScriptTask, board: Storyboard) -> Iterator[str]:
    seen = {name for shot in board.shots for name in shot.cast}
    missing = [member.name for member in script.cast if member.name not in seen]
    if missing:
        names = ", ".join(f"“{name}”" for name in missing)
        yield f"The script never names {names}: no shot has the description."


def _on_lengths(script: ScriptTask, board: Storyboard) -> Iterator[str]:
    """Yield a sentence for each shot that has more than its target reads."""
    task = script.task
    limit = longest_prompt(task.target, task.language)
    for shot in board.shots:
        if len(shot.prompt) > limit:
            yield (
                f"The prompt of shot {shot.number} has {len(shot.prompt)} characters, more than the"
                f" {limit} that {task.target.name} takes: shorten the cast's descriptions, or give"
                " the script more shots."
            )
        elif task.tokens.is_too_long(shot.prompt):
            yield (
                f"The prompt of shot {shot.number} has more than the {task.tokens.limit} tokens"
                f" that {task.target.name} reads."
            )


def _on_syntax(script: ScriptTask, board: Storyboard) -> Iterator[str]:
    task = script.task
    has_negative = task.request.include_negative_prompt
    for fitted in (task.fitted, *script.changes):
        yield from notices_of(
            fitted, task.target, is_rewritten=not board.is_fallback, has_negative=has_negative
        )
    dropped = [flag for flag in task.fitted.flags if flag not in script.tail]
    dropped += [flag for fitted in script.changes for flag in fitted.flags]
    if dropped:
        named = ", ".join(f'"{flag}"' for flag in dropped)
        yield f"Left out, for each shot is a film with seconds of its own: {named}."
