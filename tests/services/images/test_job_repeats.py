"""A repeat joins the job of the first request, whichever process it meets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llm_api.domain.repeats import IdempotencyKey
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError, InvalidRequest, UpstreamFault
from llm_api.services.jobs.job_repeats import JobRepeats
from llm_api.storage.threads import StoreThreads
from tests.services.images.workshop import CAT, ScriptedImages, Workshop, caller, made, workshop

ORDER = IdempotencyKey("shop order-1", "body", joins=True, keep_s=3_600, max_bytes=0)
FREE = InvalidRequest("Filtered.", reason="content_filtered")
PAID = UpstreamFault("Broken.", reason="upstream_error").replaced(may_have_charged=True)


@pytest.fixture
def vendor() -> ScriptedImages:
    """Script a vendor."""
    return ScriptedImages()


@pytest.fixture
def shop(vendor: ScriptedImages, tmp_path: Path) -> Iterator[Workshop]:
    """Open a workshop."""
    with workshop(tmp_path, vendor) as opened:
        yield opened


def ask(shop: Workshop, identity: IdempotencyKey = ORDER, **asker: str) -> str:
    """Ask for a cat, and return the id of the job that makes it."""
    asking = replace(caller(), **asker) if asker else caller()
    return shop.service.generate(CAT, asking, wait=10, identity=identity).id


def test_a_repeat_gets_the_job_of_the_first(shop: Workshop, vendor: ScriptedImages) -> None:
    first = ask(shop)

    assert shop.service.joined(ORDER) == first
    assert ask(shop, request_id="req_2") == first
    assert vendor.parts == [0]
    assert len(shop.sink.ended) == 1


def test_another_key_is_another_job(shop: Workshop) -> None:
    first = ask(shop)

    assert ask(shop, replace(ORDER, key="shop order-2"), request_id="req_2") != first


def test_a_key_is_for_one_body(shop: Workshop, vendor: ScriptedImages) -> None:
    ask(shop)

    with pytest.raises(InvalidRequest) as raised:
        ask(shop, replace(ORDER, fingerprint="another"), request_id="req_2")

    assert raised.value.reason == "idempotency_key_reused"
    assert vendor.parts == [0]


def test_a_first_request_joins_nothing_and_is_joined_itself(shop: Workshop) -> None:
    opening = replace(ORDER, joins=False)
    first = ask(shop, opening)
    second = ask(shop, opening, request_id="req_2")

    assert first != second
    assert shop.service.joined(ORDER) == first


@pytest.mark.parametrize(("error", "is_made_anew"), [(FREE, True), (PAID, False)])
def test_a_job_that_cost_nothing_is_made_anew(
    shop: Workshop, vendor: ScriptedImages, error: ApiError, *, is_made_anew: bool
) -> None:
    vendor.turns.append(error)
    with pytest.raises(ApiError):
        ask(shop)
    vendor.turns.append(made())

    if is_made_anew:
        again = ask(shop, request_id="req_2")
        assert shop.service.joined(ORDER) == again
    else:
        with pytest.raises(ApiError) as raised:
            ask(shop, request_id="req_2")
        assert raised.value.may_have_charged
    assert len(vendor.parts) == (2 if is_made_anew else 1)


def after(shop: Workshop, seconds: int) -> JobRepeats:
    """Return the marks as they are seen later."""
    return JobRepeats(
        shop.tasks, StoreThreads(1), lambda: datetime.now(UTC) + timedelta(seconds=seconds)
    )


def test_after_its_time_a_key_is_new(shop: Workshop) -> None:
    first = ask(shop)

    assert shop.service.joined(ORDER) == first
    assert after(shop, 3_601).find(ORDER) is None


def test_of_many_at_once_one_begins(shop: Workshop, vendor: ScriptedImages) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: ask(shop, request_id=f"req_{n}"), range(8)))

    assert len(set(ids)) == 1
    assert vendor.parts == [0]
    assert len(shop.sink.ended) == 1


def job_of(shop: Workshop) -> Task:
    """Return the task of a job, which has run."""
    task = shop.tasks.get(ask(shop))
    assert task is not None
    return replace(task, id="img_next")


def test_a_repeat_waits_for_a_job_that_is_marked_and_not_begun(shop: Workshop) -> None:
    job, marks = job_of(shop), after(shop, 0)
    another = replace(ORDER, key="shop order-2")
    assert marks.claim(another, job) is None

    with ThreadPoolExecutor(2) as pool:
        found = pool.submit(marks.find, another)
        claimed = pool.submit(marks.claim, another, replace(job, id="img_other"))
        assert wait([found, claimed], timeout=0.3).done == set()
        shop.tasks.add(job)

    assert found.result() == claimed.result() == job.id


def test_a_job_that_was_marked_and_never_began_is_made_anew(shop: Workshop) -> None:
    another = replace(ORDER, key="shop order-2")
    after(shop, 0).claim(another, job_of(shop))

    assert after(shop, 20).find(another) is None


def test_a_purged_job_is_joined_by_nobody(shop: Workshop) -> None:
    first = ask(shop)
    shop.service.purge(first, None)

    assert after(shop, 20).find(ORDER) is None
