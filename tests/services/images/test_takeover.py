"""Jobs of a process that has died, or that ends, are brought to their end by another."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from llm_api.domain.calls import Attempt
from llm_api.domain.making import VendorFile, VendorResult, VendorTask
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError
from llm_api.runtime.drain import Drain
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_job import ImageJob
from llm_api.upstream.faults import ShuttingDown
from tests.services.images.workshop import CAT, ScriptedImages, Workshop, caller, made, workshop
from tests.support.waiting import wait_until


@pytest.fixture
def vendor() -> ScriptedImages:
    """Script a vendor."""
    return ScriptedImages()


@pytest.fixture
def shop(vendor: ScriptedImages, tmp_path: Path) -> Iterator[Workshop]:
    """Open a workshop."""
    with workshop(tmp_path, vendor) as opened:
        yield opened


def left_behind(shop: Workshop, *states: str, **changes: object) -> Task:
    """Store the task of a worker that was killed, with parts in these states."""
    order = shop.service._orders.order(replace(CAT, n=len(states)), caller(), None)
    now = shop.accounts_now()
    task = order.task("img_1", caller(), now, keep=timedelta(days=1), callback_url=None)
    document = ImageDocument.read(task.document)
    for index, state in enumerate(states):
        document = document.with_part(index, state=state, **changes)
        if state in {"submitted", "done"}:
            attempts = (*document.attempts, Attempt("image", "image", "painter"))
            document = replace(document, attempts=attempts)
    past = now - timedelta(seconds=1)
    task = replace(
        task,
        state=TaskState.RUNNING,
        document=document.to_json(),
        claimed_by="dead",
        claimed_until=past,
    )
    shop.tasks.add(task)
    return task


def claim_of(shop: Workshop, job_id: str) -> datetime | None:
    """Return until when the store says that the job is claimed."""
    stored = shop.tasks.get(job_id)
    assert stored is not None
    return stored.claimed_until


def taken_over(shop: Workshop) -> ImageJob:
    """Return the job once another worker has ended it."""
    shop.engine.wake()
    return shop.service.job("img_1", None, wait=20)


def test_what_was_not_sent_is_sent(shop: Workshop, vendor: ScriptedImages) -> None:
    left_behind(shop, "new")

    job = taken_over(shop)

    assert (len(job.pictures), vendor.parts) == (1, [0])


def test_what_was_under_way_is_never_sent_again(shop: Workshop, vendor: ScriptedImages) -> None:
    left_behind(shop, "submitting", "new")

    job = taken_over(shop)

    assert vendor.parts == [1]
    assert [(place, one.reason) for place, one in job.failed] == [(0, "outcome_unknown")]
    [row] = shop.sink.ended
    assert (row.status, row.cost_micro, row.attempts) == ("ok", None, 2)


def test_an_unknown_outcome_alone_has_a_row_of_unknown_cost(shop: Workshop) -> None:
    left_behind(shop, "submitting")

    job = taken_over(shop)

    assert job.error is not None
    assert (job.error.reason, job.error.may_have_charged) == ("outcome_unknown", True)
    assert [(row.status, row.cost_micro) for row in shop.sink.ended] == [("unknown", None)]


def test_pictures_that_were_kept_before_the_end_are_found(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    left_behind(shop, "submitting")
    shop.files.save("img_1", None, b"PNG 8x8 a", "image/png", width=8, height=8)

    job = taken_over(shop)

    assert (len(job.pictures), job.failed, vendor.parts) == (1, (), [])
    assert shop.sink.ended[0].cost_micro == 200_000


def test_a_vendors_task_is_looked_at_by_who_takes_it_over(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    left_behind(shop, "submitted", vendor_id="v1")

    job = taken_over(shop)

    assert (len(job.pictures), vendor.polled, vendor.parts) == (1, ["v1"], [])


def test_links_are_fetched_by_who_takes_over(shop: Workshop, vendor: ScriptedImages) -> None:
    shop.links["http://v/1"] = b"PNG 1x1 one"
    left_behind(shop, "submitted", found=(VendorFile(url="http://v/1"),), delivered=1)

    job = taken_over(shop)

    assert (len(job.pictures), vendor.polled) == (1, [])


def test_a_job_whose_worker_lives_is_left_to_it(shop: Workshop, vendor: ScriptedImages) -> None:
    go = threading.Event()
    vendor.turns.append(lambda: (go.wait(20), made())[1])
    job = shop.service.generate(CAT, caller(), wait=0)
    other = shop.worker()

    other.wake()
    other.close()
    go.set()

    assert len(shop.service.job(job.id, None, wait=20).pictures) == 1
    assert vendor.parts == [0]


def test_a_claim_is_renewed_while_a_vendor_is_at_work(
    vendor: ScriptedImages, tmp_path: Path
) -> None:
    with workshop(tmp_path, vendor, lease=2) as shop:
        other, sent, go = shop.worker(), threading.Event(), threading.Event()
        vendor.turns.append(lambda: (sent.set(), go.wait(40), made())[2])
        job = shop.service.generate(CAT, caller(), wait=0)
        sent.wait(20)  # from now on its work saves nothing until the vendor has answered
        first = claim_of(shop, job.id)

        wait_until(lambda: claim_of(shop, job.id) != first, 20, "renewed")
        other.wake()
        go.set()

        assert shop.service.job(job.id, None, wait=20).state is TaskState.SUCCEEDED
        other.close()
    assert vendor.parts == [0]


def test_who_lost_a_job_changes_nothing_of_it(shop: Workshop, vendor: ScriptedImages) -> None:
    sent, go = threading.Event(), threading.Event()
    vendor.turns.append(lambda: (sent.set(), go.wait(20), made())[2])
    job = shop.service.generate(CAT, caller(), wait=0)
    sent.wait(10)
    stored = shop.tasks.get(job.id)
    assert stored is not None
    shop.tasks.save(replace(stored, claimed_by="another"), stored.claimed_by)
    claimed = shop.engine.running(job.id)
    assert claimed is not None

    go.set()
    claimed.ended.wait(10)

    after = shop.tasks.get(job.id)
    assert after is not None
    assert (after.claimed_by, after.state) == ("another", TaskState.RUNNING)
    assert shop.sink.ended == []


def test_a_call_that_the_end_of_the_service_cuts_is_not_to_be_sent_again(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.turns.append(ShuttingDown())

    with pytest.raises(ApiError) as raised:
        shop.service.generate(CAT, caller(), wait=10)

    assert raised.value.reason == "outcome_unknown"
    assert (raised.value.retryable, raised.value.may_have_charged) == (False, True)
    assert "again" not in raised.value.message


def test_a_worker_that_ends_leaves_a_vendors_task_to_the_others(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.turns.append(VendorTask("v1", 30))
    job = shop.service.generate(CAT, caller(), wait=0)
    wait_until(lambda: shop.state_of(job.id) == "submitted", 10, "submitted")

    shop.drain.start()
    wait_until(lambda: not shop.drain.is_busy, 10, "released")
    other = shop.worker(Drain())
    other.wake()

    assert len(shop.service.job(job.id, None, wait=20).pictures) == 1
    assert (vendor.parts, vendor.polled) == ([0], ["v1"])
    other.close()


def test_a_crash_between_row_and_end_counts_once(shop: Workshop) -> None:
    left_behind(shop, "done", kept=(), delivered=1)

    taken_over(shop)
    stored = shop.tasks.get("img_1")
    assert stored is not None
    reopened = replace(stored, state=TaskState.RUNNING, claimed_by="")
    shop.tasks.delete("img_1")
    shop.tasks.add(reopened)
    taken_over(shop)

    rows = shop.sink.ended
    assert len(rows) == 2
    assert {row.request_id for row in rows} == {"req_1"}
    assert rows[0].cost_micro == rows[1].cost_micro == 200_000


def test_a_result_of_nothing_is_told_as_such(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.polls.append(VendorResult(()))
    left_behind(shop, "submitted", vendor_id="v1")

    job = taken_over(shop)

    assert job.error is not None
    assert job.error.reason == "no_image_returned"
