"""What a call costs: whole millionths, exact to half of one, and unknown where a price is."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.calls import TokenUsage
from llm_api.services.pricing import Price, PriceList
from llm_api.settings.config_files import MODELS, read_models
from llm_api.settings.settings import SettingsError

DAY = date(2026, 11, 22)
COUNTED = TokenUsage(1_000, 500, "upstream")
MAX_COUNT = 2**31 - 1  # what an upstream's count can be at most

counts = st.integers(min_value=0, max_value=MAX_COUNT)
# To a hundred-millionth of a currency's unit: no vendor's list is finer.
amounts = st.integers(min_value=0, max_value=10**14).map(lambda n: Decimal(n).scaleb(-8))
maybe_amounts = st.none() | amounts


def price(**fields: object) -> Price:
    """Make a price from texts, valid since long."""
    amounts_of = {name: Decimal(str(value)) for name, value in fields.items()}
    return Price(date(2020, 1, 1), "CNY", **amounts_of)


def listed(*prices: Price) -> PriceList:
    """Make the list of one model."""
    return PriceList({"m": prices})


def half_up(exact: Fraction) -> int:
    """Round as on paper, without Decimal."""
    return int((exact * 2 + 1) // 2)


def exact_cost(usage: TokenUsage, at: Price) -> Fraction:
    """Compute the cost in millionths with fractions, part by part; every price is known."""
    cached, thought = usage.cached_tokens or 0, usage.reasoning_tokens or 0
    assert at.input is not None
    assert at.output is not None
    parts = [
        ((usage.prompt_tokens or 0) - cached, at.input),
        (cached, at.input if at.cached_input is None else at.cached_input),
        ((usage.completion_tokens or 0) - thought, at.output),
        (thought, at.output if at.reasoning is None else at.reasoning),
        ((usage.images or 0) * 10**6, at.image or Decimal(0)),
    ]
    return sum((count * Fraction(one) for count, one in parts), Fraction(0))


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage:
    """Draw what an upstream can have counted: no part is more than its whole."""
    prompt, completion = draw(counts), draw(counts)
    cached = draw(st.none() | st.integers(min_value=0, max_value=prompt))
    thought = draw(st.none() | st.integers(min_value=0, max_value=completion))
    return TokenUsage(prompt, completion, "upstream", cached, thought)


@given(
    usage=usages(),
    at=st.builds(
        Price, st.just(DAY), st.just("CNY"), amounts, amounts, maybe_amounts, maybe_amounts
    ),
)
def test_a_cost_is_exact_to_half_a_millionth(usage: TokenUsage, at: Price) -> None:
    cost = at.of(usage)

    assert type(cost) is int
    assert cost == half_up(exact_cost(usage, at))


@given(st.lists(st.tuples(counts, amounts), max_size=20))
def test_a_sum_of_costs_is_off_by_half_a_millionth_a_call_at_most(
    calls: Sequence[tuple[int, Decimal]],
) -> None:
    costs = [price(input=at, output=0).of(TokenUsage(count, 0)) or 0 for count, at in calls]

    exact = sum((count * Fraction(at) for count, at in calls), Fraction(0))
    assert abs(sum(costs) - exact) <= Fraction(len(calls), 2)


def test_a_million_calls_cost_a_million_times_as_much() -> None:
    at = price(input="0.1", output="0.7")  # neither is a binary fraction
    cost = at.of(TokenUsage(10, 10))

    assert cost == 8
    assert sum([cost] * 10**6) == 8 * 10**6


@given(
    usage=st.builds(
        TokenUsage, *[st.none() | st.integers()] * 2, st.just("upstream"), *[st.integers()] * 3
    ),
    at=st.builds(Price, st.just(DAY), st.just("CNY"), *[maybe_amounts] * 5),
)
def test_no_cost_is_negative_whatever_was_counted(usage: TokenUsage, at: Price) -> None:
    cost = at.of(usage)

    assert cost is None or cost >= 0


@pytest.mark.parametrize(
    ("tokens", "cost"), [(0, 0), (1, 0), (4, 0), (5, 1), (14, 1), (15, 2), (25, 3)]
)
def test_half_a_millionth_is_rounded_up(tokens: int, cost: int) -> None:
    assert price(input="0.1", output=0).of(TokenUsage(tokens, 0)) == cost


def test_parts_are_rounded_together_and_not_one_by_one() -> None:
    assert price(input="0.4", output="0.4").of(TokenUsage(1, 1)) == 1


def test_a_price_for_a_million_tokens_is_that_of_one_in_millionths() -> None:
    assert price(input="0.8", output=2).of(TokenUsage(10**6, 10**6)) == 2_800_000


def test_cached_and_thought_tokens_have_their_own_prices() -> None:
    at = price(input=10, output=100, cached_input=1, reasoning=1000)

    cost = at.of(TokenUsage(9, 7, cached_tokens=4, reasoning_tokens=2))

    assert cost == 5 * 10 + 4 * 1 + 5 * 100 + 2 * 1000


def test_cached_and_thought_tokens_cost_as_the_others_where_no_price_is_told() -> None:
    cost = price(input=10, output=100).of(TokenUsage(9, 7, cached_tokens=4, reasoning_tokens=2))

    assert cost == 9 * 10 + 7 * 100


def test_cached_tokens_can_be_free() -> None:
    cost = price(input=10, output=1, cached_input=0).of(TokenUsage(9, 0, cached_tokens=9))

    assert cost == 0


def test_images_cost_by_the_piece() -> None:
    usage = TokenUsage(None, None, images=3)

    assert listed(price(image="0.2")).cost("m", usage, DAY) == (600_000, "CNY")


@pytest.mark.parametrize(
    ("known", "usage"),
    [
        ({"output": 1}, TokenUsage(1, 1)),
        ({"input": 1}, TokenUsage(1, 1)),
        ({"input": 1, "cached_input": 1}, TokenUsage(1, 1)),
        ({"input": 1, "output": 1}, TokenUsage(1, 1, images=1)),
        ({"output": 1, "cached_input": 1}, TokenUsage(2, 1, cached_tokens=1)),
        ({}, TokenUsage(1, 0)),
    ],
    ids=["no input", "no output", "only cached", "no image", "input beside cached", "nothing"],
)
def test_a_cost_is_unknown_where_a_price_it_needs_is(
    known: dict[str, int], usage: TokenUsage
) -> None:
    assert listed(price(**known)).cost("m", usage, DAY) is None


def test_a_price_that_is_not_needed_need_not_be_known() -> None:
    assert listed(price(input=3)).cost("m", TokenUsage(2, 0), DAY) == (6, "CNY")
    assert listed(price(cached_input=3)).cost("m", TokenUsage(2, 0, cached_tokens=2), DAY) == (
        6,
        "CNY",
    )


@pytest.mark.parametrize("source", ["missing", "invalid"])
def test_a_cost_is_unknown_where_no_count_is_known(source: str) -> None:
    known = listed(price(input=1, output=1, image=1))

    assert known.cost("m", TokenUsage(source=source), DAY) is None


def test_a_cost_is_unknown_of_a_model_without_a_price() -> None:
    assert listed(price(input=1, output=1)).cost("other", COUNTED, DAY) is None
    assert PriceList({"m": []}).cost("m", COUNTED, DAY) is None
    assert PriceList({}).cost("m", COUNTED, DAY) is None


def test_a_cost_that_no_database_can_keep_is_unknown() -> None:
    usage = TokenUsage(0, 0, images=MAX_COUNT)

    assert listed(price(image=5_000)).cost("m", usage, DAY) is None
    assert listed(price(image=5)).cost("m", usage, DAY) == (MAX_COUNT * 5_000_000, "CNY")


def test_a_price_of_nothing_is_known_and_not_the_same_as_none() -> None:
    assert listed(price(input=0, output=0)).cost("m", COUNTED, DAY) == (0, "CNY")


@pytest.mark.parametrize(
    ("days", "cost"),
    [(-1, None), (0, (1_000, "CNY")), (9, (1_000, "CNY")), (10, (2_000, "USD"))],
    ids=["before any", "first day", "last day", "next price"],
)
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "the other way round"])
def test_a_price_holds_from_its_day_on(days: int, cost: tuple[int, str] | None, order: int) -> None:
    first = Price(DAY, "CNY", Decimal(1), Decimal(0))
    second = Price(DAY + timedelta(days=10), "USD", Decimal(2), Decimal(0))
    known = listed(*[first, second][::order])

    assert known.cost("m", COUNTED, DAY + timedelta(days=days)) == cost


def test_a_later_price_does_not_borrow_from_an_earlier_one() -> None:
    first = Price(DAY, "CNY", Decimal(1), Decimal(1))
    second = Price(DAY + timedelta(days=1), "CNY", Decimal(1))

    assert listed(first, second).cost("m", COUNTED, DAY + timedelta(days=1)) is None


def read(root: Path, prices: str) -> PriceList:
    """Read a catalogue with a model `m` that has these prices."""
    (root / MODELS).parent.mkdir()
    (root / MODELS).write_text(f'[models.m]\nupstream = "fast"\n{prices}')
    return read_models(root)[1]


def test_prices_are_read_from_the_catalogue(tmp_path: Path) -> None:
    known = read(
        tmp_path,
        '[[models.m.prices]]\nvalid_from = 2026-01-01\ncurrency = "CNY"\ninput = "0.35"\n'
        'output = 3\ncached_input = "0.07"\nreasoning = "30"\nimage = "0.2"\n',
    )

    usage = TokenUsage(1_000, 100, "upstream", 400, 50, 2)
    exact = Decimal("0.35") * 600 + Decimal("0.07") * 400 + 3 * 50 + 30 * 50 + 400_000
    assert known.cost("m", usage, DAY) == (int(exact.to_integral_value(ROUND_HALF_UP)), "CNY")


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("input = 0.8", "amount in quotes"),
        ('input = "-1"', "at least 0"),
        ('input = "NaN"', ""),
        ('input = "Infinity"', ""),
        ('input = "a lot"', ""),
        ("input = true", "amount in quotes"),
        ('currency = "Yuan"', ""),
        ('valid_from = "2026-01-01"', "date without quotes"),
        ("valid_from = 2026-01-01T00:00:00Z", "date without quotes"),
        ('batch = "1"', "Unknown field"),
    ],
)
def test_a_wrong_price_is_named(line: str, right: str, tmp_path: Path) -> None:
    lines = {"valid_from": "valid_from = 2026-01-01", "currency": 'currency = "CNY"'}
    name = line.split(" ", maxsplit=1)[0]
    table = "\n".join(["[[models.m.prices]]", *(lines | {name: line}).values()])

    with pytest.raises(SettingsError) as caught:
        read(tmp_path, table)

    [problem] = caught.value.problems
    assert f"prices.0.{name}" in problem
    assert right in problem
