"""What every store of lineages promises, told through `LineageStore`."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol

import pytest

from llm_api.domain.lineage import LineageEvent
from llm_api.storage import LineageStore, StoreError
from tests.storage.contract import assert_fit_to_show


class OpenLineages(LineageStore, Protocol):
    """A store that a test opened, and closes."""

    def close(self) -> None:
        """Close its connections."""


LineageOpener = Callable[[], OpenLineages]

NOW = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TEXTS = {"original_prompt": 'a "cat" 猫 \x00 😀'}
ACTS: dict[str, Callable[[LineageStore], object]] = {
    "add": lambda lineages: lineages.add([happened()]),
    "put": lambda lineages: lineages.put(happened()),
    "of_lineage": lambda lineages: lineages.of_lineage("shop:7"),
    "of_job": lambda lineages: lineages.of_job("img_1"),
    "page": lambda lineages: lineages.page(NOW, "", 10),
    "purge": lambda lineages: lineages.purge(purge(NOW)),
    "forget_texts": lambda lineages: lineages.forget_texts(NOW, 10),
    "prune": lambda lineages: lineages.prune(NOW, 10),
}


def happened(event_id: str = "ev_1", **properties: Any) -> LineageEvent:
    """Make an event."""
    usual = {"lineage_id": "shop:7", "kind": "rewrite", "key_id": "key_1", "at": NOW}
    return LineageEvent(id=event_id, **{**usual, **properties})


def purge(at: datetime, **properties: Any) -> LineageEvent:
    """Make the event that deletes texts."""
    return happened("purge_1", kind="purge", at=at, **properties)


class LineageStoreContract:
    """The tests; the store is empty and ready at the beginning of each."""

    @pytest.fixture
    def lineages(self, opener: LineageOpener) -> Iterator[LineageStore]:
        """Open the store."""
        with closing(opener()) as opened:
            yield opened

    # --- keeping ---

    def test_an_event_is_kept_whole(self, lineages: LineageStore) -> None:
        facts = {"passed": True, "score": 0.5, "picture_ids": ["file_1"], "cost": 2**53, "no": None}
        event = happened(facts=facts, texts=TEXTS, job_id="img_1")

        lineages.add([event, happened("ev_2", key_id=None, at=NOW + MINUTE)])

        assert lineages.of_lineage("shop:7") == [
            event,
            happened("ev_2", key_id=None, at=NOW + MINUTE),
        ]
        assert lineages.of_job("img_1") == [event]

    def test_other_lineages_and_jobs_are_left_out(self, lineages: LineageStore) -> None:
        lineages.add([happened(job_id="img_1")])

        names = ("shop:8", "SHOP:7", "shop:7 ", "")
        assert [lineages.of_lineage(name) for name in names] == [[]] * 4
        assert [lineages.of_job(name) for name in ("img_2", "IMG_1", "")] == [[]] * 3

    def test_events_come_in_the_order_of_their_times(self, lineages: LineageStore) -> None:
        events = [happened(f"ev_{n}", at=NOW + n * MINUTE) for n in (3, 1, 2)]

        lineages.add(events)

        assert [event.id for event in lineages.of_lineage("shop:7")] == ["ev_1", "ev_2", "ev_3"]

    def test_the_same_event_is_kept_once_as_it_came_first(self, lineages: LineageStore) -> None:
        lineages.add([happened(facts={"n": 1})])

        lineages.add([happened(facts={"n": 2}), happened("ev_2"), happened("ev_2")])

        kept = lineages.of_lineage("shop:7")
        assert [(event.id, event.facts) for event in kept] == [("ev_1", {"n": 1}), ("ev_2", {})]

    def test_an_event_that_is_put_takes_the_place_of_the_former(
        self, lineages: LineageStore
    ) -> None:
        for outcome in ("accepted", "rejected", "rejected"):
            lineages.put(happened(kind="feedback", facts={"outcome": outcome}))

        assert [event.facts for event in lineages.of_lineage("shop:7")] == [{"outcome": "rejected"}]

    def test_nothing_to_add_is_no_error(self, lineages: LineageStore) -> None:
        lineages.add([])

        assert lineages.page(NOW - DAY, "", 10) == []

    # --- pages ---

    def test_pages_go_through_the_lineages_by_their_ids(self, lineages: LineageStore) -> None:
        names = ["b", "a", "c"]
        lineages.add(
            [happened(f"ev_{n}{turn}", lineage_id=n, texts=TEXTS) for n in names for turn in (1, 2)]
        )

        first = lineages.page(NOW, "", 3)
        second = lineages.page(NOW, "a", 9)

        assert [event.lineage_id for event in first] == ["a", "a", "b"]
        assert [event.lineage_id for event in second] == ["b", "b", "c", "c"]
        assert [event.texts for event in first] == [{}] * 3

    def test_pages_leave_out_what_is_older(self, lineages: LineageStore) -> None:
        lineages.add([happened("ev_1", at=NOW - MINUTE), happened("ev_2")])

        assert [event.id for event in lineages.page(NOW, "", 9)] == ["ev_2"]

    # --- forgetting ---

    def test_a_purge_deletes_the_texts_of_its_lineage_and_key(self, lineages: LineageStore) -> None:
        lineages.add(
            [
                happened("ev_1", texts=TEXTS),
                happened("ev_2", texts=TEXTS, key_id="key_2"),
                happened("ev_3", texts=TEXTS, lineage_id="shop:8"),
            ]
        )

        lineages.purge(purge(NOW + MINUTE))

        texts = {
            event.id: event.texts
            for name in ("shop:7", "shop:8")
            for event in lineages.of_lineage(name)
        }
        assert texts == {"ev_1": {}, "ev_2": TEXTS, "ev_3": TEXTS, "purge_1": {}}

    def test_a_purge_without_a_key_is_for_events_without_one(self, lineages: LineageStore) -> None:
        lineages.add([happened("ev_1", texts=TEXTS, key_id=None), happened("ev_2", texts=TEXTS)])

        lineages.purge(purge(NOW + MINUTE, key_id=None))

        assert {event.id: event.texts for event in lineages.of_lineage("shop:7")} == {
            "ev_1": {},
            "ev_2": TEXTS,
            "purge_1": {},
        }

    def test_texts_that_come_late_are_purged_too(self, lineages: LineageStore) -> None:
        lineages.purge(purge(NOW))

        lineages.add(
            [
                happened("ev_1", texts=TEXTS, at=NOW - MINUTE, facts={"n": 1}),
                happened("ev_2", texts=TEXTS, at=NOW + MINUTE),
                happened("ev_3", texts=TEXTS, at=NOW - MINUTE, key_id="key_2"),
            ]
        )

        kept = {event.id: event for event in lineages.of_lineage("shop:7")}
        assert (kept["ev_1"].texts, kept["ev_1"].facts) == ({}, {"n": 1})
        assert kept["ev_2"].texts == kept["ev_3"].texts == TEXTS

    def test_a_lineage_may_be_purged_again(self, lineages: LineageStore) -> None:
        lineages.purge(purge(NOW))
        lineages.add([happened("ev_1", texts=TEXTS, at=NOW + MINUTE)])

        lineages.purge(purge(NOW + DAY))

        assert [event.texts for event in lineages.of_lineage("shop:7")] == [{}, {}]

    def test_old_texts_are_forgotten_and_the_facts_stay(self, lineages: LineageStore) -> None:
        lineages.add(
            [
                happened(f"ev_{n}", at=NOW + n * MINUTE, texts=TEXTS, facts={"n": n})
                for n in range(4)
            ]
        )

        counts = [lineages.forget_texts(NOW + 3 * MINUTE, 2) for _ in range(3)]

        kept = lineages.of_lineage("shop:7")
        assert counts == [2, 1, 0]
        assert [event.texts for event in kept] == [{}, {}, {}, TEXTS]
        assert [event.facts["n"] for event in kept] == [0, 1, 2, 3]

    def test_the_oldest_events_are_pruned_first(self, lineages: LineageStore) -> None:
        lineages.add([happened(f"ev_{n}", at=NOW + n * MINUTE) for n in range(4)])

        counts = [lineages.prune(NOW + 3 * MINUTE, 2)]
        left = [event.id for event in lineages.of_lineage("shop:7")]
        counts += [lineages.prune(NOW + 3 * MINUTE, 2) for _ in range(2)]

        assert (counts, left) == ([2, 1, 0], ["ev_2", "ev_3"])

    # --- failing ---

    @pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
    def test_a_store_that_is_not_there_says_so(
        self, unreachable_opener: LineageOpener, act: Callable[[LineageStore], object]
    ) -> None:
        with closing(unreachable_opener()) as lineages:
            with pytest.raises(StoreError) as raised:
                act(lineages)

            assert_fit_to_show(raised.value)

    def test_a_moment_in_another_zone_is_the_same(self, lineages: LineageStore) -> None:
        lineages.add([replace(happened(), at=NOW.astimezone(timezone(timedelta(hours=8))))])

        assert lineages.of_lineage("shop:7") == [happened()]
