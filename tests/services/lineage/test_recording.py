"""Recording raises nothing, and stores only what has a name among the facts."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.lineage import KINDS, LineageEvent
from llm_api.services.lineage.facts import NAMES, changed_share, facts_of
from llm_api.services.lineage.lineage_service import Keeping, LineageService, LineageStores
from llm_api.storage.threads import StoreThreads

NOW = datetime(2026, 11, 29, tzinfo=UTC)
WORDS = "a cat in the shape of a dog"


class Sink:
    """Keeps what is recorded, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        """Fail with an error, if there is one."""
        self.events: list[LineageEvent] = []
        self._error = error

    def add(self, event: LineageEvent) -> None:
        """Keep an event."""
        if self._error is not None:
            raise self._error
        self.events.append(event)

    def flush(self) -> None:
        """Keep them."""


def service_of(sink: Sink, *, keeps_texts: bool = False) -> LineageService:
    """Make a service that records only."""
    keeping = Keeping(keeps_texts, None, timedelta(days=7))
    none: Any = None
    stores = LineageStores(none, none, none, StoreThreads(1))
    return LineageService(stores, sink, keeping, none)


def happened(kind: str = "rewrite", **properties: Any) -> LineageEvent:
    """Make an event with texts everywhere."""
    usual = {"facts": {"prompt": WORDS, "model": "m"}, "texts": {"prompt": WORDS}}
    return LineageEvent("shop:7", kind, None, NOW, **{**usual, **properties})


@pytest.mark.parametrize("error", [OSError(28, "full"), RuntimeError("whatever")])
def test_recording_raises_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    service_of(Sink(error)).record(happened())

    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert WORDS not in caplog.text


def test_an_unknown_kind_is_logged_and_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()

    service_of(sink).record(happened(kind="rumor"))

    assert sink.events == []
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_name_among_the_facts_is_left_out(kind: str) -> None:
    sink = Sink()

    service_of(sink).record(happened(kind))

    assert WORDS not in repr(sink.events)


def test_texts_are_kept_where_that_is_switched_on() -> None:
    sink = Sink()

    service_of(sink, keeps_texts=True).record(happened())

    assert sink.events[0].texts == {"prompt": WORDS}
    assert sink.events[0].facts == {"model": "m"}


def test_checkpoints_are_stored_without_their_words() -> None:
    point = {"text": WORDS, "evidence": WORDS, "outcome": "passed", "source": "vision"}

    facts = facts_of("verdict", {"checkpoints": [point]})

    assert facts == {
        "checkpoints": [{"outcome": "passed", "source": "vision", "kind": None}],
    }


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(sorted(NAMES["rewrite"])), st.text(max_size=5)),
)
def test_no_fact_is_long_enough_to_be_a_prompt(kind: str, facts: dict[str, str]) -> None:
    long = {name: text * 1_000 for name, text in facts.items()}

    assert all(len(value) <= 128 for value in facts_of(kind, long).values())


def test_an_event_without_an_id_gets_one_of_its_own() -> None:
    sink = Sink()
    for event_id in ("", "", "img_1", "r" * 100):
        service_of(sink).record(happened(id=event_id))

    ids = [event.id for event in sink.events]
    assert len(set(ids)) == 4
    assert ids[2] == "img_1"
    assert max(map(len, ids)) <= 64


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("a red cat", "a red cat", 0.0),
        ("a red cat", "A cat, red", 0.0),
        ("a red cat", "two blue dogs", 1.0),
        ("a red cat", "a red dog", 0.333),
        ("一只红猫", "一只蓝猫", 0.25),
        ("", "", 0.0),
        ("", "a cat", 1.0),
    ],
)
def test_how_much_has_changed_is_counted_in_words(before: str, after: str, changed: float) -> None:
    assert changed_share(before, after) == changed
