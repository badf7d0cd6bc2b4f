"""Decides whether a rewrite may be given to the caller."""

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.additions import find_added, find_added_nouns
from llm_api.services.prompts.checks.comparison import compare
from llm_api.services.prompts.checks.formatting import find_form_violations
from llm_api.services.prompts.checks.preservation import find_lost, find_style_violations
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints


def find_violations(
    original: str,
    rewrite: str,
    wanted: RewriteRequirements,
    *,
    constraints: Constraints | None = None,
) -> list[Violation]:
    """Return everything that is wrong with a rewrite, the hard violations first.

    Args:
        original: the prompt.
        rewrite: what a model made of it.
        wanted: language, length and so on of the rewrite.
        constraints: those of the prompt if they are known; otherwise they are found.
    """
    if not rewrite.strip():
        return [violation_of("empty")]
    comparison = compare(original, rewrite, wanted, constraints or find_constraints(original))
    is_bare = comparison.is_read and not wanted.enhance_details
    found = [
        *find_form_violations(comparison),
        *find_lost(comparison),
        *find_added(comparison),
        *find_style_violations(comparison),
        *(find_added_nouns(comparison) if is_bare else ()),
    ]
    return sorted(dict.fromkeys(found), key=lambda violation: not violation.is_hard)
