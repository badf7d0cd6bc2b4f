"""Lineages: what belongs together from a rewrite over pictures and verdicts to feedback."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

REWRITE, PICTURES, VERDICT, FEEDBACK = "rewrite", "pictures", "verdict", "feedback"
COMPARISON, DESCRIPTION = "comparison", "description"
PURGE = "purge"  # the texts from before it were deleted
KINDS = (REWRITE, PICTURES, VERDICT, COMPARISON, DESCRIPTION, FEEDBACK)
# What a person has said of a picture.
ACCEPTED, REJECTED, EDITED = "accepted", "rejected", "edited"
OUTCOMES = (ACCEPTED, REJECTED, EDITED)
# By which a lineage keeps the original prompt, or not.
TREATED, CONTROL = "rewrite", "control"


@dataclass(frozen=True, slots=True)
class LineageEvent:
    """Something that has happened in a lineage.

    Attributes:
        lineage_id: shared by all that belongs together, within a key.
        kind: `rewrite`, `pictures`, `verdict`, `comparison`, `description` or `feedback`; `purge`
            deletes texts.
        key_id: whose it is; None for an anonymous caller.
        at: when, in UTC.
        facts: what is stored of it in every case: no prompt, and nothing that was read or written.
        texts: what is stored only where the operator has switched that on.
        id: the same event that is recorded twice counts once; empty gets one of its own.
        job_id: the task of the pictures that it is about.
    """

    lineage_id: str
    kind: str
    key_id: str | None
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class LineagePlan:
    """Whether lineages keep texts, and the share of them that keeps its original prompts."""

    keeps_texts: bool = False
    control_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person has said; of exactly one of a lineage, a job and a picture.

    Attributes:
        picture_id: the id of the picture's file.
        outcome: `accepted`, `rejected` or `edited`.
        edited_prompt: what the person made of the prompt.
        score: from 0 to 100.
    """

    outcome: str
    lineage_id: str | None = None
    job_id: str | None = None
    picture_id: str | None = None
    edited_prompt: str | None = None
    score: float | None = None
