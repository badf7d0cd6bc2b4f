"""What callers are told of loops: rewrites that failed, verdicts to doubt, calls that cost more."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from llm_api.domain.judging import CheckpointVerdict, Outcome, Verdict
from llm_api.domain.loops import Acceptance, Amount, LoopPlan
from llm_api.errors import UpstreamFault
from llm_api.services.loop import LoopJob
from llm_api.services.loop.choosing import is_accepted
from tests.services.loop.looping import GOOD, LOST, UNTIL, limited, loop_shop, told

DOWN = UpstreamFault("It is down.", reason="upstream_error", retryable=True)
UNSEEN = replace(GOOD, confidence=None, passed=None, warnings=("It may not have been seen.",))
SEEN, UNKNOWN = (
    CheckpointVerdict("There is a cat", outcome, source="measured")
    for outcome in (Outcome.PASSED, Outcome.UNKNOWN)
)
MEASURED = Verdict("measured", passed=True, checkpoints=(SEEN, *[UNKNOWN] * 3), coverage=0.25)


def told_of(job: LoopJob) -> list[tuple[str, str, str]]:
    """Return what a caller is told."""
    return [(one.field, one.code, one.message) for one in job.notices]


@pytest.mark.parametrize("is_best", [True, False])
def test_a_rewrite_that_failed_in_a_further_try_is_told_with_its_cost(
    tmp_path: Path, *, is_best: bool
) -> None:
    last = GOOD if is_best else replace(LOST, overall=20.0)
    with loop_shop(tmp_path, LOST, last) as shop:
        shop.writer.errors = deque([DOWN.replaced(report=told("writer"))])
        job = shop.run(LoopPlan(max_tries=2))

    [(field, code, message)] = told_of(job)
    assert (field, code) == ("optimize_prompt", "dropped")
    assert "(upstream_error)" in message
    assert message.endswith("That has cost 0.000200 CNY.")
    # Of a try whose pictures are not those that are shown, it is said which one it was.
    assert message.startswith("Try 2: ") is not is_best
    assert [one.message for one in job.tries[1].notices] == [message.removeprefix("Try 2: ")]
    assert job.tries[1].cost.micro == 200 + 200_000 + 200


def test_it_is_told_where_nobody_knows_what_it_has_cost(tmp_path: Path) -> None:
    with loop_shop(tmp_path, LOST) as shop:
        lost = replace(told("writer"), answer_count=0)
        shop.writer.errors = deque([DOWN.replaced(report=lost)])
        job = shop.run(LoopPlan(max_tries=2))

    assert told_of(job)[0][2].endswith("It is not known what that has cost.")


def test_a_picture_that_may_not_have_been_seen_is_told_where_other_warnings_are(
    tmp_path: Path,
) -> None:
    with loop_shop(tmp_path, UNSEEN) as shop:
        job = shop.run(LoopPlan())

    assert told_of(job) == [("judge", "dropped", "Picture 0: It may not have been seen.")]


def test_what_was_measured_is_accepted_by_little_and_that_is_told(tmp_path: Path) -> None:
    with loop_shop(tmp_path, MEASURED) as shop:
        job = shop.run()

    assert (job.stopped_by, len(job.tries)) == ("accepted", 1)
    [(field, code, message)] = told_of(job)
    assert (field, code) == ("until.accept", "adapted")
    assert "only 1 of 4 checkpoints could be checked" in message


def test_a_caller_may_ask_for_more_to_be_known(tmp_path: Path) -> None:
    plan = replace(UNTIL, accept=Acceptance(min_coverage=0.5), max_tries=3)
    better = replace(MEASURED, checkpoints=(SEEN, UNKNOWN), coverage=0.5)
    with loop_shop(tmp_path, MEASURED, better) as shop:
        job = shop.run(plan)

    assert (job.stopped_by, len(job.tries), told_of(job)) == ("accepted", 2, [])


def test_coverage_is_asked_for_beside_everything_else() -> None:
    failed = replace(MEASURED, passed=False, coverage=1.0)
    cases = [
        (Acceptance(), MEASURED, True),
        (Acceptance(min_coverage=0.25), MEASURED, True),
        (Acceptance(min_coverage=0.3), MEASURED, False),
        (Acceptance(min_coverage=0.3), failed, False),
        (Acceptance(min_coverage=0.3), replace(MEASURED, coverage=None), False),
        (Acceptance(min_overall=50, min_coverage=0.3), replace(GOOD, coverage=0.2), False),
        (Acceptance(min_overall=50, min_coverage=0.3), replace(GOOD, coverage=0.3), True),
    ]

    assert [is_accepted(verdict, rule) for rule, verdict, _ in cases] == [
        is_it for *_, is_it in cases
    ]


def test_a_call_that_costs_more_than_it_can_is_told_and_makes_the_others_dearer(
    tmp_path: Path,
) -> None:
    # A verdict costs at most 4 x 1,000 + 2 x 2 x 500 millionths, and this one thrice that or more.
    dear = replace(LOST, cost_micro=20_000, currency="CNY")
    with loop_shop(tmp_path, dear, dear) as shop:
        # Two tries at the usual price, and not at four times of it.
        job = shop.run(limited("0.43"))

    assert (job.stopped_by, len(job.tries)) == ("max_cost", 1)
    [(field, code, message)] = told_of(job)
    assert (field, code) == ("until.max_cost", "adapted")
    assert "has cost 0.020000 CNY, and could cost 0.006000 CNY" in message
    assert "4 times as dear" in message


def test_a_call_within_its_limit_makes_nothing_dearer(tmp_path: Path) -> None:
    usual = replace(LOST, cost_micro=6_000, currency="CNY")
    with loop_shop(tmp_path, usual, usual) as shop:
        job = shop.run(limited("0.43"))

    assert (len(job.tries), told_of(job)) == (2, [])
    assert job.cost.fits(Amount(430_000, "CNY"))
