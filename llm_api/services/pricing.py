"""What a call costs: prices of `config/models.toml`, by the day, in millionths of a currency.

A price for a million tokens, in units of the currency, is the same number as one for a token in
millionths: so costs are whole millionths, exact to half a millionth.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from llm_api.domain.calls import TokenUsage
from llm_api.domain.made_bills import FilmTier, PictureBill, PictureTier, VideoBill
from llm_api.domain.money import MICRO
from llm_api.domain.name_patterns import NamePatterns, is_pattern

_MAX_COST = 2**62  # millionths; more is an error of the price list, and sums would overflow BIGINT
_MEGAPIXEL = 1_000_000
# Of a picture whose size the model chooses, where the price depends on it: the largest by far.
_MOST_PIXELS = 16_777_216


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of a model from the day `valid_from` on (UTC); None is unknown.

    Attributes:
        currency: ISO 4217 code.
        input, output, cached_input, reasoning: units of the currency for a million tokens.
            `cached_input` falls back to `input`, `reasoning` to `output`.
        image: units of the currency for an image.
        images: the same by size and quality; the first that is for a picture counts.
        megapixel: units of the currency for a million pixels that were made.
        input_image: units of the currency for a picture that was sent along.
        image_input: units of the currency for a million tokens of pictures that were sent along;
            falls back to `input`.
        second: units of the currency for a second of a film.
        seconds: the same by resolution and sound; the first that is for a film counts.
        film_tokens: units of the currency for a million tokens of a film, by resolution and sound;
            falls back to `output`.
        video: units of the currency for a film.
    """

    valid_from: date
    currency: str
    input: Decimal | None = None
    output: Decimal | None = None
    cached_input: Decimal | None = None
    reasoning: Decimal | None = None
    image: Decimal | None = None
    images: tuple[PictureTier, ...] = ()
    megapixel: Decimal | None = None
    input_image: Decimal | None = None
    image_input: Decimal | None = None
    second: Decimal | None = None
    seconds: tuple[FilmTier, ...] = ()
    film_tokens: tuple[FilmTier, ...] = ()
    video: Decimal | None = None

    def of(self, usage: TokenUsage) -> int | None:
        """Return the cost in millionths of the currency; None where a price it needs is unknown.

        `cached_tokens` are part of `prompt_tokens`, `reasoning_tokens` of `completion_tokens`:
        https://platform.openai.com/docs/api-reference/chat/object.
        """
        cached, thought = usage.cached_tokens or 0, usage.reasoning_tokens or 0
        parts = (
            ((usage.prompt_tokens or 0) - cached, self.input),
            (cached, self.input if self.cached_input is None else self.cached_input),
            ((usage.completion_tokens or 0) - thought, self.output),
            (thought, self.output if self.reasoning is None else self.reasoning),
            ((usage.images or 0) * MICRO, self.image),
        )
        total = Decimal(0)
        for count, price in parts:
            if count and price is None:
                return None
            total += max(count, 0) * (price or 0)
        return _micro(total)

    @property
    def picture_units(self) -> tuple[str, ...]:
        """What pictures are priced by: `image`, `megapixel`, `token`; several are added up."""
        units = (
            ("image", self.image is not None or bool(self.images)),
            ("megapixel", self.megapixel is not None),
            ("token", self.output is not None),
        )
        return tuple(unit for unit, is_priced in units if is_priced)

    def of_pictures(self, bill: PictureBill, *, at_most: bool = False) -> int | None:
        """Return the cost of pictures in millionths; None where a price it needs is unknown.

        `at_most` counts what the bill does not know at the highest price.
        """
        if not bill.pixels:
            return 0
        amounts = [self._of_tokens(bill), (self.input_image or Decimal(0)) * bill.input_images]
        for pixels in bill.pixels:
            amounts.append(self._of_image(pixels, bill.quality, at_most=at_most))
            amounts.append(self._of_pixels(_MOST_PIXELS if at_most and not pixels else pixels))
        known = [amount for amount in amounts if amount is not None]
        is_known = len(known) == len(amounts) and self.picture_units
        return _micro(sum(known, Decimal(0)) * MICRO) if is_known else None

    @property
    def video_units(self) -> tuple[str, ...]:
        """What films are priced by: `second`, `video`, `token`; several are added up."""
        units = (
            ("second", self.second is not None or bool(self.seconds)),
            ("video", self.video is not None),
            ("token", self.output is not None or bool(self.film_tokens)),
        )
        return tuple(unit for unit, is_priced in units if is_priced)

    def of_videos(self, bill: VideoBill) -> int | None:
        """Return the cost of films in millionths; None where a price it needs is unknown."""
        if not bill.films:
            return 0
        amounts = [(self.video or Decimal(0)) * bill.films, self._of_seconds(bill)]
        if "token" in self.video_units:
            price = _of_film(self.film_tokens, bill, self.output)
            tokens = bill.output_tokens
            amounts.append(None if price is None or tokens is None else tokens * price / MICRO)
        known = [amount for amount in amounts if amount is not None]
        is_known = len(known) == len(amounts) and self.video_units
        return _micro(sum(known, Decimal(0)) * MICRO) if is_known else None

    def _of_seconds(self, bill: VideoBill) -> Decimal | None:
        if "second" not in self.video_units:
            return Decimal(0)
        price = _of_film(self.seconds, bill, self.second)
        return None if price is None or bill.seconds is None else price * bill.seconds

    def _of_tokens(self, bill: PictureBill) -> Decimal | None:
        if self.output is None:
            return Decimal(0)
        if bill.output_tokens is None:
            return None
        of_images = min(bill.input_image_tokens or 0, bill.input_tokens or 0)
        words = ((bill.input_tokens or 0) - of_images) * (self.input or 0)
        images = of_images * (self.image_input or self.input or 0)
        return (bill.output_tokens * self.output + words + images) / MICRO

    def _of_image(
        self, pixels: int | None, quality: str | None, *, at_most: bool
    ) -> Decimal | None:
        if "image" not in self.picture_units:
            return Decimal(0)
        if at_most and (pixels is None or quality in {None, "auto"}):
            possible = [tier.price for tier in self.images] + [self.image or Decimal(0)]
            return max(possible)
        found = (tier.price for tier in self.images if tier.is_for(pixels, quality))
        return next(found, self.image)

    def _of_pixels(self, pixels: int | None) -> Decimal | None:
        if self.megapixel is None:
            return Decimal(0)
        return None if pixels is None else self.megapixel * pixels / _MEGAPIXEL


def _of_film(tiers: Sequence[FilmTier], bill: VideoBill, usual: Decimal | None) -> Decimal | None:
    """Return the first price that is for a film, else the usual one."""
    return next((tier.price for tier in tiers if tier.is_for(bill)), usual)


def _micro(amount: Decimal) -> int | None:
    """Round millionths to whole ones."""
    cost = int(amount.to_integral_value(ROUND_HALF_UP))
    return cost if cost <= _MAX_COST else None


@dataclass(frozen=True, slots=True)
class MadeCost:
    """The cost of pictures or films in millionths, None where unknown, and what it is priced by."""

    micro: int | None
    currency: str
    units: tuple[str, ...]


class PriceList:
    """The prices of models, by day."""

    def __init__(self, prices: Mapping[str, Sequence[Price]], makers: Collection[str] = ()) -> None:
        """List the prices of each model by its name, or a pattern of names, in any order.

        Patterns among the `makers` are of models for pictures and films: no chat call looks there.
        """
        self.by_model = {
            model: sorted(known, key=lambda price: price.valid_from, reverse=True)
            for model, known in prices.items()
        }
        of_makers = {name: self.by_model[name] for name in makers if name in self.by_model}
        others = {name: of for name, of in self.by_model.items() if name not in of_makers}
        self._patterns, self._maker_patterns = NamePatterns(others), NamePatterns(of_makers)
        self.has_patterns = any(map(is_pattern, others))

    def cost(self, model: str, usage: TokenUsage, day: date) -> tuple[int, str] | None:
        """Return the cost in millionths, and the currency; None where price or usage is unknown.

        Args:
            model: name of the model that answered.
            usage: what the upstream counted, or an estimate.
            day: the day of the call, UTC.
        """
        if usage.prompt_tokens is None and usage.images is None:
            return None
        known = self.by_model.get(model) or (self.has_patterns and self._patterns.find(model)) or ()
        price = _of_day(known, day)
        cost = price.of(usage) if price else None
        return None if price is None or cost is None else (cost, price.currency)

    def picture_cost(
        self, model: str, bill: PictureBill, day: date, *, at_most: bool = False
    ) -> MadeCost | None:
        """Return the cost of pictures; None where the model has no price.

        Args:
            model: name of the model that made them.
            bill: what is charged for.
            day: the day of the call, UTC.
            at_most: whether to count what is not known at the highest price.
        """
        price = self._of_made(model, day)
        if price is None:
            return None
        micro = price.of_pictures(bill, at_most=at_most)
        return MadeCost(micro, price.currency, price.picture_units)

    def video_cost(self, model: str, bill: VideoBill, day: date) -> MadeCost | None:
        """Return the cost of films; None where the model has no price. See `picture_cost`."""
        price = self._of_made(model, day)
        if price is None:
            return None
        return MadeCost(price.of_videos(bill), price.currency, price.video_units)

    def _of_made(self, model: str, day: date) -> Price | None:
        known = self.by_model.get(model) or self._maker_patterns.find(model)
        return _of_day(known or self._patterns.find(model) or (), day)


def _of_day(known: Sequence[Price], day: date) -> Price | None:
    return next((price for price in known if price.valid_from <= day), None)
