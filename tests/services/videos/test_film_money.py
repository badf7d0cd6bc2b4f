"""What films cost: by the second, the token and the film, reserved at the longest."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.access import ApiKey, Budget
from llm_api.domain.made_bills import FilmTier, VideoBill
from llm_api.domain.videos import AUTO_SECONDS
from llm_api.errors import ApiError, InvalidRequest, RateLimited, UpstreamFault
from llm_api.services.pricing import Price
from llm_api.storage.sql.usage import SqlUsageStore
from tests.services.images.workshop import price
from tests.services.videos.film_shop import (
    FILM,
    LINK,
    FilmShop,
    ScriptedFilms,
    asker,
    film_made,
    film_shop,
    under_way,
)
from tests.support.films import webm
from tests.support.tables import each
from tests.support.waiting import wait_until

KEY = ApiKey("key_1", "shop", budgets=(Budget("month", "CNY", 100_000_000),))
GONE = UpstreamFault("Gone.", reason="task_not_found").replaced(may_have_charged=True)
FAILED = UpstreamFault("Failed.", reason="task_failed")
TIERS = (
    FilmTier(Decimal("0.6"), "1080p"),
    FilmTier(Decimal("0.4"), "720p", audio=True),
    FilmTier(Decimal("0.3"), "720p"),
)


def bill(seconds: Any = 5, resolution: str = "720p", *, audio: bool = False, **more: Any) -> Any:
    """Make the bill of a film."""
    amount = None if seconds is None else Decimal(str(seconds))
    return VideoBill(more.pop("films", 1), amount, resolution, audio, **more)


@each(
    ("at", "of", "micro", "units"),
    [
        (price(second="0.3"), bill(), 1_500_000, ("second",)),
        (price(second="0.3"), bill(4.25), 1_275_000, ("second",)),
        (price(second="0.142"), bill(5), 710_000, ("second",)),
        (price(second="0.3"), bill(None), None, ("second",)),
        (price(second="0.3"), bill(films=0), 0, ("second",)),
        (price(seconds=TIERS), bill(), 1_500_000, ("second",)),
        (price(seconds=TIERS), bill(audio=True), 2_000_000, ("second",)),
        (price(seconds=TIERS), bill(resolution="1080p"), 3_000_000, ("second",)),
        (price(seconds=TIERS), bill(resolution="4k"), None, ("second",)),
        (price(seconds=TIERS, second="1"), bill(resolution="4k"), 5_000_000, ("second",)),
        (price(output="46"), bill(output_tokens=108_900), 5_009_400, ("token",)),
        (price(output="46"), bill(), None, ("token",)),
        (price(output="46.5"), bill(output_tokens=1), 47, ("token",)),
        (
            price(output="70", film_tokens=(FilmTier(Decimal(77), "1080p"),)),
            bill(resolution="1080p", output_tokens=245_025),
            18_866_925,
            ("token",),
        ),
        (
            price(output="70", film_tokens=(FilmTier(Decimal(77), "1080p"),)),
            bill(output_tokens=108_900),
            7_623_000,
            ("token",),
        ),
        (
            price(film_tokens=(FilmTier(Decimal(77), "1080p"),)),
            bill(output_tokens=108_900),
            None,
            ("token",),
        ),
        (price(video="1.4"), bill(None), 1_400_000, ("video",)),
        (price(video="1", second="0.1"), bill(), 1_500_000, ("second", "video")),
        (price(video="0"), bill(), 0, ("video",)),
        (price(), bill(), None, ()),
        (price(image="1"), bill(), None, ()),
    ],
)
def test_a_film_costs(at: Price, of: VideoBill, micro: int | None, units: Any) -> None:
    assert (at.of_videos(of), at.video_units) == (micro, units)


@pytest.fixture
def vendor() -> ScriptedFilms:
    """Script a vendor."""
    return ScriptedFilms()


@pytest.fixture
def shop(vendor: ScriptedFilms, tmp_path: Path) -> Iterator[FilmShop]:
    """Open a workshop in which a second costs a third of a yuan."""
    with film_shop(tmp_path, vendor, prices={"director": [price(second="0.3")]}) as opened:
        yield opened


def spent(shop: FilmShop) -> tuple[int, int]:
    """Return what the key has spent and reserved, once its rows are in the ledger."""
    SqlUsageStore(shop.engine_of_store).add(shop.sink.ended)
    month = shop.accounts_now().strftime("%Y-%m")
    return shop.budgets.spent("key_1", month, "CNY")


def reserved(shop: FilmShop) -> int:
    """Return what is reserved of the key's budget now."""
    return shop.budgets.spent("key_1", shop.accounts_now().strftime("%Y-%m"), "CNY")[1]


def test_the_seconds_of_the_vendor_are_charged(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.append(film_made(seconds=4.5))

    job = shop.service.generate(FILM, asker(key=KEY), wait=10)

    assert (job.cost_micro, job.currency) == (1_350_000, "CNY")
    assert spent(shop) == (1_350_000, 0)


def test_a_vendor_that_counts_nothing_gets_what_was_asked_for(shop: FilmShop) -> None:
    assert shop.service.generate(FILM, asker(), wait=10).cost_micro == 1_500_000


def test_a_film_as_long_as_the_model_likes_is_unknown_where_nobody_counts(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    vendor.fitted = {"longest": 12}
    wanted = replace(FILM, duration=AUTO_SECONDS)

    job = shop.service.generate(wanted, asker(), wait=10)

    assert job.cost_micro is None
    assert shop.sink.ended[0].cost_micro is None


@each(("duration", "micro"), [(5, 1_500_000), (AUTO_SECONDS, 3_600_000)])
def test_the_longest_is_reserved(
    tmp_path_factory: pytest.TempPathFactory, duration: int, micro: int
) -> None:
    seen: list[int] = []
    vendor = ScriptedFilms(lambda: seen.append(reserved(shop)) or under_way())
    vendor.fitted = {"longest": 12} if duration == AUTO_SECONDS else {}
    vendor.polls.append(film_made(seconds=5))
    prices = {"director": [price(second="0.3")]}

    with film_shop(tmp_path_factory.mktemp("shop"), vendor, prices=prices) as shop:
        shop.service.generate(replace(FILM, duration=duration), asker(key=KEY), wait=10)

        assert (seen, spent(shop)) == ([micro], (1_500_000, 0))


def test_the_tokens_of_all_frames_are_reserved(tmp_path: Path) -> None:
    seen: list[int] = []
    vendor = ScriptedFilms(lambda: seen.append(reserved(shop)) or under_way())
    vendor.fitted = {"tokens_per_pixel": 24 / 1024}
    vendor.polls.append(film_made(output_tokens=108_900))

    with film_shop(tmp_path, vendor, prices={"director": [price(output="46")]}) as shop:
        job = shop.service.generate(FILM, asker(key=KEY), wait=10)

    assert (seen, job.cost_micro) == ([5_009_400], 5_009_400)


def test_a_film_of_tokens_that_nobody_has_counted_before_is_not_free(tmp_path: Path) -> None:
    prices = {"director": [price(output="46")]}

    with film_shop(tmp_path, ScriptedFilms(), prices=prices) as shop:
        shown = shop.service.preview(FILM, asker())
        with pytest.raises(ApiError) as raised:
            shop.service.generate(replace(FILM, max_cost_micro=0), asker(), wait=10)

    assert shown.cost_micro is None
    assert raised.value.reason == "price_unknown"


def test_a_failed_film_costs_nothing(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.append(FAILED)

    with pytest.raises(ApiError):
        shop.service.generate(FILM, asker(key=KEY), wait=10)

    [row] = shop.sink.ended
    assert (row.cost_micro, row.images, row.completion_tokens) == (0, 0, 0)
    assert spent(shop) == (0, 0)


def test_a_film_of_which_nobody_knows_costs_nobody_knows_what(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    vendor.polls.append(GONE)

    with pytest.raises(ApiError):
        shop.service.generate(FILM, asker(key=KEY), wait=10)

    [row] = shop.sink.ended
    assert (row.cost_micro, row.status) == (None, "unknown")


def test_a_film_that_could_not_be_copied_is_paid_for_all_the_same(shop: FilmShop) -> None:
    shop.links["https://vendor.example/cat.mp4"] = UpstreamFault("x", reason="result_expired")

    with pytest.raises(ApiError) as raised:
        shop.service.generate(FILM, asker(), wait=10)

    assert raised.value.may_have_charged
    assert shop.sink.ended[0].cost_micro == 1_500_000


def test_a_film_that_is_refused_gives_its_money_back_at_once(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    vendor.turns.append(InvalidRequest("Filtered.", reason="content_filtered"))

    with pytest.raises(ApiError):
        shop.service.generate(FILM, asker(key=KEY), wait=10)

    assert reserved(shop) == 0


def test_a_budget_that_is_spent_in_between_is_not_exceeded(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    """A film that goes on has its money; of what is left the next one must be paid."""
    key = replace(KEY, budgets=(Budget("month", "CNY", 2_900_000),))
    vendor.polls.append(replace(under_way("queued"), after=60.0))
    going_on = shop.service.generate(FILM, asker(1, key=key), wait=0)

    with pytest.raises(RateLimited) as raised:
        shop.service.generate(FILM, asker(2, key=key), wait=10)
    wait_until(lambda: bool(vendor.polled), 10, "nobody looks")
    shop.service.cancel(going_on.id, key)
    later = shop.service.generate(FILM, asker(3, key=key), wait=10)

    assert raised.value.reason == "insufficient_quota"
    assert (later.cost_micro, len(vendor.parts)) == (1_500_000, 2)


def test_the_dearest_model_that_may_be_asked_is_reserved(tmp_path: Path) -> None:
    seen: list[int] = []
    first = ScriptedFilms(lambda: seen.append(reserved(shop)) or under_way())
    second = ScriptedFilms(name="other", model="dear")
    prices = {"director": [price(second="0.3")], "dear": [price(second="0.9")]}

    with film_shop(tmp_path, first, second, fallbacks=("other",), prices=prices) as shop:
        shop.service.generate(FILM, asker(key=KEY), wait=10)

    assert seen == [4_500_000]


@each(("most", "asked"), [(4_500_000, "other"), (4_499_999, "director"), (1_500_000, "director")])
def test_a_fallback_that_may_cost_too_much_is_not_asked(
    tmp_path_factory: pytest.TempPathFactory, most: int, asked: str
) -> None:
    away = UpstreamFault("Away.", reason="upstream_unreachable").replaced(allows_failover=True)
    first, second = ScriptedFilms(away), ScriptedFilms(name="other", model="dear")
    prices = {"director": [price(second="0.3")], "dear": [price(second="0.9")]}
    wanted, folder = replace(FILM, max_cost_micro=most), tmp_path_factory.mktemp("shop")

    shop = film_shop(folder, first, second, fallbacks=("other",), prices=prices)
    with shop as opened, suppress(UpstreamFault):
        opened.service.generate(wanted, asker(), wait=10)

    assert len(second.parts) == (asked == "other")


def test_a_film_that_does_not_tell_its_size_has_none_in_its_row(shop: FilmShop) -> None:
    shop.links[LINK] = webm()

    job = shop.service.generate(FILM, asker(), wait=10)

    [row] = shop.sink.ended
    assert row.pictures is not None
    assert (row.pictures["sizes"], row.pictures["films"]) == ([], 1)
    assert job.film is not None
    assert (job.film.file.width, job.film.fps) == (None, None)


def test_a_row_says_what_was_made(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.append(film_made(seconds=5.0, raw={"duration": 5}))

    shop.service.generate(replace(FILM, audio=True), asker(), wait=10)

    [row] = shop.sink.ended
    assert row.images == 1
    assert row.pictures == {
        "films": 1,
        "seconds": 5.0,
        "resolution": "720p",
        "audio": True,
        "sizes": ["1280x720"],
        "price_unit": "second",
        "vendor": {"duration": 5},
        "vendor_request_ids": [],
    }
