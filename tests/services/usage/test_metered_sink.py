"""Calls are counted where their rows are written, and as their rows say."""

from pathlib import Path
from typing import Any

from llm_api.domain.usage import UsageRecord
from llm_api.observability.metrics import Metrics
from llm_api.services.usage.metered_sink import CallCounter, MeteredSink
from llm_api.storage.spool.file import SpoolFile
from llm_api.storage.spool.spool import Spool, SpoolCounts
from llm_api.storage.threads import StoreThreads
from tests.observability.test_metrics import shown
from tests.storage.records import ListStore, begun, ended
from tests.support.tables import each

AT, OTHER_AT = ({"upstream": name, "model": "m", "reason": None, "ms": 9} for name in ("a", "b"))
FAILED = AT | {"reason": "upstream_timeout"}


def counted(*records: UsageRecord, models: frozenset[str] = frozenset()) -> dict[str, float]:
    """Return what is counted of rows, by name and labels without the usual prefix."""
    metrics = Metrics()
    counter = CallCounter(metrics, models)
    for record in records:
        counter.count(record)
    return {
        " ".join(key).removeprefix("llm_api_"): value
        for key, value in shown(metrics).items()
        if len(key) > 1 and "bucket" not in key[0] and "build" not in key[0]
    }


def row(**fields: Any) -> UsageRecord:
    """Return a row of a model that is called m."""
    return ended(**{"model": "m", "upstream": "up", "attempts_detail": [AT], **fields})


CASES: list[tuple[UsageRecord, dict[str, float]]] = [
    (row(), {"calls_total m ok up": 1, "upstream_attempts_total a ok": 1}),
    (row(), {"tokens_total prompt m measured up": 5, "tokens_total completion m measured up": 2}),
    (row(usage_source="estimated"), {"tokens_total prompt m estimated up": 5}),
    (row(cached_tokens=3), {"tokens_total cached m measured up": 3}),
    (row(reasoning_tokens=1), {"tokens_total reasoning m measured up": 1}),
    (row(), {"unpriced_calls_total m ok up": 1}),
    (row(cost_micro=1_500_000, currency="CNY"), {"cost_total CNY up": 1.5}),
    (row(cost_micro=0, currency="CNY"), {"cost_total CNY up": 0}),
    (row(images=2), {"pictures_total m up": 2}),
    (row(status="timeout", reason="upstream_timeout"), {"calls_total other timeout up": 1}),
    (
        row(status="timeout", reason="upstream_timeout"),
        {"call_errors_total upstream_timeout up": 1},
    ),
    (row(status="killed"), {"call_errors_total killed up": 1}),
    (row(attempts_detail=[FAILED, AT]), {"upstream_attempts_total a upstream_timeout": 1}),
    (row(attempts_detail=[FAILED, OTHER_AT]), {"fallbacks_total b a upstream_timeout": 1}),
    (
        row(first_token_ms=1500),
        {"first_token_seconds_sum up": 1.5, "first_token_seconds_count up": 1},
    ),
    (row(upstream_ms=250, overhead_ms=2), {"upstream_seconds_sum up": 0.25}),
    (row(upstream_ms=250, overhead_ms=2), {"overhead_seconds_sum up": 0.002}),
]


@each(("record", "expected"), CASES)
def test_a_row_is_counted(record: UsageRecord, expected: dict[str, float]) -> None:
    found = counted(record)

    assert {name: found.get(name) for name in expected} == expected


ABSENT = [
    (row(usage_source="missing"), "tokens_total"),
    (row(usage_source="invalid"), "tokens_total"),
    (row(cost_micro=1, currency="CNY"), "unpriced"),
    (row(), "call_errors_total"),
    (row(attempts_detail=[FAILED, AT]), "fallbacks"),  # the same endpoint once more
    (row(attempts_detail=[FAILED, OTHER_AT], status="timeout"), "fallbacks"),
]


@each(("record", "name"), ABSENT)
def test_a_row_is_not_counted_as_what_it_is_not(record: UsageRecord, name: str) -> None:
    assert [found for found in counted(record) if found.startswith(name)] == []


def test_invented_names_of_models_are_one_and_configured_ones_are_not() -> None:
    records = [row(model=f"invented-{n}", status="upstream_error") for n in range(2_000)]
    named = row(model="own", status="upstream_error")

    found = counted(*records, named, models=frozenset({"own"}))

    assert found["calls_total other upstream_error up"] == 2_000
    assert found["calls_total own upstream_error up"] == 1
    assert len(found) < 20


def test_calls_of_processes_that_were_killed_are_counted_when_their_rows_are(
    tmp_path: Path,
) -> None:
    metrics, store = Metrics(), ListStore()
    counter = CallCounter(metrics)
    left = SpoolFile.create(tmp_path)
    left.append("begun", begun("req_1"))
    left.append("begun", begun("req_2"))
    left.append("ended", row(request_id="req_2"))  # counted by the process that is gone
    left.close()

    spool = Spool(tmp_path, store, StoreThreads(1), counts=SpoolCounts(killed=counter.count))
    for _ in range(2):
        spool.adopt_orphans()

    assert store.ids == ["req_1", "req_2"]
    found = shown(metrics)
    assert found["llm_api_calls_total", "other", "killed", "fast"] == 1
    assert len([key for key in found if key[0] == "llm_api_calls_total"]) == 1


def test_rows_wait_in_the_spool_while_the_store_is_away(tmp_path: Path) -> None:
    store = ListStore()
    spool = Spool(tmp_path, store, StoreThreads(1))
    store.is_away = True
    sink = MeteredSink(spool, CallCounter(Metrics()))
    for number in range(3):
        sink.begin(begun(f"req_{number}"))
        sink.end(row(request_id=f"req_{number}"))
    assert (spool.rows_waiting, spool.oldest_wait > 0) == (3, True)

    store.is_away = False
    spool.flush()

    assert (spool.rows_waiting, spool.oldest_wait, len(store.records)) == (0, 0.0, 3)
    spool.close()
