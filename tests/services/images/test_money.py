"""What pictures cost: reserved before, settled by the row, limited by the minute."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.access import TOKENS, ApiKey, Budget, Limits
from llm_api.domain.made_bills import PictureTier
from llm_api.domain.making import MadeUsage, Size
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError, Forbidden, InvalidRequest, RateLimited, UpstreamFault
from llm_api.storage.sql.usage import SqlUsageStore
from tests.services.images.workshop import (
    CAT,
    ScriptedImages,
    Workshop,
    caller,
    made,
    price,
    workshop,
)

KEY = ApiKey("key_1", "shop", budgets=(Budget("month", "CNY", 1_000_000),))
BROKEN = UpstreamFault("Broken.", reason="upstream_error").replaced(may_have_charged=True)
FILTERED = InvalidRequest("Filtered.", reason="content_filtered")


@pytest.fixture
def vendor() -> ScriptedImages:
    """Script a vendor."""
    return ScriptedImages()


@pytest.fixture
def shop(vendor: ScriptedImages, tmp_path: Path) -> Iterator[Workshop]:
    """Open a workshop."""
    with workshop(tmp_path, vendor) as opened:
        yield opened


def spent(shop: Workshop) -> tuple[int, int]:
    """Return what the key has spent and reserved, once its rows are in the ledger."""
    SqlUsageStore(shop.engine_of_store).add(shop.sink.ended)
    month = shop.accounts_now().strftime("%Y-%m")
    return shop.budgets.spent("key_1", month, "CNY")


def reserved(shop: Workshop) -> int:
    """Return what is reserved of the key's budget now."""
    month = shop.accounts_now().strftime("%Y-%m")
    return shop.budgets.spent("key_1", month, "CNY")[1]


def row_of(shop: Workshop) -> UsageRecord:
    """Return the only row."""
    [row] = shop.sink.ended
    return row


def test_the_price_is_reserved_before_anything_is_sent(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    seen: list[int] = []
    vendor.turns.append(lambda: seen.append(reserved(shop)) or made())

    shop.service.generate(replace(CAT, n=2), caller(key=KEY), wait=10)

    assert seen == [400_000]
    assert spent(shop) == (400_000, 0)


def test_refused_pictures_give_their_money_back(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(FILTERED)

    with pytest.raises(ApiError):
        shop.service.generate(CAT, caller(key=KEY), wait=10)

    assert spent(shop) == (0, 0)


def test_the_money_of_refused_pictures_is_there_before_the_answer(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.turns.append(FILTERED)

    with pytest.raises(ApiError):
        shop.service.generate(CAT, caller(key=KEY), wait=10)

    assert reserved(shop) == 0


def test_an_unknown_outcome_costs_what_was_reserved(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(BROKEN)

    with pytest.raises(ApiError):
        shop.service.generate(CAT, caller(key=KEY), wait=10)

    assert row_of(shop).cost_micro is None
    assert spent(shop) == (200_000, 0)


def test_a_job_that_reached_no_vendor_gives_its_money_back(
    shop: Workshop, vendor: ScriptedImages
) -> None:
    vendor.turns.append(UpstreamFault("No.", reason="refused"))

    with pytest.raises(ApiError):
        shop.service.generate(CAT, caller(key=KEY), wait=10)

    assert (spent(shop), shop.sink.ended) == ((0, 0), [])


def test_a_budget_is_for_so_many_pictures(shop: Workshop, vendor: ScriptedImages) -> None:
    with pytest.raises(RateLimited) as caught:
        shop.service.generate(replace(CAT, n=6), caller(key=KEY), wait=10)

    assert caught.value.reason == "insufficient_quota"
    assert vendor.parts == []


def test_a_model_without_a_price_is_not_for_a_budget_of_money(tmp_path: Path) -> None:
    with workshop(tmp_path, ScriptedImages(model="free")) as shop, pytest.raises(Forbidden):
        shop.service.generate(CAT, caller(key=KEY), wait=10)


def test_a_budget_of_tokens_counts_those_of_the_vendor(tmp_path: Path) -> None:
    key = replace(KEY, budgets=(Budget("month", TOKENS, 20_000),))
    counted = MadeUsage(input_tokens=20, output_tokens=4_000)
    vendor = ScriptedImages(made(usage=counted))
    with workshop(tmp_path, vendor) as shop:
        shop.service.generate(CAT, caller(key=key), wait=10)
        SqlUsageStore(shop.engine_of_store).add(shop.sink.ended)
        month = shop.accounts_now().strftime("%Y-%m")

        assert shop.budgets.spent("key_1", month, TOKENS) == (4_020, 0)


def test_tokens_are_priced_where_the_model_has_a_price_for_them(tmp_path: Path) -> None:
    counted = MadeUsage(input_tokens=1_000, output_tokens=5_000)
    vendor = ScriptedImages(made(usage=counted), model="by-token")
    prices = {"by-token": [price(input="5", output="30")]}
    with workshop(tmp_path, vendor, prices=prices) as shop:
        job = shop.service.generate(CAT, caller(), wait=10)

        assert (job.cost_micro, row_of(shop).completion_tokens) == (155_000, 5_000)
        assert row_of(shop).pictures is not None
        assert (row_of(shop).pictures or {})["price_unit"] == "token"


def test_tokens_of_pictures_that_were_sent_along_have_a_price_of_their_own(tmp_path: Path) -> None:
    counted = MadeUsage(input_tokens=1_000, output_tokens=5_000, input_image_tokens=600)
    vendor = ScriptedImages(made(usage=counted), model="by-token")
    prices = {"by-token": [price(input="5", image_input="8", output="30")]}
    with workshop(tmp_path, vendor, prices=prices) as shop:
        job = shop.service.generate(CAT, caller(), wait=10)

    assert job.cost_micro == 400 * 5 + 600 * 8 + 5_000 * 30


def test_tokens_that_the_vendor_did_not_count_leave_the_cost_unknown(tmp_path: Path) -> None:
    prices = {"by-token": [price(output="30")]}
    with workshop(tmp_path, ScriptedImages(model="by-token"), prices=prices) as shop:
        job = shop.service.generate(CAT, caller(), wait=10)

    assert (job.cost_micro, row_of(shop).usage_source) == (None, "missing")


def test_the_size_of_what_was_made_is_priced(tmp_path: Path) -> None:
    vendor = ScriptedImages(made(size=Size(2048, 2048)), model="by-size")
    tiers = (PictureTier(_amount("0.1"), 1_048_576), PictureTier(_amount("0.3")))
    with workshop(tmp_path, vendor, prices={"by-size": [price(images=tiers)]}) as shop:
        job = shop.service.generate(CAT, caller(), wait=10)

    assert job.cost_micro == 300_000


def _amount(text: str) -> Any:
    return price(image=text).image


def test_pictures_of_a_minute_are_limited(tmp_path: Path) -> None:
    with workshop(tmp_path, ScriptedImages(), limits=Limits(images_per_minute=3)) as shop:
        shop.service.generate(replace(CAT, n=2), caller(1), wait=10)

        with pytest.raises(RateLimited) as caught:
            shop.service.generate(replace(CAT, n=2), caller(2), wait=10)

    assert (caught.value.scope, caught.value.retryable) == ("address.images", True)


def test_more_pictures_than_a_minute_ever_has_are_never_made(tmp_path: Path) -> None:
    with (
        workshop(tmp_path, ScriptedImages(), limits=Limits(images_per_minute=3)) as shop,
        pytest.raises(RateLimited) as caught,
    ):
        shop.service.generate(replace(CAT, n=4), caller(), wait=10)

    assert not caught.value.retryable


def test_a_keys_own_limit_counts(shop: Workshop) -> None:
    key = ApiKey("key_2", "shop", limits=Limits(images_per_minute=1))

    shop.service.generate(CAT, caller(1, key=key), wait=10)
    with pytest.raises(RateLimited) as caught:
        shop.service.generate(CAT, caller(2, key=key), wait=10)

    assert caught.value.scope == "key.images"


def test_a_job_with_a_wait_counts_as_a_call_in_progress(tmp_path: Path) -> None:
    inner: list[str] = []
    vendor = ScriptedImages()
    with workshop(tmp_path, vendor, limits=Limits(concurrent_requests=1)) as shop:

        def second() -> Any:
            with pytest.raises(RateLimited) as caught:
                shop.service.generate(CAT, caller(2), wait=10)
            inner.append(caught.value.reason)
            return made()

        vendor.turns.append(second)
        shop.service.generate(CAT, caller(1), wait=10)

        assert inner == ["too_many_at_once"]
        assert len(shop.service.generate(CAT, caller(3), wait=10).pictures) == 1
