"""Says what could not be done as a request for a rewrite wants it."""

from collections.abc import Sequence

from llm_api.domain.lineage import CONTROL
from llm_api.services.prompts.constraints.target_syntax import notices_of
from llm_api.services.prompts.dialects import dialect_table
from llm_api.services.prompts.languages.exclusions import on_exclusions
from llm_api.services.prompts.languages.tags import has_vocabulary
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.prompts.sight import sight_warnings
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.token_limits import token_notices


def unchanged(task: Task, arm: str) -> str:
    """Return the original prompt: in the form of its target, unless it is kept to compare."""
    return task.request.prompt if arm == CONTROL else dialect_table.rendered_own(task)


def warnings_of(task: Task, result: RewriteResult, arm: str) -> Sequence[str]:
    """Return sentences on what could not be done as requested."""
    request, warnings = task.request, []
    if not result.rewrites:
        why = result.violations[0].message
        is_same = unchanged(task, arm) == request.prompt
        how = "unchanged" if is_same else f"in the form of {task.target.name}, with nothing new"
        warnings.append(f"The original prompt is returned {how}. {why}")
    elif len(result.rewrites) < request.n:
        warnings.append(f"{len(result.rewrites)} of {request.n} rewrites were usable.")
    if result.rewrites:
        warnings += sight_warnings(request, result.sight)
    if request.include_negative_prompt and task.target.max_negative is None:
        warnings.append(f"{task.target.name} does not support negative prompts.")
    elif request.include_negative_prompt and not has_vocabulary(task.constraints.language):
        warnings.append(on_exclusions(task.constraints.language))
    is_rewritten, has_negative = bool(result.rewrites), request.include_negative_prompt
    if task.fitted.changes:
        warnings += notices_of(
            task.fitted, task.target, is_rewritten=is_rewritten, has_negative=has_negative
        )
    text = result.rewrites[0] if is_rewritten else request.prompt
    return [*warnings, *token_notices(task.tokens, text)]
