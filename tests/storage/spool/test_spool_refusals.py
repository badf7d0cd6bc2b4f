"""Rows that a store will never take, and calls whose rows can be noted nowhere."""

import logging
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from llm_api.domain.usage import UsageRecord
from llm_api.errors import Unavailable
from llm_api.storage import RefusedError
from llm_api.storage.spool.spool import Spool
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ListStore, begun, ended


class PickyStore(ListStore):
    """Refuses every batch in which a record has a reason that it does not like."""

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Take all of them or none."""
        if any(record.reason == "too large" for record in records):
            raise RefusedError("No.")
        super().add(records)


@pytest.mark.parametrize("bad", [{0}, {6}, {3, 4}, set(range(7))], ids=str)
def test_a_row_that_no_store_takes_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: set[int]
) -> None:
    store = PickyStore()
    spool = Spool(tmp_path / "spool", store, StoreThreads(1))
    for number in range(7):
        reason = "too large" if number in bad else None
        spool.begin(begun(f"req_{number}"))
        spool.end(ended(f"req_{number}", reason=reason))

    spool.flush()

    unsaved = [r for r in caplog.records if r.message == "usage row not saved"]
    assert store.ids == [f"req_{number}" for number in range(7) if number not in bad]
    assert {vars(record)["row"].request_id for record in unsaved} == {f"req_{n}" for n in bad}
    assert {record.levelno for record in unsaved} <= {logging.ERROR}
    spool.close()


@pytest.mark.parametrize("refuses", [True, False])
def test_a_call_that_cannot_be_noted_is_refused_if_wanted(tmp_path: Path, *, refuses: bool) -> None:
    (tmp_path / "spool").write_text("in the way")
    spool = Spool(tmp_path / "spool", ListStore(), StoreThreads(1), refuses=refuses)

    if refuses:
        with pytest.raises(Unavailable) as raised:
            spool.begin(begun())
        assert raised.value.reason == "usage_not_saved"
        assert raised.value.retryable
    else:
        spool.begin(begun())

    assert not spool.is_saving
    spool.close()


def test_calls_are_noted_again_as_soon_as_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    store = ListStore()
    spool = Spool(tmp_path / "spool", store, StoreThreads(1), refuses=True)
    with pytest.raises(Unavailable):
        spool.begin(begun("req_1"))
    (tmp_path / "spool").unlink()

    spool.begin(begun("req_2"))
    spool.end(ended("req_2"))
    spool.flush()

    assert spool.is_saving
    assert "req_2" in store.ids
    spool.close()


@pytest.mark.parametrize("refuses", [True, False])
def test_work_whose_row_comes_later_is_refused_as_long_as_rows_cannot_be_written(
    tmp_path: Path, *, refuses: bool
) -> None:
    (tmp_path / "spool").write_text("in the way")
    store = ListStore()
    spool = Spool(tmp_path / "spool", store, StoreThreads(1), refuses=refuses)

    if refuses:
        with pytest.raises(Unavailable) as raised:
            spool.require_saving()
        assert raised.value.reason == "usage_not_saved"
    (tmp_path / "spool").unlink()
    spool.require_saving()
    spool.end(ended("req_1"))
    spool.require_saving()
    spool.end(ended("req_2"))

    assert spool.is_saving
    spool.flush()
    assert store.ids == ["req_1", "req_2"]
    spool.close()


def test_a_full_disk_is_noticed_before_work_begins(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", ListStore(), StoreThreads(1), refuses=True)
    spool.require_saving()
    [file] = (tmp_path / "spool").iterdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(Unavailable):
            spool.require_saving()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)

    assert file.stat().st_size == 0
    spool.require_saving()
    spool.close()


def test_whether_rows_can_be_written_is_known_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    spool = Spool(tmp_path / "spool", ListStore(), StoreThreads(1))

    before = spool.can_save()
    (tmp_path / "spool").unlink()

    assert not before
    assert spool.can_save()
    spool.close()
