"""Amounts of money: whole millionths of a currency, so that sums are exact."""

MICRO = 1_000_000  # millionths in a unit of a currency, and tokens in the unit of a price


def decimal_text(micro: int) -> str:
    """Write millionths as a decimal number with six places, such as `1.500000`; micro >= 0."""
    whole, rest = divmod(micro, MICRO)
    return f"{whole}.{rest:06d}"
