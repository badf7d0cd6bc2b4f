"""What pictures cost: by image, size, quality, megapixel, picture sent along, and token."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from llm_api.domain.made_bills import PictureBill, PictureTier
from llm_api.services.pricing import Price

ONE = PictureBill((1_048_576,))
LOW, SMALL, ANY = (
    PictureTier(Decimal("0.1"), quality="low"),
    PictureTier(Decimal("0.2"), 1_048_576),
    PictureTier(Decimal("0.4")),
)


def price(**fields: Any) -> Price:
    """Make a price from texts and tiers."""
    amounts = {n: Decimal(v) if isinstance(v, str) else v for n, v in fields.items()}
    return Price(date(2020, 1, 1), "CNY", **amounts)


@pytest.mark.parametrize(
    ("at", "bill", "micro", "units"),
    [
        (price(image="0.25"), PictureBill((None, None)), 500_000, ("image",)),
        (price(images=(LOW, SMALL, ANY)), PictureBill((9,), "low"), 100_000, ("image",)),
        (price(images=(LOW, SMALL, ANY)), PictureBill((9,), "high"), 200_000, ("image",)),
        (price(images=(LOW, SMALL, ANY)), PictureBill((4_194_304,)), 400_000, ("image",)),
        (price(images=(LOW,), image="0.3"), ONE, 300_000, ("image",)),
        (price(images=(LOW,)), ONE, None, ("image",)),
        (price(images=(SMALL,)), PictureBill((None,)), None, ("image",)),
        (price(megapixel="0.02"), PictureBill((2_000_000, 1_000_000)), 60_000, ("megapixel",)),
        (price(megapixel="0.02"), PictureBill((None,)), None, ("megapixel",)),
        (
            price(image="0.25", input_image="0.02"),
            PictureBill((9,), input_images=3),
            310_000,
            ("image",),
        ),
        (
            price(input="5", output="30"),
            PictureBill((9,), input_tokens=1_000, output_tokens=6_000),
            185_000,
            ("token",),
        ),
        (price(output="30"), ONE, None, ("token",)),
        (
            price(image="0.1", output="30"),
            PictureBill((9,), output_tokens=1_000),
            130_000,
            ("image", "token"),
        ),
        (price(input="1"), ONE, None, ()),
        (price(image="0"), ONE, 0, ("image",)),
        (price(), PictureBill(()), 0, ()),
    ],
)
def test_a_picture_costs(
    at: Price, bill: PictureBill, micro: int | None, units: tuple[str, ...]
) -> None:
    assert (at.of_pictures(bill), at.picture_units) == (micro, units)


@pytest.mark.parametrize(
    ("at", "bill", "micro"),
    [
        (price(images=(LOW, SMALL, ANY)), PictureBill((None,)), 400_000),
        (price(images=(LOW, SMALL, ANY)), PictureBill((9,), "auto"), 400_000),
        (price(images=(LOW, SMALL), image="0.9"), PictureBill((9,)), 900_000),
        (price(images=(LOW, SMALL, ANY)), PictureBill((9,), "low"), 100_000),
        (price(megapixel="1"), PictureBill((None,)), 16_777_216),
    ],
)
def test_what_is_not_known_before_counts_as_the_dearest(
    at: Price, bill: PictureBill, micro: int
) -> None:
    assert at.of_pictures(bill, at_most=True) == micro
