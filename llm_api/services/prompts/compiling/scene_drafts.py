"""Makes of a model's answers a prompt in the form of a target that passes all checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.services.prompts.checks.violations import violation_of
from llm_api.services.prompts.compiling.settling import (
    in_own_words,
    is_of_another_language,
    settled,
    without_additions,
)
from llm_api.services.prompts.dialects.dialect_table import (
    PLAIN_FORMS,
    Rendering,
    rendered,
    rendered_text,
)
from llm_api.services.prompts.dialects.plan import Plan, plan_of
from llm_api.services.prompts.dialects.plan_wording import prose
from llm_api.services.prompts.languages.tags import name_of
from llm_api.services.prompts.repair.syntax_pieces import with_syntax
from llm_api.services.prompts.rewriter import Rewriter
from llm_api.services.prompts.strategies.scene_instructions import (
    scene_key,
    text_key,
    wants_scene,
)
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import ValidationResult

_MENDED = "scene_mended"
_TOO_MUCH = frozenset({"too_long", "too_many_tokens"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt in the form of its target, and what the checks say of it as plain text.

    `is_astray` marks one with things in another language, which no repair of the text can find.
    """

    prompt: str
    result: ValidationResult
    is_astray: bool = False


class SceneDrafter:
    """Makes drafts, and mends them by code."""

    def __init__(self, rewriter: Rewriter) -> None:
        """Create it; `rewriter` has the checks and repairs of every rewrite."""
        self._rewriter = rewriter

    def drafts(self, task: Task, document: Mapping[str, Any], text: str) -> Sequence[Draft]:
        """Return what can be made for a task of a model's answers, the best first.

        Args:
            task: the prompt and its target.
            document: the answers by name; empty if there is no JSON.
            text: the rewrite of a model that has answered in today's form; empty if there is none.
        """
        plan = plan_of(document.get(scene_key(task))) or plan_of(document)
        written = document.get(text_key(task)) or document.get("optimized_prompt")
        if isinstance(written, str) and written.strip():
            text = written
        elif plan is not None:
            text = ""  # what else was found in the reply is a piece of the scene
        drafts = []
        if plan is not None and wants_scene(task):
            drafts.append(self.of_plan(task, plan))
        elif plan is not None and not text:
            text = prose(plan, task.language)
        if text and not any(draft.result.is_usable for draft in drafts):
            drafts.append(self.of_text(task, text))
        return drafts

    def of_plan(self, task: Task, plan: Plan) -> Draft:
        """Return a plan in the form of a task's target, mended where it has to be."""
        plan = settled(task, plan)
        first = self._checked(task, plan)
        if first.result.is_usable:
            return first
        plan = without_additions(task, plan)
        for mended in (plan, *in_own_words(task, plan)):
            draft = self._checked(task, mended)
            if draft.result.is_usable:
                return replace(draft, result=replace(draft.result, repairs=(_MENDED,)))
        return first

    def of_text(self, task: Task, text: str, *, is_last: bool = False) -> Draft:
        """Return a rewrite in sentences or tags in the form of a task's target.

        `is_last` repairs it as thoroughly as if no model could be asked again.
        """
        result = self._rewriter.validated_text(task, text)
        if not result.is_usable:
            repairer = self._rewriter.repairer
            result = (repairer.thoroughly if is_last else repairer.lightly)(task, result)
        if result.is_usable and task.wanted.type == "video":
            result = self._rewriter.repairer.framed(task, result)
        return compiled_text(task, result)

    def _checked(self, task: Task, plan: Plan) -> Draft:
        """Return a plan as a draft; if it is too long, without what matters least."""
        draft = self._draft(task, plan)
        for shorter in plan.shorter():
            if draft.result.codes.isdisjoint(_TOO_MUCH):
                break
            draft = self._draft(task, shorter)
        return draft

    def _draft(self, task: Task, plan: Plan) -> Draft:
        rendering = rendered(task, plan)
        text = with_syntax(task, rendering.text)
        result = _in_one_language(task, plan, self._rewriter.validator.validate(task, text))
        if result.is_usable and task.wanted.type == "video":
            framed = self._rewriter.repairer.framed(task, result)
            if framed.rewrite != text and framed.rewrite.startswith(text) and not plan.camera:
                return self._draft(
                    task, replace(plan, camera=framed.rewrite[len(text) :].strip(" .。"))
                )
        if task.target.form in PLAIN_FORMS:
            rendering = rendered_text(task, text)
        is_astray = "wrong_language" in result.codes and _is_astray(task, plan)
        return replace(_measured(task, rendering, result), is_astray=is_astray)


def _in_one_language(task: Task, plan: Plan, result: ValidationResult) -> ValidationResult:
    """Return a result that knows whether a thing of the plan is named in another language.

    Among many pieces in the right one, the text as a whole does not show it.
    """
    wrong = violation_of("wrong_language", name_of(task.language))
    if wrong.code in result.codes or not _is_astray(task, plan):
        return result
    return replace(result, violations=[wrong, *result.violations])


def _is_astray(task: Task, plan: Plan) -> bool:
    return any(is_of_another_language(task, piece) for piece in plan.core)


def compiled_text(task: Task, result: ValidationResult) -> Draft:
    """Return a validated rewrite in the form of a task's target."""
    return _measured(task, rendered_text(task, result.rewrite), result)


def _measured(task: Task, rendering: Rendering, result: ValidationResult) -> Draft:
    """Return a draft that knows whether its form is too long."""
    limit = task.wanted.max_length
    if limit is not None and len(rendering.prompt) > limit and "too_long" not in result.codes:
        too_long = violation_of("too_long", limit)
        result = replace(result, violations=[too_long, *result.violations])
    return Draft(rendering.prompt, result)
