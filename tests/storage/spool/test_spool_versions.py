"""Spool files of other releases are adopted; no row is lost by an upgrade or its reversal."""

from dataclasses import replace
from pathlib import Path

import orjson

from llm_api.storage.spool.file import SpoolFile
from llm_api.storage.spool.spool import Spool
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ListStore, begun, ended

# As 0.1.0 wrote a call that ended, after a call that a killed worker never ended.
OLD_BEGUN = (
    b'{"state":"begun","record":{"request_id":"req_2","created_at":'
    b'"2026-11-22T12:30:15.123456+00:00","route":"/api/v1/llm/chat","model_asked":"old","model":'
    b'"scripted","upstream":"fast","status":"killed","reason":null,"attempts":0,"prompt_tokens":'
    b'null,"completion_tokens":null,"usage_source":"missing","upstream_ms":null,"total_ms":null,'
    b'"tries":[],"key_id":null,"http_status":null,"cached_tokens":null,"reasoning_tokens":null,'
    b'"images":null,"first_token_ms":null,"own_ms":null,"cost_micro":null,"currency":null,"tags":'
    b'"","lineage_id":"req_2"}}\n'
)
OLD_ENDED = (
    b'{"state":"ended","record":{"request_id":"req_1","created_at":'
    b'"2026-11-22T12:30:15.123456+00:00","route":"/api/v1/llm/chat","model_asked":"asked","model":'
    b'"scripted","upstream":"fast","status":"ok","reason":null,"attempts":1,"prompt_tokens":5,'
    b'"completion_tokens":2,"usage_source":"upstream","upstream_ms":10,"total_ms":12,"tries":[{'
    b'"upstream":"fast","model":"scripted","reason":null,"ms":10}],"key_id":null,"http_status":200,'
    b'"cached_tokens":null,"reasoning_tokens":null,"images":null,"first_token_ms":null,"own_ms":2,'
    b'"cost_micro":null,"currency":null,"tags":"","lineage_id":"req_1"}}\n'
)
ATTEMPT = {"upstream": "fast", "model": "scripted", "reason": None, "ms": 10}


def adopted(folder: Path, text: bytes) -> ListStore:
    """Adopt a file that a worker left behind, and return the store that got its rows."""
    (folder / "99999-00.jsonl").write_bytes(text)
    store = ListStore()
    Spool(folder, store, StoreThreads(1)).adopt_orphans()
    return store


def test_rows_that_the_release_before_has_left_are_kept_with_their_fields(tmp_path: Path) -> None:
    store = adopted(tmp_path, OLD_BEGUN + OLD_ENDED)

    assert store.ids == ["req_1", "req_2"]
    times = {"upstream_ms": 10, "total_ms": 12, "overhead_ms": 2, "http_status": 200}
    assert store.records[0] == ended(
        requested_model="asked", attempts_detail=[ATTEMPT], lineage_id="req_1", **times
    )
    assert (store.records[1].status, store.records[1].requested_model) == ("killed", "old")
    assert not list(tmp_path.iterdir())


def test_a_row_of_a_later_release_loses_what_is_unknown_and_no_more(tmp_path: Path) -> None:
    record = ended(requested_model="asked")
    line = orjson.loads(orjson.dumps({"state": "ended", "record": record}))
    line["record"]["invented_later"] = 1

    store = adopted(tmp_path, orjson.dumps(line) + b"\n")

    assert store.records == [replace(record)]


def test_all_that_is_known_of_a_call_when_it_begins_is_in_its_row(tmp_path: Path) -> None:
    known = begun(
        "req_1",
        requested_model="asked",
        model="scripted",
        upstream="standard",
        route="/v1/chat/completions",
        tags=",app=shop,",
        lineage_id="req_0",
        key_id="key_1",
    )
    file = SpoolFile.create(tmp_path)
    file.append("begun", known)
    file.close()
    store = ListStore()

    Spool(tmp_path, store, StoreThreads(1)).adopt_orphans()

    assert store.records == [known]
