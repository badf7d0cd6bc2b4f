"""Amounts of money: whole millionths of a currency, so that sums are exact."""

from llm_api.domain.access import TOKENS, Budget

MICRO = 1_000_000  # millionths in a unit of a currency, and tokens in the unit of a price


def decimal_text(micro: int) -> str:
    """Write millionths as a decimal number with six places, such as `1.500000`; micro >= 0."""
    whole, rest = divmod(micro, MICRO)
    return f"{whole}.{rest:06d}"


def amount_text(amount: int, unit: str) -> str:
    """Write an amount of a budget with its unit, such as `1.5 CNY` or `100000 tokens`.

    Args:
        amount: millionths of a currency, or tokens.
        unit: the currency's code, or `tokens`.
    """
    if unit == TOKENS:
        return f"{amount} {unit}"
    return f"{decimal_text(amount).rstrip('0').rstrip('.')} {unit}"


def budget_text(budget: Budget) -> str:
    """Write a budget as it is given, such as `5 CNY/day` or `100000 tokens/month`."""
    return f"{amount_text(budget.amount, budget.unit)}/{budget.period}"
