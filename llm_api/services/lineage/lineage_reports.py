"""Reports about lineages of a span of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

from llm_api.domain.lineage import CONTROL, TREATED, LineageEvent
from llm_api.domain.money import decimal_text
from llm_api.errors import Unavailable
from llm_api.services.freshness import freshness_to_dict
from llm_api.services.lineage.intervals import CONFIDENCE, Interval, Share, difference
from llm_api.services.lineage.learning import Lessons, ModelTally, Tally
from llm_api.storage import LineageStore, StoreError
from llm_api.storage.reads import Reads

REPORTS_AWAY = Unavailable(
    "Lineages cannot be read at the moment.", reason="store_unavailable", retry_after=5
)

PAGE = 5_000  # events that are read at a time, a tenth of a second


@dataclass(frozen=True, slots=True)
class LearningQuery:
    """A report to build.

    Attributes:
        since, until: a lineage belongs to the span in which it begins; timezone-aware.
        judged_by: `people`, `judge`, or `any`: the judge where no person has said anything.
        key_id: whose lineages; None for those of all.
    """

    since: datetime
    until: datetime
    judged_by: str
    key_id: str | None = None


class LearningReports:
    """Reads lineages from their store, and sums them up."""

    def __init__(self, reads: Reads[LineageStore]) -> None:
        """Use a reader of lineages."""
        self._reads = reads

    def report(self, query: LearningQuery) -> dict[str, Any]:
        """Sum up the lineages that begin in a span of time; raises Unavailable.

        What was said of them later counts, too.
        """
        try:
            found = self._reads.read(partial(_report, query))
        except StoreError as error:
            raise REPORTS_AWAY.replaced() from error
        return {**found.value, **freshness_to_dict(found.freshness)}


def _report(query: LearningQuery, store: LineageStore) -> dict[str, Any]:
    """Build a report; it takes CPU, too, for which no other call has to wait in a thread."""
    lessons = Lessons()
    for events in _lineages(query, store):
        if query.since <= events[0].at < query.until:
            lessons.add(events, query.judged_by)
    return _to_dict(lessons)


def _lineages(query: LearningQuery, store: LineageStore) -> Iterator[list[LineageEvent]]:
    """Yield the events of each lineage, a key's own lineage by itself."""
    for page in _pages(query.since, store):
        by_key = sorted(page, key=lambda event: (event.lineage_id, event.key_id or ""))
        for _, found in groupby(by_key, key=attrgetter("lineage_id", "key_id")):
            events = list(found)
            if query.key_id in {None, events[0].key_id}:
                yield events


def _pages(since: datetime, store: LineageStore) -> Iterator[list[LineageEvent]]:
    """Yield events page by page; no lineage is cut."""
    after, size = "", PAGE
    while True:
        page = store.page(since, after, size)
        is_last = len(page) < size
        whole = page if is_last else _without_last(page)
        if not whole and not is_last:
            size *= 2  # one lineage with more events than a page
            continue
        yield whole
        if is_last:
            return
        after, size = whole[-1].lineage_id, PAGE


def _without_last(page: list[LineageEvent]) -> list[LineageEvent]:
    last = page[-1].lineage_id
    return [event for event in page if event.lineage_id != last]


def _to_dict(lessons: Lessons) -> dict[str, Any]:
    """Return a report as JSON."""
    return {
        "confidence": CONFIDENCE,
        "rewrites": [
            {"template_version": version, "target_model": target, "type": kind, **_tally(tally)}
            for (version, target, kind), tally in sorted(lessons.rewrites.items())
        ],
        "comparisons": [
            {"target_model": target, "type": kind, **_comparison(arms[TREATED], arms[CONTROL])}
            for (target, kind), arms in sorted(lessons.arms.items())
        ],
        "models": [
            {"model": model, **_model(tally)} for model, tally in sorted(lessons.models.items())
        ],
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {"lineages": tally.lineages, **_share(tally.share)}


def _share(share: Share) -> dict[str, Any]:
    rate = None if share.rate is None else round(share.rate, 4)
    return {
        "judged": share.count,
        "accepted": share.hits,
        "rate": rate,
        **_interval(share.interval),
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {"low": round(interval.low, 4), "high": round(interval.high, 4)}


def _comparison(treated: Tally, control: Tally) -> dict[str, Any]:
    gap = difference(treated.share, control.share)
    is_known = treated.judged and control.judged
    rates = treated.share.rate or 0.0, control.share.rate or 0.0
    return {
        "rewrite": _tally(treated),
        "control": _tally(control),
        "difference": round(rates[0] - rates[1], 4) if is_known else None,
        **_interval(gap),
        "rewriting": "helps" if gap.low > 0 else "hurts" if gap.high < 0 else "unclear",
    }


def _model(tally: ModelTally) -> dict[str, Any]:
    accepted = tally.accepted
    return {
        "pictures": tally.pictures,
        "accepted": accepted,
        "cost": [
            {
                "currency": currency,
                "micro": micro,
                "amount": decimal_text(micro),
                "per_accepted": decimal_text(round(micro / accepted)) if accepted else None,
            }
            for currency, micro in sorted(tally.cost_micro.items())
        ],
        "unpriced": tally.unpriced,
    }
