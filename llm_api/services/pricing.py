"""What a call costs: prices of `config/models.toml`, by the day, in millionths of a currency.

A price for a million tokens, in units of the currency, is the same number as one for a token in
millionths: so costs are whole millionths, exact to half a millionth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from llm_api.domain.calls import TokenUsage
from llm_api.domain.money import MICRO
from llm_api.domain.name_patterns import NamePatterns, is_pattern

_MAX_COST = 2**62  # millionths; more is an error of the price list, and sums would overflow BIGINT


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of a model from the day `valid_from` on (UTC); None is unknown.

    Attributes:
        currency: ISO 4217 code.
        input, output, cached_input, reasoning: units of the currency for a million tokens.
            `cached_input` falls back to `input`, `reasoning` to `output`.
        image: units of the currency for an image.
    """

    valid_from: date
    currency: str
    input: Decimal | None = None
    output: Decimal | None = None
    cached_input: Decimal | None = None
    reasoning: Decimal | None = None
    image: Decimal | None = None

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
        cost = int(total.to_integral_value(ROUND_HALF_UP))
        return cost if cost <= _MAX_COST else None


class PriceList:
    """The prices of models, by day."""

    def __init__(self, prices: Mapping[str, Sequence[Price]]) -> None:
        """List the prices of each model by its name, or a pattern of names, in any order."""
        self.by_model = {
            model: sorted(known, key=lambda price: price.valid_from, reverse=True)
            for model, known in prices.items()
        }
        self._patterns = NamePatterns(self.by_model)
        self.has_patterns = any(map(is_pattern, self.by_model))

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
        price = next((p for p in known if p.valid_from <= day), None)
        cost = price.of(usage) if price else None
        return None if price is None or cost is None else (cost, price.currency)
