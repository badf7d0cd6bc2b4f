"""What became of each thing that a prompt asks for, on the way to its picture."""

from dataclasses import dataclass

from llm_api.domain.judging import Outcome

REWRITE, VENDOR_REWRITE, PICTURE = "rewrite", "vendor_rewrite", "picture"  # who can lose it


@dataclass(frozen=True, slots=True)
class FidelityItem:
    """One thing that was asked for: where it still was, who lost it, and what helps.

    Attributes:
        item: the requirement as a sentence.
        kind: that of the requirement.
        in_prompt: whether the prompt of the caller has it.
        in_rewrite: whether our rewrite has it; None where there is none.
        in_vendor_rewrite: whether the vendor's rewrite has it; None where none is known.
        in_picture: what is known of the picture.
        lost_by: `rewrite`, `vendor_rewrite`, `picture`; None where nothing is known to be lost.
        switch_off: what to send so that it is not lost there; None where nothing does that.
    """

    item: str
    kind: str
    in_prompt: bool
    in_rewrite: bool | None
    in_vendor_rewrite: bool | None
    in_picture: Outcome
    lost_by: str | None = None
    switch_off: str | None = None
