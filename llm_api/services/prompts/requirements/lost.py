"""Compares another wording of a prompt with what the prompt requires."""

from collections.abc import Sequence

from llm_api.domain.judging import PromptRequirement
from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.language import language_of

# What the checks of a rewrite call it when such a requirement is lost.
_CODES = {
    "text": {"quote_lost"},
    "count": {"count_changed", "object_lost", "color_lost", "negation_broken"},
    "object": {"object_lost", "color_lost"},
    "color": {"color_lost", "object_lost"},
    "position": {"relation_lost", "quote_lost"},
    "other": {"relation_lost"},
}


def lost_requirements(
    requirements: Sequence[PromptRequirement], prompt: str, text: str
) -> frozenset[PromptRequirement]:
    """Return the requirements of a prompt that another wording of it, a rewrite, has lost.

    It goes by the checks that decide whether a rewrite may be given to its caller.
    """
    wanted = RewriteRequirements("image", language_of(text))
    lost: dict[str, set[str]] = {}
    for violation in find_violations(prompt, text, wanted):
        lost.setdefault(violation.code, set()).add(violation.subject)
    return frozenset(one for one in requirements if _is_lost(one, lost, text))


def _is_lost(requirement: PromptRequirement, lost: dict[str, set[str]], text: str) -> bool:
    if not text.strip():
        return True
    subjects = {requirement.source, requirement.text}
    return any(not subjects.isdisjoint(lost.get(code, ())) for code in _CODES[requirement.kind])
