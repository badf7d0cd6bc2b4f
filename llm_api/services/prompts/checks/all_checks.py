"""Decides whether a rewrite may be given to the caller."""

from collections.abc import Iterator

from llm_api.domain.prompts import EDIT, RewriteRequirements
from llm_api.services.prompts.checks import edit_checks
from llm_api.services.prompts.checks.additions import find_added, find_added_nouns
from llm_api.services.prompts.checks.comparison import Comparison, compare
from llm_api.services.prompts.checks.formatting import find_form_violations
from llm_api.services.prompts.checks.preservation import find_lost, find_style_violations
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.edits import edit_constraints


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
    if constraints is None:
        constraints = edit_constraints.constraints_of(wanted.type, original)
    comparison = compare(original, rewrite, wanted, constraints)
    form = find_form_violations(comparison)
    of_type = edit_checks.find_edit_violations if wanted.type == EDIT else _of_description
    found = [*form, *find_lost(comparison), *of_type(comparison)]
    return sorted(dict.fromkeys(found), key=lambda violation: not violation.is_hard)


def _of_description(comparison: Comparison) -> Iterator[Violation]:
    yield from find_added(comparison)
    yield from find_style_violations(comparison)
    if comparison.is_read and not comparison.wanted.enhance_details:
        yield from find_added_nouns(comparison)
