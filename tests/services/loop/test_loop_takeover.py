"""A loop whose process dies is brought to its end by another one: no picture is paid twice."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import Verdict
from llm_api.domain.loops import Amount
from llm_api.domain.tasks import TaskState
from llm_api.runtime.drain import Drain
from llm_api.services.jobs.document import Payer
from llm_api.services.loop import LoopJob
from llm_api.services.loop.loop_document import JudgedFile, LoopDocument, LoopTry
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost
from tests.services.images.workshop import caller, made
from tests.services.loop.looping import GOOD, LOST, UNTIL, LoopShop, limited, loop_shop
from tests.support.waiting import wait_until

PROMPT = "A cat and a dog"
NEW = LoopDocument(
    ImageRequest(PROMPT), UNTIL, Payer("/generate", "192.0.2.1", "", "line_1"), "painter"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LoopShop]:
    """Open a workshop whose claims run out soon."""
    with loop_shop(tmp_path, lease=0.6) as opened:
        yield opened


def taken_over(shop: LoopShop, document: LoopDocument) -> LoopJob:
    """Return the loop once another worker has ended it."""
    task = shop.left_behind(document)
    shop.shop.engine.wake()
    return shop.service.job(task.id, None, wait=20)


def test_a_job_that_was_begun_is_joined(shop: LoopShop) -> None:
    document = replace(NEW, tries=(LoopTry(1, PROMPT),), pending=Amount(200_000, "CNY"))
    task = shop.left_behind(document)
    # The job of another process, which has died before it wrote that down.
    payer = replace(caller(), request_id="req_1_t1")
    order = shop.steps.order(document, document.tries[0], payer)
    shop.steps.begin(order, task, 1, payer, shop.shop.accounts_now())
    shop.shop.engine.wake()

    job = shop.service.job(task.id, None, wait=20)

    assert (job.stopped_by, shop.vendor.parts, len(shop.judge.asked)) == ("accepted", [0], 1)
    assert [row.request_id for row in shop.shop.sink.ended] == ["req_1_t1"]


def test_a_job_that_was_not_begun_is_begun(shop: LoopShop) -> None:
    job = taken_over(
        shop, replace(NEW, tries=(LoopTry(1, PROMPT),), pending=Amount(200_000, "CNY"))
    )

    assert (job.stopped_by, shop.vendor.parts) == ("accepted", [0])


def test_a_job_that_was_deleted_is_not_made_again(shop: LoopShop) -> None:
    job = taken_over(
        shop,
        replace(
            NEW,
            tries=(LoopTry(1, PROMPT, is_begun=True),),
            pending=Amount(200_000, "CNY"),
        ),
    )

    assert job.error is not None
    assert (job.stopped_by, job.error.reason) == ("error", "job_not_found")
    assert (job.state, job.cost.micro, shop.vendor.parts) == (TaskState.FAILED, None, [])


def test_a_rewrite_whose_answer_was_lost_is_charged_and_made_again(shop: LoopShop) -> None:
    lost = LoopTry(1, PROMPT, fed_back=("dog",), state="rewriting")
    document = replace(NEW, plan=limited("2"), tries=(lost,), calls=1, pending=Amount(600, "CNY"))

    job = taken_over(shop, document)

    assert [one.request_id for one in shop.writer.callers] == ["req_1_l2"]
    stored = shop.document(job.id)
    # The lost rewrite, at most; another one; a picture; its verdict.
    assert stored.charged == Amount(600 + 200 + 200_000 + 200, "CNY")
    assert job.cost.micro is None


def test_only_what_has_no_verdict_is_judged_again(shop: LoopShop) -> None:
    files = [
        shop.shop.files.save("img_1_1", None, b"PNG 8x8 x", "image/png", width=8, height=8)
        for _ in range(2)
    ]
    judged = (JudgedFile(files[0].id, 0, LOST), JudgedFile(files[1].id, 1))
    document = replace(
        NEW, tries=(LoopTry(1, PROMPT, state="judging", is_begun=True, pictures=judged),), calls=2
    )
    task = shop.left_behind(document)
    shop.shop.engine.wake()
    wait_until(lambda: shop.document(task.id).stopped_by is not None, 20, "it ends")

    assert [one.request_id for one in shop.judge.callers] == ["req_1_l3"]
    assert [one.verdict for one in shop.document(task.id).tries[0].pictures] == [LOST, GOOD]
    assert shop.vendor.parts == []


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("at", range(1, 15))
def test_a_death_at_any_moment_changes_nothing_but_the_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, *, is_before: bool
) -> None:
    saves = Counter[str]()
    save = ClaimedTask.save_patiently

    def dying(self: ClaimedTask, document: Any, **changes: Any) -> None:
        kind = self.task.kind
        saves[kind] += 1
        if kind == "loop" and saves[kind] == at and is_before:
            raise ClaimLost
        save(self, document, **changes)
        if kind == "loop" and saves[kind] == at:
            raise ClaimLost

    verdicts: dict[bytes, Verdict] = {}

    def by_picture(request: Any) -> Verdict:  # as often as it is asked
        data = request.pictures[0].data
        return verdicts.setdefault(data, LOST if not verdicts else GOOD)

    monkeypatch.setattr(ClaimedTask, "save_patiently", dying)
    with loop_shop(tmp_path, *[by_picture] * 9, lease=0.3) as shop:
        shop.vendor.turns.extend([made("first"), made("second")])
        job = shop.run()
        if not job.state.has_ended:
            job = shop.service.job(job.id, None, wait=20)

        assert (job.state, job.stopped_by) == (TaskState.SUCCEEDED, "accepted")
        assert (len(job.tries), shop.vendor.parts) == (2, [0, 0])
        # Each job has one row, and each call of a model for texts an id of its own.
        rows = Counter(row.request_id for row in shop.shop.sink.ended)
        assert rows == {"req_1_t1": 1, "req_1_t2": 1}
        calls = [one.request_id for one in (*shop.judge.callers, *shop.writer.callers)]
        assert len(set(calls)) == len(calls)


def test_a_process_that_ends_hands_its_loop_on(shop: LoopShop) -> None:
    drain, go = Drain(), threading.Event()
    ending = shop.shop.worker(drain)
    shop.register(ending)
    shop.vendor.turns.append(lambda: (go.wait(20), made())[1])
    document = replace(NEW, tries=(LoopTry(1, PROMPT),))
    task = shop.left_behind(document)
    ending.wake()
    wait_until(lambda: shop.vendor.parts == [0], 20, "the job is at its vendor")

    drain.start()
    wait_until(lambda: ending.running(task.id) is None, 20, "the loop is released")
    shop.shop.engine.wake()
    go.set()

    assert shop.service.job(task.id, None, wait=20).stopped_by == "accepted"
    assert shop.vendor.parts == [0]
    ending.close()
