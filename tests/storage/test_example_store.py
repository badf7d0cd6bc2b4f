"""The store of `examples/` keeps the contract, so that its page promises nothing wrong."""

from functools import partial
from pathlib import Path

import pytest

from examples.jsonl_store import open_store
from llm_api.storage.factory import open_store as open_configured
from tests.storage.contract import StoreOpener, UsageStoreContract
from tests.storage.records import ended


class TestJsonLinesStore(UsageStoreContract):
    """Runs on a file."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> StoreOpener:
        """Open it in a folder of its own."""
        return partial(open_store, tmp_path)

    @pytest.fixture
    def unready_opener(self, tmp_path: Path) -> StoreOpener:
        """Open it where a file lies in the way of its folder."""
        (tmp_path / "usage").write_text("")
        return partial(open_store, tmp_path)

    @pytest.fixture
    def unreachable_opener(self) -> StoreOpener:
        """Open it where there can be no folder."""
        return partial(open_store, Path("/dev/null/hunter2"))


def test_half_a_line_is_no_batch_and_spoils_none(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.add([ended("req_1")])
    file = tmp_path / "usage" / "calls.jsonl"
    with file.open("ab") as half:
        half.write(b'{"calls": [{"request_id": "req_2"')

    store.add([ended("req_3")])

    assert [line[:10] for line in file.read_bytes().splitlines()] == [b'{"calls": '] * 2


def test_it_is_opened_by_its_name(tmp_path: Path) -> None:
    store = open_configured("sqlite://", "examples.jsonl_store:open_store", tmp_path)

    store.add([ended("req_1")])

    assert (tmp_path / "usage" / "calls.jsonl").exists()
