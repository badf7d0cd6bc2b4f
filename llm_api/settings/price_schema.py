"""Reads the prices in `config/models.toml`."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import marshmallow as ma

from llm_api.domain.made_bills import FilmTier, PictureTier
from llm_api.domain.videos import RESOLUTIONS
from llm_api.services.pricing import Price

_TIERS = ("images", "seconds", "film_tokens")
_AMOUNT = r"^\s*\+?(0*\d[\d_]{0,11}(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"


class _Amount(ma.fields.Decimal):
    """An amount of money, written as a text: a float would not be exact."""

    def __init__(self, description: str, **options: Any) -> None:
        json = {"type": ["string", "integer"], "pattern": _AMOUNT, "minimum": 0}
        json |= {"exclusiveMaximum": 10**9}
        super().__init__(metadata={"description": description, "json": json}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ma.ValidationError(['Must be an amount in quotes, such as "0.8".'])
        amount = super()._deserialize(value, attr, data, **options)
        if amount is not None and not 0 <= amount < 10**9:
            raise ma.ValidationError(["Must be at least 0."])
        return amount


def _is_date(value: Any) -> None:
    if type(value) is not date:
        raise ma.ValidationError(["Must be a date without quotes, such as 2026-01-31."])


class _TierSchema(ma.Schema):
    price = _Amount("Of one picture.", required=True)
    max_pixels = ma.fields.Integer(
        strict=True, load_default=None, validate=ma.validate.Range(1, 10**12)
    )
    quality = ma.fields.String(load_default=None, validate=ma.validate.Length(min=1))

    @ma.post_load
    def make(self, tier: dict[str, Any], **_: Any) -> PictureTier:
        """Build the tier."""
        return PictureTier(**tier)


class _FilmTierSchema(ma.Schema):
    price = _Amount("Of one second, or of a million tokens.", required=True)
    resolution = ma.fields.String(load_default=None, validate=ma.validate.OneOf(RESOLUTIONS))
    audio = ma.fields.Boolean(load_default=None, truthy={True}, falsy={False})

    @ma.post_load
    def make(self, tier: dict[str, Any], **_: Any) -> FilmTier:
        """Build the tier."""
        return FilmTier(**tier)


class PriceSchema(ma.Schema):
    """The prices of a model from a day on."""

    valid_from = ma.fields.Raw(
        required=True,
        validate=_is_date,
        metadata={
            "description": "The first day, in UTC, without quotes: 2026-01-31.",
            # Editors see a date as a text.
            "json": {"format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        },
    )
    currency = ma.fields.String(
        required=True,
        validate=ma.validate.Regexp("[A-Z]{3}$"),
        metadata={"description": "Three letters, such as CNY."},
    )
    input = _Amount("Of a million tokens of prompts.", load_default=None)
    output = _Amount("Of a million tokens of answers.", load_default=None)
    cached_input = _Amount(
        "Of a million tokens that the vendor had cached; default: as input.", load_default=None
    )
    reasoning = _Amount("Of a million tokens of thinking; default: as output.", load_default=None)
    image = _Amount("Of one picture, whatever its size.", load_default=None)
    images = ma.fields.List(
        ma.fields.Nested(_TierSchema),
        load_default=(),
        metadata={"description": "Of one picture by size and quality: the first that fits."},
    )
    megapixel = _Amount("Of a million pixels that were made.", load_default=None)
    input_image = _Amount("Of a picture that is sent along.", load_default=None)
    image_input = _Amount(
        "Of a million tokens of pictures that are sent along; default: as input.", load_default=None
    )
    second = _Amount("Of a second of a film.", load_default=None)
    seconds = ma.fields.List(
        ma.fields.Nested(_FilmTierSchema),
        load_default=(),
        metadata={"description": "Of a second by resolution and sound: the first that fits."},
    )
    film_tokens = ma.fields.List(
        ma.fields.Nested(_FilmTierSchema),
        load_default=(),
        metadata={
            "description": "Of a million tokens of a film by resolution and sound: the first that"
            " fits; default: as output."
        },
    )
    video = _Amount("Of a film, however long.", load_default=None)

    @ma.post_load
    def make(self, price: dict[str, Any], **_: Any) -> Price:
        """Build the price."""
        return Price(**price | {name: tuple(price[name]) for name in _TIERS})


def prices_of(models: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Price]]:
    """Return the prices of each model, by its name at the upstream: rows have that name.

    Those of an alias are for where the model has no prices of its own.
    """
    prices: dict[str, list[Price]] = {}
    for name, traits in sorted(models.items(), key=lambda entry: entry[1]["model"] is not None):
        if not prices.get(traits["model"] or name):
            prices[traits["model"] or name] = list(traits["prices"])
    return prices
