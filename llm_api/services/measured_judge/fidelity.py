"""The table from a prompt to its picture: who lost what, and what to switch off."""

from collections.abc import Mapping, Sequence

from llm_api.domain.fidelity import PICTURE, REWRITE, VENDOR_REWRITE, FidelityItem
from llm_api.domain.judging import Outcome, PromptRequirement, Verdict
from llm_api.services.prompts import lost_requirements

_OUR_SWITCH = "optimize_prompt: false"


def fidelity_of(
    requirements: Sequence[PromptRequirement],
    *,
    prompt: str,
    rewrite: str | None = None,
    vendor_rewrite: str | None = None,
    verdict: Verdict | None = None,
    vendor_switch: str | None = None,
) -> tuple[FidelityItem, ...]:
    """Return what became of each requirement of a prompt.

    Args:
        requirements: those of the prompt.
        prompt: the caller's.
        rewrite: ours, None if there is none.
        vendor_rewrite: what the vendor says it has drawn, None if it says nothing.
        verdict: of the picture, None if it was not judged.
        vendor_switch: what keeps the vendor from rewriting, such as `prompt_extend: false`.
    """
    lost_by_us = _lost(requirements, prompt, rewrite)
    lost_by_vendor = _lost(requirements, prompt, vendor_rewrite)
    switches = {REWRITE: _OUR_SWITCH, VENDOR_REWRITE: vendor_switch}
    items = []
    for one in requirements:
        in_rewrite = None if rewrite is None else one not in lost_by_us
        in_vendor = None if vendor_rewrite is None else one not in lost_by_vendor
        outcome = _outcome(one, verdict)
        loser = _loser({REWRITE: in_rewrite, VENDOR_REWRITE: in_vendor}, outcome)
        items.append(
            FidelityItem(
                item=one.words,
                kind=one.kind,
                in_prompt=True,
                in_rewrite=in_rewrite,
                in_vendor_rewrite=in_vendor,
                in_picture=outcome,
                lost_by=loser,
                switch_off=switches.get(loser or ""),
            )
        )
    return tuple(items)


def _lost(
    requirements: Sequence[PromptRequirement], prompt: str, text: str | None
) -> frozenset[PromptRequirement]:
    return frozenset() if text is None else lost_requirements(requirements, prompt, text)


def _outcome(requirement: PromptRequirement, verdict: Verdict | None) -> Outcome:
    """Return what is known of a requirement; of two answers that differ, nothing is."""
    checkpoints = verdict.checkpoints if verdict else ()
    found = {one.outcome for one in checkpoints if one.text == requirement.words}
    known = found - {Outcome.UNKNOWN}
    return known.pop() if len(known) == 1 else Outcome.UNKNOWN


def _loser(kept: Mapping[str, bool | None], outcome: Outcome) -> str | None:
    """Return the first that lost it; what is in the picture is not lost."""
    if outcome is Outcome.PASSED:
        return None
    failed = PICTURE if outcome is Outcome.FAILED else None
    return next((name for name, is_kept in kept.items() if is_kept is False), failed)
