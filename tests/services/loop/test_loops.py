"""Loops: what is fed back, when they end, what they return, and what each step is paid with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import Outcome
from llm_api.domain.loops import LoopPlan
from llm_api.domain.making import FittedRequest, VendorResult
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.tasks import TaskState
from tests.services.images.workshop import CAT, ScriptedImages, made
from tests.services.loop.looping import GOOD, LOST, LoopShop, loop_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LoopShop]:
    """Open a workshop."""
    with loop_shop(tmp_path) as opened:
        yield opened


def test_one_try_is_judged_and_returned(shop: LoopShop) -> None:
    job = shop.run(LoopPlan())

    assert (job.state, job.stopped_by, len(job.tries)) == (TaskState.SUCCEEDED, "accepted", 1)
    assert [job.verdicts[one.file.id] for one in job.pictures] == [GOOD]
    assert shop.writer.asked == []


def test_what_was_lost_is_fed_back_and_mended(shop: LoopShop) -> None:
    shop.judge.verdicts.append(LOST)

    job = shop.run()

    assert (job.stopped_by, [one.fed_back for one in job.tries]) == ("accepted", [(), ("dog",)])
    [asked] = shop.writer.asked
    assert asked.prompt == "A cat and a dog. Most important: dog."
    assert asked.preserve == ("dog",)
    assert shop.prompts == ["A cat and a dog", f"{asked.prompt} In warm light."]
    assert job.best is not None
    assert job.best.prompt_original == "A cat and a dog"
    assert job.best.prompt_used == shop.prompts[1]
    # The judge holds the picture against what the caller has asked for.
    assert {one.prompt for one in shop.judge.asked} == {"A cat and a dog"}


class Rewriting(ScriptedImages):
    """A vendor that rewrites prompts; where it has a switch, not those that ours has rewritten."""

    has_switch = True

    def fit(self, request: ImageRequest, model: str) -> FittedRequest:
        """See ImageUpstream."""
        extends = not (self.has_switch and request.is_optimized)
        return replace(super().fit(request, model), constants={"prompt_extend": extends})


@pytest.mark.parametrize(("has_switch", "told"), [(True, "optimize_prompt: true"), (False, None)])
def test_what_the_vendor_has_lost_is_said_with_a_switch_that_it_has(
    tmp_path: Path,
    told: str | None,
    *,
    has_switch: bool,
) -> None:
    drawn = replace(made().files[0], prompt="A cat in the sun")
    vendor = Rewriting(VendorResult((drawn,)))
    vendor.has_switch = has_switch

    with loop_shop(tmp_path, LOST, vendor=vendor) as shop:
        job = shop.run(LoopPlan(max_tries=1))

    lost = {one.item: (one.lost_by, one.switch_off) for one in job.fidelity}
    assert lost["Does the picture show a dog?"] == ("vendor_rewrite", told)


def test_the_best_of_all_tries_is_returned_when_none_is_accepted(shop: LoopShop) -> None:
    better = replace(LOST, overall=55.0)
    shop.judge.verdicts.extend([LOST, better, LOST])

    job = shop.run(LoopPlan(max_tries=3))

    assert (job.stopped_by, len(job.tries)) == ("max_tries", 3)
    [picture] = job.pictures
    assert picture.file.id == job.tries[1].pictures[0].file_id
    assert job.state is TaskState.SUCCEEDED


def test_the_best_picture_of_a_try_comes_first(shop: LoopShop) -> None:
    shop.vendor.n_per_call = 3
    shop.judge.verdicts.extend([LOST, GOOD, replace(GOOD, overall=90.0)])

    job = shop.run(LoopPlan(), request=replace(CAT, n=3))

    assert [one.index for one in job.pictures] == [2, 1, 0]


def test_what_was_mended_is_said_again(shop: LoopShop) -> None:
    other = replace(LOST, checkpoints=(replace(LOST.checkpoints[0], text="the sky is red"),))
    shop.judge.verdicts.extend([LOST, other])

    job = shop.run()

    assert job.tries[2].fed_back == ("the sky is red", "dog")


def test_the_callers_options_hold_for_each_rewrite(shop: LoopShop) -> None:
    shop.judge.verdicts.append(LOST)

    shop.run(optimize=PromptRequest("A cat and a dog", "image", style="watercolor"))

    assert [one.style for one in shop.writer.asked] == ["watercolor"] * 2
    assert shop.writer.asked[0].prompt == "A cat and a dog"


def test_without_an_optimizer_the_prompt_says_what_was_missing(shop: LoopShop) -> None:
    shop.writer.is_enabled = False
    shop.judge.verdicts.append(LOST)

    shop.run()

    assert shop.prompts[1] == "A cat and a dog. Most important: dog."


def test_seeds_do_not_repeat(shop: LoopShop) -> None:
    shop.vendor.n_per_call = 2
    shop.judge.verdicts.extend([LOST, LOST])

    shop.run(LoopPlan(max_tries=2), request=replace(CAT, n=2, seed=7))

    tasks = [shop.shop.tasks.get(one) for one in shop.shop_jobs]
    assert [one.document["request"]["seed"] for one in tasks if one] == [7, 9]


def test_an_unknown_checkpoint_is_not_fed_back(shop: LoopShop) -> None:
    unknown = replace(LOST.checkpoints[0], outcome=Outcome.UNKNOWN)
    shop.judge.verdicts.append(replace(LOST, passed=None, checkpoints=(unknown,)))

    job = shop.run()

    assert [one.fed_back for one in job.tries] == [(), ()]
    assert shop.writer.asked == []


def test_every_step_has_a_row_of_its_own_and_the_same_lineage(shop: LoopShop) -> None:
    shop.judge.verdicts.append(LOST)

    shop.run()

    rows = [(row.request_id, row.lineage_id) for row in shop.shop.sink.ended]
    calls = [
        (one.request_id, one.lineage_id) for one in (*shop.judge.callers, *shop.writer.callers)
    ]
    assert sorted(one for one, _ in rows + calls) == [
        "req_1_l1",
        "req_1_l2",
        "req_1_l3",
        "req_1_t1",
        "req_1_t2",
    ]
    assert {lineage for _, lineage in rows + calls} == {"req_1"}
