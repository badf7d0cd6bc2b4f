"""The table from a prompt to its picture: who lost what, and what to switch off."""

from collections.abc import Mapping, Sequence

from llm_api.domain.fidelity import PICTURE, REWRITE, VENDOR_REWRITE, FidelityItem
from llm_api.domain.judging import VISION, Outcome, PromptRequirement, Verdict
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
    ours, vendors = (_lost(requirements, prompt, text) for text in (rewrite, vendor_rewrite))
    switches = {REWRITE: _OUR_SWITCH, VENDOR_REWRITE: vendor_switch}
    return tuple(
        _item(
            one,
            {
                REWRITE: None if ours is None else one not in ours,
                VENDOR_REWRITE: None if vendors is None else one not in vendors,
            },
            _outcome(one, verdict),
            switches,
        )
        for one in requirements
    )


def _item(
    requirement: PromptRequirement,
    kept: Mapping[str, bool | None],
    outcome: Outcome,
    switches: Mapping[str, str | None],
) -> FidelityItem:
    loser = _loser(kept, outcome)
    return FidelityItem(
        item=requirement.words,
        kind=requirement.kind,
        in_prompt=True,
        in_rewrite=kept[REWRITE],
        in_vendor_rewrite=kept[VENDOR_REWRITE],
        in_picture=outcome,
        lost_by=loser,
        switch_off=switches.get(loser or ""),
    )


def _lost(
    requirements: Sequence[PromptRequirement], prompt: str, text: str | None
) -> frozenset[PromptRequirement] | None:
    return None if text is None else lost_requirements(requirements, prompt, text)


def _outcome(requirement: PromptRequirement, verdict: Verdict | None) -> Outcome:
    """Return what is known of a requirement; of two answers that differ, nothing is.

    Of a model that may not have seen the picture no answer counts.
    """
    if verdict is None:
        return Outcome.UNKNOWN
    found = {
        one.outcome
        for one in verdict.checkpoints
        if one.text == requirement.words and not (verdict.may_be_unseen and one.source == VISION)
    }
    known = found - {Outcome.UNKNOWN}
    return known.pop() if len(known) == 1 else Outcome.UNKNOWN


def _loser(kept: Mapping[str, bool | None], outcome: Outcome) -> str | None:
    """Return the first that lost it; what is in the picture is not lost."""
    if outcome is Outcome.PASSED:
        return None
    failed = PICTURE if outcome is Outcome.FAILED else None
    return next((name for name, is_kept in kept.items() if is_kept is False), failed)
