"""Calls are found in the files of spools while they are there."""

from pathlib import Path

from llm_api.storage.spool.file import SpoolFile
from llm_api.storage.spool.waiting_calls import waiting_calls
from tests.storage.records import begun, ended


def test_calls_are_found_by_both_of_their_ids(tmp_path: Path) -> None:
    one, other = SpoolFile.create(tmp_path), SpoolFile.create(tmp_path)
    one.append("begun", begun("req_1", shown_id="page-7"))
    one.append("ended", ended("req_1", shown_id="page-7"))
    one.append("ended", ended("req_12", model="req_1"))
    other.append("begun", begun("req_2", shown_id="page-7"))

    found = {call.request_id: call.status for call in waiting_calls(tmp_path, "page-7")}
    by_own = [call.request_id for call in waiting_calls(tmp_path, "req_1")]

    assert found == {"req_1": "ok", "req_2": "in_progress"}
    assert by_own == ["req_1"]
    assert waiting_calls(tmp_path / "nowhere", "req_1") == []
    one.close()
    other.close()


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path)
    file.write(b'{"state":"ended","record":{"request_id":"req_1"')

    assert waiting_calls(tmp_path, "req_1") == []
    file.close()
