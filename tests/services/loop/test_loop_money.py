"""Money of loops: `max_cost` is never exceeded, and nothing that is bought is left out."""

import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.domain.access import ApiKey, Budget
from llm_api.domain.calls import Attempt, CallReport, TokenUsage
from llm_api.domain.images import ImageRequest
from llm_api.domain.loops import Amount, LoopPlan
from llm_api.domain.money import decimal_text
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.tasks import TaskState
from llm_api.errors import InvalidRequest, RateLimited, Unauthorized, Unavailable
from llm_api.services.jobs.doubts import unknown_outcome
from llm_api.services.pricing import Price
from llm_api.services.quotas.estimates import TokenEstimate
from tests.services.images.workshop import ScriptedImages, caller, price
from tests.services.loop.looping import BROKEN, LOST, LoopShop, limited, loop_shop, place, told

IMAGE = 200_000  # millionths of a yuan
TEXT = 200  # of a call that the scripted models answer, and ...
MOST_OF_JUDGE, MOST_OF_WRITER = 4 * 1_000 + 4 * 500, 4 * 200 + 4 * 100  # ... of one at most


def test_all_steps_are_paid(tmp_path: Path) -> None:
    with loop_shop(tmp_path, LOST) as shop:
        job = shop.run()

    assert job.cost == Amount(2 * IMAGE + 3 * TEXT, "CNY")
    assert [one.cost.micro for one in job.tries] == [IMAGE + TEXT, IMAGE + 2 * TEXT]


def test_a_try_that_could_cost_more_than_is_left_is_not_begun(tmp_path: Path) -> None:
    spent = IMAGE + TEXT
    enough = spent + IMAGE + MOST_OF_JUDGE + MOST_OF_WRITER
    for limit, tries in ((enough, 2), (enough - 1, 1)):
        folder = tmp_path / str(limit)
        folder.mkdir()
        with loop_shop(folder, *[LOST] * 9) as shop:
            job = shop.run(LoopPlan(max_tries=9, max_cost=Amount(limit, "CNY")))

        assert (job.stopped_by, len(job.tries)) == ("max_cost", tries)
        assert job.state is TaskState.SUCCEEDED


def test_a_limit_that_no_try_fits_into_is_refused(tmp_path: Path) -> None:
    with loop_shop(tmp_path) as shop, pytest.raises(InvalidRequest) as caught:
        shop.run(limited("0.2"))

    assert caught.value.reason == "max_cost_too_low"
    least = decimal_text(IMAGE + MOST_OF_JUDGE)
    assert caught.value.fields[0].message == (
        f'must be at least "{least} CNY", which a single try can cost.'
    )
    assert shop.vendor.parts == []

    (tmp_path / "again").mkdir()
    with loop_shop(tmp_path / "again") as shop:
        assert shop.run(limited(least)).stopped_by == "accepted"


@pytest.mark.parametrize("model", ["painter", "seer", "writer"])
@pytest.mark.parametrize("prices", [[], [Price(price().valid_from, "USD", Decimal(1), Decimal(1))]])
def test_a_limit_that_cannot_be_kept_is_refused(
    tmp_path: Path, model: str, prices: list[Price]
) -> None:
    with loop_shop(tmp_path, prices={model: prices}) as shop, pytest.raises(InvalidRequest) as one:
        shop.run(limited("5"))

    assert one.value.reason == "price_unknown"
    assert f"the model {model} has no price in CNY" in one.value.message
    assert shop.vendor.parts == []


def test_what_nobody_uses_needs_no_price(tmp_path: Path) -> None:
    with loop_shop(tmp_path, prices={"writer": []}) as shop:
        assert shop.run(limited("5", tries=1)).stopped_by == "accepted"


def test_what_is_free_fits_into_any_currency(tmp_path: Path) -> None:
    of_text = [price(input="0", output="0")]
    prices = {"painter": [price(image="0")], "seer": of_text, "writer": of_text}
    with loop_shop(tmp_path, prices=prices) as shop:
        job = shop.run(LoopPlan(max_tries=2, max_cost=Amount(0, "EUR")))

    assert (job.stopped_by, job.cost.micro) == ("accepted", 0)


def test_an_unknown_cost_counts_as_the_most(tmp_path: Path) -> None:
    vendor = ScriptedImages(unknown_outcome())
    with loop_shop(tmp_path, vendor=vendor) as shop:
        job = shop.run(limited("5"))
        stored = shop.document(job.id)

    assert [one.error.reason if one.error else None for one in job.tries] == [
        "outcome_unknown",
        None,
    ]
    assert job.cost.micro is None
    assert stored.charged == Amount(2 * IMAGE + TEXT, "CNY")


def test_a_verdict_that_failed_is_paid(tmp_path: Path) -> None:
    with loop_shop(tmp_path, BROKEN) as shop:
        job = shop.run()

    assert (job.stopped_by, job.cost) == ("error", Amount(IMAGE + TEXT, "CNY"))
    assert [(one.field, one.code) for one in job.notices] == [("judge", "dropped")]
    assert len(job.pictures) == 1


@pytest.mark.parametrize(
    "attempts",
    [
        # The dear model has answered the first question, and the cheap one failed the second.
        (Attempt("a", "a", "dear"), Attempt("b", "b", "seer", "upstream_error")),
        (Attempt("a", "a", "dear"), Attempt("b", "b", "seer", "judge_unparsable")),
        # The vendor may want money for an answer that never came.
        (Attempt("a", "a", "seer"), Attempt("a", "a", "seer", "upstream_timeout")),
    ],
)
def test_a_failure_whose_cost_nobody_knows_counts_as_the_most(
    tmp_path: Path, attempts: tuple[Attempt, ...]
) -> None:
    with loop_shop(tmp_path, BROKEN) as shop:
        usage = TokenUsage(100, 50, source="upstream")
        shop.judge.report = lambda: CallReport(attempts, usage=usage, answer_count=1)
        job = shop.run(limited("5"))
        stored = shop.document(job.id)

    assert job.cost.micro is None
    assert stored.charged == Amount(IMAGE + MOST_OF_JUDGE, "CNY")


def test_thoughts_at_a_price_of_their_own_are_within_the_most(tmp_path: Path) -> None:
    dear = Price(price().valid_from, "CNY", Decimal(1), Decimal(2), reasoning=Decimal(50))
    with loop_shop(tmp_path, prices={"seer": [dear]}) as shop:
        now = shop.shop.accounts_now()
        most = shop.steps.brake.of_text((TokenEstimate(1_000, 500), place("seer")), now)

    assert max(one.most.micro or 0 for one in most) == 4 * 1_000 + 2 * 500 * 50


def test_a_budget_holds_in_the_background(tmp_path: Path) -> None:
    budget = Budget("month", "CNY", 450_000)
    key = ApiKey("key_1", "shop", budgets=(budget,))
    with loop_shop(tmp_path, *[LOST] * 9, keys={"key_1": key}) as shop:
        job = shop.run(caller=caller(key=key))
        rows = [row.key_id for row in shop.shop.sink.ended]

    # The scripted ledger settles nothing: two pictures are reserved, and a third is too much.
    assert (job.stopped_by, rows) == ("error", ["key_1", "key_1"])
    assert job.tries[-1].error is not None
    assert job.tries[-1].error.reason == "insufficient_quota"
    assert len(job.pictures) == 1


def test_a_key_that_was_disabled_pays_for_nothing_more(tmp_path: Path) -> None:
    key = ApiKey("key_1", "shop")
    with loop_shop(tmp_path, keys={}) as shop, pytest.raises(Unauthorized):
        shop.run(caller=caller(key=key))

    assert shop.vendor.parts == []


def test_a_limit_by_the_minute_is_waited_for(tmp_path: Path) -> None:
    with loop_shop(tmp_path) as shop:
        shop.judge.verdicts.append(
            RateLimited("The limit is 1 token.", reason="rate_limited", retry_after=1)
        )
        job = shop.run(limited("5"))

        assert (job.stopped_by, len(shop.judge.asked)) == ("accepted", 2)
        assert shop.document(job.id).charged == Amount(IMAGE + TEXT, "CNY")


_MONEY = st.integers(0, 3_000_000)
_PRICES = st.decimals(0, 5, places=3)


class _Costly(ScriptedImages):
    """Makes pictures up to the most that was asked for, and counts tokens up to its estimate."""

    def fit(self, request: ImageRequest, model: str) -> Any:
        """See ImageUpstream."""
        self.n_per_call = request.n
        return super().fit(request, model)


@settings(max_examples=60, deadline=None)
@given(
    limit=_MONEY,
    image=_PRICES,
    words=st.tuples(*[_PRICES] * 2),
    counts=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 500)), min_size=1, max_size=9),
    fates=st.lists(st.sampled_from(["lost", "broken", "unknown", "fine"]), max_size=12),
    n=st.integers(1, 3),
    optimizes=st.booleans(),
)
def test_the_limit_is_never_exceeded(  # noqa: PLR0913, PLR0917  # each is drawn
    limit: int,
    image: Decimal,
    words: tuple[Decimal, Decimal],
    counts: list[tuple[int, int]],
    fates: list[str],
    n: int,
    optimizes: bool,  # noqa: FBT001  # drawn
) -> None:
    of_text = [price(input=str(words[0] * 1_000), output=str(words[1] * 1_000))]
    prices = {"painter": [price(image=str(image))], "seer": of_text, "writer": of_text}
    vendor = _Costly()
    with (
        tempfile.TemporaryDirectory() as folder,
        loop_shop(Path(folder), vendor=vendor, prices=prices) as shop,
    ):
        paid = _Paid(shop, counts)
        for fate in fates:
            if fate == "unknown":
                vendor.turns.append(paid.lost(n, image))
            elif fate != "fine":
                shop.judge.verdicts.append(LOST if fate == "lost" else BROKEN)
        plan = LoopPlan(max_tries=5, max_cost=Amount(limit, "CNY"))
        wanted = PromptRequest("A cat", "image") if optimizes else None
        with suppress(InvalidRequest, Unavailable):  # no try fits, or no outcome is known
            shop.run(plan, request=ImageRequest("A cat", n=n), optimize=wanted)
        spent = paid.total + sum(row.cost_micro or 0 for row in shop.shop.sink.ended)

    assert spent <= limit


class _Paid:
    """Counts what the scripted models for texts cost; each takes as much as it may, or less."""

    def __init__(self, shop: LoopShop, counts: list[tuple[int, int]]) -> None:
        self.total = 0
        self._counts = counts
        self._prices = shop.shop.prices
        self._calls = 0
        for model, scripted in (("seer", shop.judge), ("writer", shop.writer)):
            scripted.report = self._reporting(model)  # type: ignore[attr-defined]

    def lost(self, n: int, image: Decimal) -> Any:
        """Return a turn of a vendor that has made the pictures, and whose answer is lost."""

        def turn() -> Any:
            self.total += round(image * 1_000_000) * n
            raise unknown_outcome()

        return turn

    def _reporting(self, model: str) -> Any:
        most = {"seer": (2_000, 500), "writer": (400, 100)}[model]

        def report() -> Any:
            prompt, completion = self._counts[self._calls % len(self._counts)]
            self._calls += 1
            made = told(model, prompt=min(prompt, most[0]), completion=min(completion, most[1]))
            cost = self._prices.cost(model, made.usage, price().valid_from.replace(year=2026))
            self.total += 0 if cost is None else cost[0]
            return made

        return report
