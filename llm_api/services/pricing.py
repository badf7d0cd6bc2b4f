"""What a call costs: prices of `config/models.toml`, by the day, in millionths of a currency.

A price for a million tokens, in units of the currency, is the same number as one for a token in
millionths: so costs are whole millionths, and exact to half of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from llm_api.domain.calls import TokenUsage

_MICRO = 1_000_000
_MOST = 2**62  # more than this cannot be true, nor be kept and summed up


@dataclass(frozen=True, slots=True)
class Price:
    """Prices from a day on: for a million tokens, and for an image. None is not known.

    `cached_input` and `reasoning` are those of `input` and `output` where they are None.
    """

    valid_from: date
    currency: str
    input: Decimal | None = None
    output: Decimal | None = None
    cached_input: Decimal | None = None
    reasoning: Decimal | None = None
    image: Decimal | None = None

    def of(self, usage: TokenUsage) -> int | None:
        """Return what the usage costs, in millionths; None where a price it needs is unknown."""
        cached, thought = usage.cached_tokens or 0, usage.reasoning_tokens or 0
        parts = (
            ((usage.prompt_tokens or 0) - cached, self.input),
            (cached, self.input if self.cached_input is None else self.cached_input),
            ((usage.completion_tokens or 0) - thought, self.output),
            (thought, self.output if self.reasoning is None else self.reasoning),
            ((usage.images or 0) * _MICRO, self.image),
        )
        total = Decimal(0)
        for count, price in parts:
            if count and price is None:
                return None
            total += max(count, 0) * (price or 0)
        cost = int(total.to_integral_value(ROUND_HALF_UP))
        return cost if cost <= _MOST else None


class PriceList:
    """Knows the prices of models."""

    def __init__(self, prices: Mapping[str, Sequence[Price]]) -> None:
        """Take each model's prices."""
        self._prices = {
            model: sorted(known, key=lambda price: price.valid_from, reverse=True)
            for model, known in prices.items()
        }

    def cost(self, model: str, usage: TokenUsage, day: date) -> tuple[int, str] | None:
        """Return cost in millionths and currency; None where no price or no count is known."""
        if usage.prompt_tokens is None and usage.images is None:
            return None
        price = next((p for p in self._prices.get(model, ()) if p.valid_from <= day), None)
        cost = price.of(usage) if price else None
        return None if price is None or cost is None else (cost, price.currency)
