"""No event of a lineage is lost on its way into the store, and none is there twice."""

import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llm_api.domain.lineage import LineageEvent
from llm_api.storage import RefusedError, StoreError
from llm_api.storage.spool.event_spool import EventSpool
from llm_api.storage.threads import StoreThreads
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)
# What a worker does before it is killed.
DYING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from llm_api.domain.lineage import LineageEvent
from llm_api.storage.spool.event_spool import EventSpool
from llm_api.storage.threads import StoreThreads
spool = EventSpool(Path(sys.argv[1]), None, StoreThreads(1))
spool._thread.is_started = True  # it dies before its thread has done anything
for number in range(3):
    spool.add(LineageEvent("shop:7", "rewrite", None, datetime.now(UTC), id=f"ev_{number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


class Kept:
    """A store that keeps events in memory, once each, and can be away."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.events: dict[str, LineageEvent] = {}
        self.is_away = False
        self.batches: list[int] = []

    def add(self, events: Sequence[LineageEvent]) -> None:
        """Keep them, unless it is away or one is wrong."""
        if self.is_away:
            raise StoreError("Away.")
        if any("bad" in event.facts for event in events):
            raise RefusedError("No.")
        self.batches.append(len(events))
        for event in events:
            self.events.setdefault(event.id, event)


def happened(number: int, **facts: object) -> LineageEvent:
    """Make an event."""
    texts = {"prompt": "猫\r\n\u2028 " * 5}
    return LineageEvent(
        "shop:7", "rewrite", "key_1", NOW, facts, texts, f"ev_{number}", f"img_{number}"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name the folder of the spool."""
    return tmp_path / "lineage"


@pytest.fixture
def store() -> Kept:
    """Make a store."""
    return Kept()


@pytest.fixture
def spool(folder: Path, store: Kept) -> Iterator[EventSpool]:
    """Open a spool on that store."""
    opened = EventSpool(folder, store, StoreThreads(1))  # type: ignore[arg-type]  # all it needs
    yield opened
    store.is_away = False
    opened.close()


def test_an_event_comes_into_the_store_by_itself_and_whole(
    spool: EventSpool, store: Kept, folder: Path
) -> None:
    spool.add(happened(1, passed=True, score=0.5))

    wait_until(lambda: store.events, 20, "the event is in the store")
    spool.close()
    assert store.events == {"ev_1": happened(1, passed=True, score=0.5)}
    assert list(folder.glob("*")) == []


def test_events_wait_while_the_store_is_away(spool: EventSpool, store: Kept) -> None:
    store.is_away = True
    for number in range(3):
        spool.add(happened(number))
    with pytest.raises(StoreError):
        spool.flush()

    store.is_away = False
    spool.flush()

    assert list(store.events) == ["ev_0", "ev_1", "ev_2"]


def test_events_that_the_store_did_not_take_stay_for_the_next_process(
    folder: Path, store: Kept
) -> None:
    store.is_away = True
    first = EventSpool(folder, store, StoreThreads(1))  # type: ignore[arg-type]
    first.add(happened(1))
    first.close()
    first._file.close()  # type: ignore[union-attr]  # as the end of its process does
    store.is_away = False

    second = EventSpool(folder, store, StoreThreads(1))  # type: ignore[arg-type]
    second.adopt_orphans()

    assert list(store.events) == ["ev_1"]
    assert list(folder.glob("*")) == []


def test_events_of_a_killed_process_are_found(folder: Path, spool: EventSpool, store: Kept) -> None:
    command = [sys.executable, "-c", DYING, str(folder)]
    ended = subprocess.run(command, cwd=REPOSITORY_ROOT, check=False, timeout=60)

    spool.adopt_orphans()

    assert ended.returncode == -9
    assert list(store.events) == ["ev_0", "ev_1", "ev_2"]
    assert list(folder.glob("*")) == []


def test_a_file_of_a_living_process_is_left_alone(
    folder: Path, spool: EventSpool, store: Kept
) -> None:
    theirs = Kept()
    theirs.is_away = True
    other = EventSpool(folder, theirs, StoreThreads(1))  # type: ignore[arg-type]
    other.add(happened(1))

    spool.adopt_orphans()

    assert len(list(folder.glob("*.jsonl"))) == 1
    assert store.events == {}
    theirs.is_away = False
    other.close()
    assert list(theirs.events) == ["ev_1"]


def test_an_event_that_no_store_takes_holds_up_no_other(
    spool: EventSpool, store: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(7):
        spool.add(happened(number, **({"bad": True} if number == 3 else {})))

    spool.flush()

    unsaved = [r for r in caplog.records if r.message == "lineage event not saved"]
    assert list(store.events) == [f"ev_{number}" for number in (0, 1, 2, 4, 5, 6)]
    assert {record.levelno for record in unsaved} == {logging.ERROR}
    assert "猫" not in caplog.text


def test_half_a_line_spoils_no_other(folder: Path, spool: EventSpool, store: Kept) -> None:
    store.is_away = True
    spool.add(happened(1))
    path = next(folder.glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(b'{"half": \n')
    spool.add(happened(2))
    store.is_away = False

    spool.flush()

    assert list(store.events) == ["ev_1", "ev_2"]


def test_many_events_come_in_small_batches_and_leave_no_file(
    spool: EventSpool, store: Kept, folder: Path
) -> None:
    for number in range(450):
        spool.add(happened(number, much="x" * 10_000))

    spool.flush()
    spool.add(happened(450))
    spool.flush()

    assert len(store.events) == 451
    assert max(store.batches) <= 200
    assert list(folder.glob("*.jsonl")) == []
