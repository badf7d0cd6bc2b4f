"""A request for pictures is written down, made, kept and accounted for."""

import base64
import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from llm_api.domain.making import MakingFailure, Size, VendorFile, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState, TaskState
from llm_api.errors import (
    ApiError,
    ContentFiltered,
    InvalidRequest,
    NotFound,
    Unavailable,
    UpstreamFault,
)
from llm_api.observability.logging import JsonFormatter
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.upstream.faults import ClientGone
from tests.services.images.workshop import (
    CAT,
    KEY,
    PlainPictures,
    ScriptedImages,
    Workshop,
    caller,
    linked,
    made,
    workshop,
)
from tests.support.waiting import wait_until

BROKEN = UpstreamFault("Broken.", reason="upstream_error").replaced(may_have_charged=True)
FILTERED = ContentFiltered("Filtered.", reason="content_filtered").replaced(
    stage="output", what="image"
)
REFUSED = Unavailable("Not there.", reason="refused").replaced(allows_failover=True)


@pytest.fixture
def vendor() -> ScriptedImages:
    """Script a vendor."""
    return ScriptedImages()


@pytest.fixture
def shop(vendor: ScriptedImages, tmp_path: Path) -> Iterator[Workshop]:
    """Open a workshop."""
    with workshop(tmp_path, vendor) as opened:
        yield opened


def pictures_in(shop: Workshop) -> list[str]:
    """Return the names of the pictures that are kept."""
    return sorted(data.decode().split(" ")[-1] for _, data in shop.files.files.values())


def test_a_picture_is_made_kept_and_accounted_for(shop: Workshop) -> None:
    job = shop.service.generate(CAT, caller(), wait=10)

    assert job.state is TaskState.SUCCEEDED
    assert [(p.index, p.file.width, p.file.media_type) for p in job.pictures] == [
        (0, 1024, "image/png")
    ]
    assert (job.cost_micro, job.currency) == (200_000, "CNY")
    [row] = shop.sink.ended
    assert (row.request_id, row.status, row.images, row.cost_micro) == ("req_1", "ok", 1, 200_000)
    assert row.pictures is not None
    assert row.pictures["sizes"] == ["1024x1024"]
    assert row.pictures["price_unit"] == "image"
    assert shop.sink.begun == []  # the task is the beginning


def test_parts_are_made_two_at_a_time(shop: Workshop, vendor: ScriptedImages) -> None:
    both, most, now = threading.Barrier(2), [0], [0]

    def counted() -> VendorResult:
        now[0] += 1
        most[0] = max(most[0], now[0])
        both.wait(10)
        now[0] -= 1
        both.wait(10)
        return made()

    vendor.turns.extend([counted] * 4)

    job = shop.service.generate(replace(CAT, n=4, seed=7), caller(), wait=20)

    assert most == [2]
    assert [picture.seed for picture in job.pictures] == [7, 8, 9, 10]


def test_some_pictures_are_enough(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.extend([FILTERED, made("b")])

    job = shop.service.generate(replace(CAT, n=2), caller(), wait=10)

    assert len(job.pictures) == 1
    assert [(place, one.reason) for place, one in job.failed] in (
        [(0, "content_filtered")],
        [(1, "content_filtered")],
    )
    assert job.cost_micro == 200_000


def test_the_commonest_reason_is_the_error_of_all(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.extend([FILTERED, UpstreamFault("x", reason="no_image_returned"), FILTERED])

    with pytest.raises(InvalidRequest) as caught:
        shop.service.generate(replace(CAT, n=3), caller(), wait=10)

    assert isinstance(caught.value, ContentFiltered)
    assert (caught.value.stage, caught.value.what) == ("output", "image")
    assert not caught.value.may_have_charged
    assert caught.value.report is not None
    [row] = shop.sink.ended
    assert (row.status, row.reason, row.cost_micro) == ("upstream_error", "content_filtered", 0)
    assert (row.prompt_tokens, row.completion_tokens) == (0, 0)


def test_what_may_be_paid_has_unknown_cost(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(BROKEN)

    with pytest.raises(ApiError) as caught:
        shop.service.generate(CAT, caller(), wait=10)

    assert caught.value.may_have_charged
    [row] = shop.sink.ended
    assert (row.status, row.cost_micro) == ("unknown", None)


def test_an_order_that_may_be_paid_goes_to_nobody_else(tmp_path: Path) -> None:
    first, second = ScriptedImages(BROKEN), ScriptedImages(name="other", model="second")

    with (
        workshop(tmp_path, first, second, fallbacks=("other",)) as shop,
        pytest.raises(ApiError),
    ):
        shop.service.generate(CAT, caller(), wait=10)

    assert second.parts == []


def test_an_order_that_never_left_goes_to_the_next_model(tmp_path: Path) -> None:
    first, second = ScriptedImages(REFUSED), ScriptedImages(name="other", model="second")

    with workshop(tmp_path, first, second, fallbacks=("other",)) as shop:
        job = shop.service.generate(CAT, caller(), wait=10)

    assert (job.upstream, job.model) == ("other", "second")
    assert second.parts == [0]


def test_without_a_fallback_the_first_failure_is_told(tmp_path: Path) -> None:
    second = ScriptedImages(FILTERED, name="other", model="second")

    with (
        workshop(tmp_path, ScriptedImages(REFUSED), second, fallbacks=("other",)) as shop,
        pytest.raises(ApiError) as caught,
    ):
        shop.service.generate(CAT, caller(), wait=10)

    assert caught.value.reason == "refused"


def test_a_vendors_task_is_looked_at_until_it_has_ended(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.turns.append(VendorTask("v1", 0.01))
    vendor.polls.extend([VendorTask("v1", 0.01, "running"), linked("http://v/1")])
    shop.links["http://v/1"] = b"PNG 512x512 one"

    job = shop.service.generate(CAT, caller(), wait=10)

    assert vendor.polled == ["v1", "v1"]
    assert pictures_in(shop) == ["one"]
    assert job.pictures[0].file.width == 512


@pytest.mark.parametrize("hiccup", [b"<html>", UpstreamFault("x", reason="result_expired")])
def test_a_link_that_has_led_nowhere_once_is_looked_at_again(
    shop: Workshop, vendor: ScriptedImages, hiccup: Any
) -> None:
    vendor.turns.append(linked("http://v/1"))
    shop.links["http://v/1"] = [hiccup, b"PNG 1x1 one"]

    shop.service.generate(CAT, caller(), wait=10)

    assert pictures_in(shop) == ["one"]


def test_a_picture_that_cannot_be_converted_is_kept_as_it_is(
    shop: Workshop, vendor: ScriptedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any) -> bytes:
        raise PicturesUnavailable

    monkeypatch.setattr(PlainPictures, "convert", unavailable)
    vendor.fitted["convert_to"] = "jpeg"

    job = shop.service.generate(CAT, caller(), wait=10)

    assert job.pictures[0].file.media_type == "image/png"


def test_a_picture_that_was_made_and_cannot_be_had_is_paid(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    gone = UpstreamFault("Gone.", reason="result_expired").replaced(retries_exhausted=True)
    vendor.turns.append(linked("http://v/1"))
    shop.links["http://v/1"] = [gone, b"PNG 1x1 one"]

    with pytest.raises(ApiError) as caught:
        shop.service.generate(CAT, caller(), wait=10)

    assert len(shop.links["http://v/1"]) == 1  # nobody has looked again
    assert (caught.value.reason, caught.value.may_have_charged) == ("result_expired", True)
    assert shop.sink.ended[0].cost_micro == 200_000


def test_a_full_disk_loses_no_picture(shop: Workshop) -> None:
    shop.files.refusals = 2

    job = shop.service.generate(CAT, caller(), wait=20)

    assert len(job.pictures) == 1


def test_no_picture_is_no_success(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(VendorResult((VendorFile(b"bm90IGEgcGljdHVyZQ=="),)))

    with pytest.raises(ApiError) as caught:
        shop.service.generate(CAT, caller(), wait=10)

    assert caught.value.reason == "no_image_returned"


def test_a_format_that_the_vendor_does_not_write_is_written_here(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.fitted["convert_to"] = "jpeg"

    job = shop.service.generate(CAT, caller(), wait=10)

    assert job.pictures[0].file.media_type == "image/jpeg"


def test_another_format_than_was_asked_for_is_written_here(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.fitted["fields"] = {"output_format": "jpeg"}

    job = shop.service.generate(CAT, caller(), wait=10)

    assert job.pictures[0].file.media_type == "image/jpeg"


def test_another_size_than_was_asked_for_is_told(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(made(size=Size(64, 64)))

    job = shop.service.generate(replace(CAT, size=Size(1024, 704)), caller(), wait=10)

    assert [(one.field, one.code) for one in job.notices] == [("size", "adapted")]
    assert "64x64" in job.notices[0].message


def test_nothing_is_bought_while_files_cannot_be_kept(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    shop.health.failed()

    with pytest.raises(Unavailable) as caught:
        shop.service.generate(CAT, caller(), wait=10)

    assert (caught.value.reason, vendor.parts) == ("store_unavailable", [])
    shop.health.succeeded()
    assert len(shop.service.generate(CAT, caller(2), wait=10).pictures) == 1


def test_a_job_is_there_at_once_where_nobody_waits(shop: Workshop, vendor: ScriptedImages) -> None:
    go = threading.Event()
    vendor.turns.append(lambda: go.wait(10) and made())

    job = shop.service.generate(CAT, caller(), wait=0)
    go.set()

    assert job.state in {TaskState.QUEUED, TaskState.RUNNING}
    assert shop.service.job(job.id, None, wait=10).state is TaskState.SUCCEEDED


def test_a_job_that_has_ended_is_not_waited_for(shop: Workshop) -> None:
    job, looks = shop.service.generate(CAT, caller(), wait=10), []

    @event.listens_for(shop.engine_of_store, "before_cursor_execute")
    def note(*of_statement: Any) -> None:
        looks.extend([one for one in of_statement[2:4] if job.id in one])

    assert shop.service.job(job.id, None, wait=10).state is TaskState.SUCCEEDED
    assert len(looks) == 1


def test_the_row_is_there_before_anything_is_sent(shop: Workshop, vendor: ScriptedImages) -> None:
    seen: list[Any] = []

    def look() -> VendorResult:
        seen.extend(task.document["parts"][0]["state"] for task in rows(shop))
        return made()

    vendor.turns.append(look)
    ids: list[str] = []

    job = shop.service.generate(CAT, caller(), wait=10, on_job=ids.append)

    assert seen == ["submitting"]
    assert ids == [job.id]


def rows(shop: Workshop) -> list[Any]:
    """Return all tasks."""
    from llm_api.storage.sql.tables import tasks  # noqa: PLC0415

    with shop.engine_of_store.connect() as connection:
        ids = [row.id for row in connection.execute(tasks.select())]
    return [shop.tasks.get(one) for one in ids]


def test_a_client_that_leaves_before_anything_was_sent_cancels_its_job(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    with pytest.raises(ClientGone):
        shop.service.generate(CAT, caller(is_disconnected=lambda: True), wait=10)

    [task] = rows(shop)
    job = shop.service.job(task.id, None, wait=10)
    assert (job.state, vendor.parts) == (TaskState.CANCELLED, [])
    assert shop.sink.ended == []


def test_a_client_that_leaves_later_loses_no_picture(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    sent, go = threading.Event(), threading.Event()

    def slow() -> VendorResult:
        sent.set()
        go.wait(10)
        return made()

    vendor.turns.append(slow)

    with pytest.raises(ClientGone):
        shop.service.generate(CAT, caller(is_disconnected=sent.is_set), wait=10)
    go.set()

    [task] = rows(shop)
    assert len(shop.service.job(task.id, None, wait=10).pictures) == 1


def test_another_keys_job_is_unknown(shop: Workshop) -> None:
    job = shop.service.generate(CAT, caller(key=KEY), wait=10)

    with pytest.raises(NotFound):
        shop.service.job(job.id, None)
    assert shop.service.job(job.id, KEY).id == job.id


def test_a_purged_job_leaves_nothing(shop: Workshop) -> None:
    job = shop.service.generate(CAT, caller(), wait=10)

    shop.service.purge(job.id, None)

    assert (shop.files.files, rows(shop)) == ({}, [])


def test_a_vendors_task_is_cancelled(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(VendorTask("v1", 30))
    job = shop.service.generate(CAT, caller(), wait=0)
    wait_until(lambda: shop.state_of(job.id) == "submitted", 10, "submitted")

    cancelled, word = shop.service.cancel(job.id, None)

    assert (word, cancelled.state) == ("cancelled", TaskState.CANCELLED)
    assert vendor.cancelled == ["v1"]
    assert shop.sink.ended[0].cost_micro == 0


@pytest.mark.parametrize("word", [CancelState.NOT_SUPPORTED, CancelState.TOO_LATE])
def test_a_vendor_that_does_not_cancel_goes_on(
    shop: Workshop, vendor: ScriptedImages, word: CancelState
) -> None:
    vendor.cancel_state = word
    vendor.turns.append(VendorTask("v1", 2))
    job = shop.service.generate(CAT, caller(), wait=0)
    wait_until(lambda: shop.state_of(job.id) == "submitted", 10, "submitted")

    assert shop.service.cancel(job.id, None)[1] is word

    assert len(shop.service.job(job.id, None, wait=20).pictures) == 1


def test_a_vendor_that_answers_with_pictures_cannot_be_stopped(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    sent, go = threading.Event(), threading.Event()
    vendor.turns.append(lambda: (sent.set(), go.wait(10), made())[2])
    job = shop.service.generate(CAT, caller(), wait=0)
    sent.wait(10)

    assert shop.service.cancel(job.id, None)[1] is CancelState.NOT_SUPPORTED
    go.set()

    assert len(shop.service.job(job.id, None, wait=10).pictures) == 1


def test_a_preview_sends_nothing(shop: Workshop, vendor: ScriptedImages) -> None:
    preview = shop.service.preview(replace(CAT, n=2), caller())

    assert preview.requests[0]["body"] == {"prompt": "A cat"}
    assert (preview.cost_micro, preview.currency) == (400_000, "CNY")
    assert (vendor.parts, rows(shop)) == ([], [])


def test_a_failure_of_one_picture_in_a_call_costs_nothing(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.n_per_call = 4
    bad = MakingFailure("content_filtered", "Filtered.")
    vendor.turns.append(made("a", "b", failed=(bad,), size=Size(8, 8)))

    job = shop.service.generate(replace(CAT, n=4), caller(), wait=10)

    assert [place for place, _ in job.failed] == [2, 3]
    assert [one.reason for _, one in job.failed] == ["content_filtered", "no_image_returned"]
    assert job.cost_micro == 400_000


@pytest.mark.parametrize("newlines", [False, True])
def test_a_large_picture_is_decoded_as_a_whole(
    shop: Workshop, vendor: ScriptedImages, *, newlines: bool
) -> None:
    data = b"PNG 8x8 " + bytes(range(256)) * 12_000
    text = base64.encodebytes(data) if newlines else base64.b64encode(data)
    vendor.turns.append(VendorResult((VendorFile(text),)))

    shop.service.generate(CAT, caller(), wait=10)

    assert [kept for _, kept in shop.files.files.values()] == [data]


def test_no_job_begins_whose_row_could_not_be_written(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    def refuse() -> None:
        raise Unavailable("No row.", reason="usage_not_saved")

    service = shop.service_with(replace(shop.accounts, require_rows=refuse))

    with pytest.raises(Unavailable) as raised:
        service.generate(CAT, caller(), wait=10)

    assert raised.value.reason == "usage_not_saved"
    assert vendor.parts == []


def test_a_job_whose_time_is_over_is_not_found_before_it_is_deleted(shop: Workshop) -> None:
    job = shop.service.generate(CAT, caller(), wait=10)
    assert shop.service.job(job.id, None).id == job.id
    later = datetime.now(UTC) + timedelta(days=1, seconds=1)

    with pytest.raises(NotFound) as raised:
        shop.service_with(shop.accounts, now=lambda: later).job(job.id, None)

    assert raised.value.reason == "job_not_found"
    assert shop.tasks.get(job.id) is not None


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_job_logs_has_the_id_of_its_request(
    shop: Workshop, vendor: ScriptedImages, count: int
) -> None:
    lines, logger = io.StringIO(), logging.getLogger("tests.vendor")
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)

    def refuse() -> VendorResult:
        logger.warning("picture refused")
        raise FILTERED

    vendor.turns += [refuse] * count
    try:
        with pytest.raises(ApiError):
            shop.service.generate(replace(CAT, n=count), caller(), wait=10)
    finally:
        logger.removeHandler(handler)

    said = [json.loads(line)["request_id"] for line in lines.getvalue().splitlines()]
    assert said == [caller().request_id] * count
