"""How loops end: cancelled, left by their clients, out of time, refused; and what is told then."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from llm_api.domain.access import ApiKey, Budget, Reservation
from llm_api.domain.judging import CheckpointVerdict, Outcome, Verdict
from llm_api.domain.loops import Acceptance, LoopPlan
from llm_api.domain.making import InputPicture
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.repeats import IdempotencyKey
from llm_api.domain.tasks import CancelState, TaskState
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, Unavailable, UpstreamFault
from llm_api.services.loop.choosing import is_accepted
from llm_api.services.loop.feedback import emphasized, lacked, rewrite_of, together
from llm_api.services.loop.loop_document import LoopTry
from llm_api.services.tasks import engine as engines
from tests.services.images.workshop import CAT, caller, made
from tests.services.loop.looping import BROKEN, GOOD, LOST, UNTIL, LoopShop, loop_shop
from tests.services.loop.test_loop_takeover import NEW, PROMPT
from tests.support.waiting import wait_until

FILTERED = ContentFiltered("The picture was refused.", reason="content_filtered")
DOWN = Unavailable("It is down.", reason="upstream_unavailable", retryable=True)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LoopShop]:
    """Open a workshop."""
    with loop_shop(tmp_path) as opened:
        yield opened


def test_cancelling_ends_it_after_the_picture_that_cannot_be_stopped(shop: LoopShop) -> None:
    go = threading.Event()
    shop.vendor.turns.append(lambda: (go.wait(20), made())[1])
    job = shop.service.generate(CAT, caller(), plan=UNTIL, wait=0)
    wait_until(lambda: shop.vendor.parts == [0], 20, "the vendor is at work")
    threading.Timer(0.5, go.set).start()

    ended, outcome = shop.service.cancel(job.id, None)

    assert (ended.state, outcome) == (TaskState.CANCELLED, CancelState.CANCELLED)
    assert (ended.stopped_by, shop.judge.asked) == ("cancelled", [])
    # The picture was paid for, and is there.
    assert (len(ended.pictures), ended.error, ended.cost.micro) == (1, None, 200_000)


def test_cancelling_a_loop_that_has_ended_is_too_late(shop: LoopShop) -> None:
    job = shop.run()

    assert shop.service.cancel(job.id, None)[1] is CancelState.TOO_LATE


def test_a_client_that_leaves_before_anything_was_sent_cancels_it(shop: LoopShop) -> None:
    gone = caller(is_disconnected=lambda: True)

    with pytest.raises(ApiError):
        shop.run(caller=gone)

    wait_until(lambda: not shop.shop.engine._running, 20, "it ends")
    assert shop.vendor.parts == []


def test_a_client_that_leaves_later_changes_nothing(shop: LoopShop) -> None:
    seen: list[str] = []
    left = threading.Event()
    shop.vendor.turns.append(lambda: (left.set(), time.sleep(0.5), made())[2])

    with pytest.raises(ApiError):
        shop.run(caller=caller(is_disconnected=left.is_set), on_job=seen.append)

    assert shop.service.job(seen[0], None, wait=20).stopped_by == "accepted"


def test_it_ends_when_its_time_is_over(shop: LoopShop) -> None:
    task = shop.left_behind(replace(NEW, tries=(LoopTry(1, PROMPT),)))
    past = task.created_at - timedelta(seconds=1)
    late = replace(task, id="loop_2", created_at=past, deadline_at=past, claimed_by="")
    shop.shop.tasks.add(late)
    shop.shop.engine.wake()

    job = shop.service.job("loop_2", None, wait=20)

    assert job.error is not None
    assert (job.state, job.stopped_by, job.error.status) == (TaskState.EXPIRED, "deadline", 504)


@pytest.mark.parametrize("error", [FILTERED, InvalidRequest("No.", reason="invalid_request")])
def test_a_request_that_is_refused_is_not_made_again(shop: LoopShop, error: ApiError) -> None:
    shop.vendor.turns.append(error)

    with pytest.raises(type(error)) as caught:
        shop.run()

    assert (caught.value.reason, shop.vendor.parts) == (error.reason, [0])


def test_a_failure_that_passes_is_one_try(shop: LoopShop) -> None:
    shop.vendor.turns.append(DOWN)

    job = shop.run()

    assert [one.error.reason if one.error else None for one in job.tries] == [
        "upstream_unavailable",
        None,
    ]
    assert job.stopped_by == "accepted"


def test_the_best_so_far_is_returned_where_a_later_try_fails(shop: LoopShop) -> None:
    shop.judge.verdicts.append(LOST)
    shop.vendor.turns.extend([made(), FILTERED])

    job = shop.run()

    assert (job.state, job.stopped_by, len(job.pictures)) == (TaskState.SUCCEEDED, "error", 1)


def test_one_verdict_of_two_is_enough_to_go_on(shop: LoopShop) -> None:
    shop.vendor.n_per_call = 2
    shop.judge.verdicts.extend([BROKEN, LOST])

    job = shop.run(LoopPlan(max_tries=2), request=replace(CAT, n=2))

    assert (job.stopped_by, len(job.tries)) == ("accepted", 2)


def test_a_rewrite_that_was_asked_for_and_fails_ends_it(shop: LoopShop) -> None:
    shop.writer.errors.append(UpstreamFault("Nothing usable.", reason="optimizer_bad_output"))

    with pytest.raises(UpstreamFault):
        shop.run(optimize=PromptRequest("A cat", "image"))

    assert shop.vendor.parts == []


def test_a_rewrite_that_fails_later_leaves_a_notice(shop: LoopShop) -> None:
    shop.judge.verdicts.append(LOST)
    shop.writer.errors.append(UpstreamFault("Nothing usable.", reason="optimizer_bad_output"))

    job = shop.run()

    assert [(one.field, one.code) for one in job.notices] == [("optimize_prompt", "dropped")]
    assert shop.prompts[1] == "A cat and a dog. Most important: dog."


def test_each_job_gets_the_pictures_of_the_request(shop: LoopShop) -> None:
    inputs = shop.service.inputs(caller())
    file = shop.shop.files.save(inputs.job_id, None, b"PNG 8x8 in", "image/png", is_input=True)
    picture = InputPicture(file.id, "image/png", 8, 8, 10)
    shop.judge.verdicts.append(LOST)

    shop.run(request=replace(CAT, references=(picture,)), inputs=inputs)

    assert shop.vendor.loaded == [b"PNG 8x8 in"] * 2


def test_the_end_is_reported_once(shop: LoopShop) -> None:
    job = shop.run(callback_url="https://hooks.example/1")

    wait_until(lambda: bool(shop.shop.posted), 20, "the report is sent")
    [(url, body, _)] = shop.shop.posted
    document = json.loads(body)
    assert (url, document["type"]) == ("https://hooks.example/1", "image.task.completed")
    assert document["data"] | {"status": ""} == {
        "id": job.id,
        "object": "image.task",
        "status": "",
        "files": [one.file.id for one in job.pictures],
        "failed": 0,
        "error": None,
        "stopped_by": "accepted",
        "tries": 1,
    }


def again(shop: LoopShop, number: int) -> str:
    """Run the loop of a request that is repeated, and return its id."""
    ids: list[str] = []
    same = IdempotencyKey("same", "print", joins=True, keep_s=60, max_bytes=0)
    with suppress(ApiError):
        ids.append(shop.run(caller=caller(number), identity=same, on_job=ids.append).id)
    return ids[-1]


def test_a_repeat_joins_what_has_pictures(shop: LoopShop) -> None:
    assert again(shop, 1) == again(shop, 2)
    assert shop.vendor.parts == [0]


def test_a_repeat_of_what_failed_for_nothing_is_made_anew(shop: LoopShop) -> None:
    shop.vendor.turns.append(FILTERED)

    assert again(shop, 1) != again(shop, 2)
    assert shop.vendor.parts == [0, 0]


def test_loops_leave_their_places_to_their_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_MAX_WORKING", 2)
    with loop_shop(tmp_path, lease=0.6) as shop:
        ids = [
            shop.service.generate(CAT, caller(number), plan=LoopPlan(), wait=0).id
            for number in range(4)
        ]
        ended = [shop.service.job(one, None, wait=40) for one in ids]

    assert [job.stopped_by for job in ended] == ["accepted"] * 4
    assert len(shop.vendor.parts) == 4


def test_a_reservation_of_a_process_that_died_does_not_stand_in_the_way(tmp_path: Path) -> None:
    key = ApiKey("key_1", "shop", budgets=(Budget("month", "CNY", 5_000_000),))
    with loop_shop(tmp_path, keys={"key_1": key}) as shop:
        now = shop.shop.accounts_now()
        held = [Reservation(f"{now:%Y-%m}", "CNY", 200_000, 5_000_000)]
        shop.shop.budgets.reserve("key_1", "req_1_t1", now, held)

        job = shop.run(caller=caller(key=key))

        assert job.stopped_by == "accepted"
        assert shop.shop.budgets.spent("key_1", f"{now:%Y-%m}", "CNY")[1] == 200_000


UNSEEN = replace(GOOD, passed=None, confidence=None)
ALL = Acceptance(wants_all_checkpoints=True)
SOME = CheckpointVerdict("a dog", Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("verdict", "accept", "expected"),
    [
        (None, Acceptance(), False),
        (GOOD, Acceptance(), True),
        (replace(GOOD, passed=None), Acceptance(), False),
        (GOOD, Acceptance(min_overall=80), True),
        (GOOD, Acceptance(min_overall=80.5), False),
        (replace(GOOD, overall=None), Acceptance(min_overall=0), False),
        (replace(GOOD, passed=False), ALL, True),
        (replace(GOOD, checkpoints=(*GOOD.checkpoints, SOME)), ALL, False),
        (replace(GOOD, checkpoints=()), ALL, False),
        (GOOD, Acceptance(90, wants_all_checkpoints=True), False),
        (UNSEEN, Acceptance(min_overall=50), False),
        (UNSEEN, ALL, False),
    ],
)
def test_what_is_accepted(verdict: Verdict | None, accept: Acceptance, *, expected: bool) -> None:
    assert is_accepted(verdict, accept) is expected


def failed(*texts: str) -> Verdict:
    """Make a verdict by which these are missing."""
    points = tuple(CheckpointVerdict(text, Outcome.FAILED) for text in texts)
    return Verdict("vision", passed=False, checkpoints=points)


def test_what_is_fed_back_is_in_the_words_of_the_prompt() -> None:
    prompt = 'Three cats left of a blue sign that reads "OPEN"'
    texts = ["Are there exactly 3 cats?", 'Can the text "OPEN" be read in the picture?']
    texts += ["Is the sign blue?", "Does the picture show a sign?", "no fog."]

    assert lacked(prompt, failed(*texts)) == [
        "exactly three cats",
        'the text "OPEN"',
        "blue sign",
        "no fog",
    ]


def test_no_thing_is_taken_for_a_part_of_another_word() -> None:
    texts = ["Does the picture show a car?", "Is the carpet red?"]

    assert lacked("A car on a red carpet", failed(*texts)) == ["car", "red carpet"]


def test_a_chinese_prompt_is_told_in_chinese() -> None:
    prompt = "一只红猫和两只蓝狗"

    fed_back = lacked(prompt, failed("狗的数量是否恰好为2？", "猫是否为红色？"))

    assert emphasized(prompt, fed_back) == f"{prompt}。最重要的是：恰好两只蓝狗；红猫。"


def test_what_there_is_no_room_for_is_left_out() -> None:
    prompt = "x" * 3_900

    text = emphasized(prompt, ["a" * 50, "b" * 50, "c" * 50])

    assert len(text) <= 4_000
    assert text.endswith(f"Most important: {'a' * 50}.")
    assert emphasized("y" * 4_000, ["a"]) == "y" * 4_000
    assert len(together(["a"], [str(one) for one in range(20)])) == 10


def test_of_a_prompt_that_is_translated_no_words_must_stay() -> None:
    spanish, english = "Cuatro pescadores en el hielo al amanecer", "four fishermen on the ice"

    wanted = [rewrite_of(prompt, ("exactly 4",), None) for prompt in (spanish, english)]

    assert [one.preserve for one in wanted] == [(), ("exactly 4",)]
    assert all(one.prompt.endswith("exactly 4.") for one in wanted)
