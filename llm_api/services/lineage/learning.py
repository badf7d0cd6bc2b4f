"""What is learned from lineages: which rewrites win, whether rewriting helps, what a picture costs.

The unit is the lineage: it was drawn for an arm as a whole, and its pictures are no cases of their
own. It is accepted if any of its pictures is.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.lineage import (
    ACCEPTED,
    CONTROL,
    FEEDBACK,
    PICTURES,
    REWRITE,
    TREATED,
    VERDICT,
    LineageEvent,
)
from llm_api.services.lineage.intervals import Share

PEOPLE, JUDGE, ANY = "people", "judge", "any"
JUDGED_BY = (ANY, PEOPLE, JUDGE)


@dataclass(slots=True)
class Tally:
    """Lineages of a group: how many there are, were judged, and were accepted."""

    lineages: int = 0
    judged: int = 0
    accepted: int = 0

    def add(self, is_accepted: bool | None) -> None:  # noqa: FBT001  # what it counts
        """Count a lineage; None was not judged."""
        self.lineages += 1
        self.judged += is_accepted is not None
        self.accepted += bool(is_accepted)

    @property
    def share(self) -> Share:
        """The accepted ones of those that were judged."""
        return Share(self.accepted, self.judged)


@dataclass(slots=True)
class ModelTally:
    """What a model has made in lineages that were judged.

    `cost_micro` are millionths by currency, and `unpriced` jobs of unknown cost.
    """

    pictures: int = 0
    accepted: int = 0
    cost_micro: Counter[str] = field(default_factory=Counter)
    unpriced: int = 0


@dataclass(slots=True)
class Lessons:
    """The sums of a report.

    Attributes:
        rewrites: by template version, target model and type; without the control arm.
        arms: by target model and type, and by arm; of lineages that were drawn for one.
        models: by image model.
    """

    rewrites: defaultdict[tuple[str, str, str], Tally] = field(
        default_factory=lambda: defaultdict(Tally)
    )
    arms: defaultdict[tuple[str, str], dict[str, Tally]] = field(
        default_factory=lambda: defaultdict(lambda: {TREATED: Tally(), CONTROL: Tally()})
    )
    models: defaultdict[str, ModelTally] = field(default_factory=lambda: defaultdict(ModelTally))

    def add(self, events: Sequence[LineageEvent], judged_by: str) -> None:
        """Add the events of one lineage, in the order of their times."""
        by_kind: defaultdict[str, list[LineageEvent]] = defaultdict(list)
        for event in events:
            by_kind[event.kind].append(event)
        words = _words(by_kind, judged_by)
        outcome = any(is_accepted for _, is_accepted in words) if words else None
        if by_kind[REWRITE]:
            self._add_rewrite(by_kind[REWRITE], is_accepted=outcome)
        if by_kind[PICTURES] and outcome is not None:
            self._add_pictures(by_kind[PICTURES], words)

    def _add_rewrite(self, rewrites: Sequence[LineageEvent], *, is_accepted: bool | None) -> None:
        first, last = rewrites[0].facts, rewrites[-1].facts
        target, kind = _word(first, "target_model"), _word(first, "type")
        if first.get("arm") != CONTROL:
            # What the pictures were made of: the last rewrite of a lineage with several.
            version = _word(last, "template_version")
            self.rewrites[version, target, kind].add(is_accepted)
        if first.get("control_share"):
            # As it was drawn, also where the rewrite has failed: else the arms would differ in what
            # is hard to rewrite.
            self.arms[target, kind][_word(first, "arm")].add(is_accepted)

    def _add_pictures(
        self, jobs: Sequence[LineageEvent], words: Sequence[tuple[LineageEvent, bool]]
    ) -> None:
        for job in jobs:
            tally = self.models[_word(job.facts, "model")]
            tally.pictures += int(job.facts.get("n") or 0)
            micro = job.facts.get("cost_micro")
            if micro == 0 and not job.facts.get("currency"):
                continue  # it was free
            if micro is not None:
                tally.cost_micro[_word(job.facts, "currency")] += int(micro)
            elif job.facts.get("n"):
                tally.unpriced += 1
        models = {job.job_id: _word(job.facts, "model") for job in jobs}
        last = _word(jobs[-1].facts, "model")
        accepted = {_about(word): word for word, is_accepted in words if is_accepted}
        for word in accepted.values():
            self.models[models.get(word.job_id, last)].accepted += 1


def _words(
    by_kind: defaultdict[str, list[LineageEvent]], judged_by: str
) -> list[tuple[LineageEvent, bool]]:
    """Return what was said of a lineage's pictures, and whether that is that one is accepted.

    By `any`, the judge counts only where no person has said anything.
    """
    said = [(event, event.facts.get("outcome") == ACCEPTED) for event in by_kind[FEEDBACK]]
    verdicts = [
        (event, bool(event.facts["passed"]))
        for event in by_kind[VERDICT]
        if event.facts.get("passed") is not None
    ]
    if judged_by == ANY:
        return said or verdicts
    return said if judged_by == PEOPLE else verdicts


def _about(event: LineageEvent) -> str:
    """Return what was judged: a picture twice is one picture."""
    return str(event.facts.get("picture_id") or event.id)


def _word(facts: Any, name: str) -> str:
    return str(facts.get(name) or "")
