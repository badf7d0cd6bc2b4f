"""How the properties of a key are written, on the command line and in the admin API alike.

Each function reads one text and raises ValueError where it is wrong; the constant beside it says
what would be right.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import limits

from llm_api.access import TOKENS, Budget

MAX_NAME = 64
MAX_LISTED = 64  # models, routes or budgets of a key
# With the ten of a request they fit into the column of the usage row.
MAX_TAGS, MAX_TAG = 2, 40
RIGHT_NAME = f"1 to {MAX_NAME} printable characters"
RIGHT_END = "a time from now, such as 90d, 12h or 30m, or a moment, such as 2027-01-31T00:00:00Z"
RIGHT_OVERLAP = "a time such as 24h, 7d or 30m, or 0"
RIGHT_MODEL = "the name of a model, 1 to 256 printable characters"
RIGHT_ROUTE = "a path such as /v1/chat/completions, or the beginning of some, such as /v1/*"
RIGHT_REQUESTS = "a limit such as 300/minute or 10/second;5000/day"
RIGHT_BUDGET = "an amount such as 5 CNY/day or 100000 tokens/month"
RIGHT_TAG = f"1 to {MAX_TAG} letters, digits and _.:=/@- signs"
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MAX_DAYS = 36_500
_MICRO = 1_000_000
_MAX_AMOUNT = 2**62  # of a budget, in tokens or millionths
_BUDGET = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ([A-Z]{3}|tokens)/(day|month)", re.ASCII)
_TAG = re.compile(rf"[A-Za-z0-9_.:=/@-]{{1,{MAX_TAG}}}")
_ROUTE = re.compile(r"/[A-Za-z0-9_.~/-]{0,126}\*?")


def name(text: str) -> str:
    """Read a key's name."""
    return _checked(text, is_good=0 < len(text) <= MAX_NAME and text.isprintable())


def model(text: str) -> str:
    """Read the name of a model that a key may use."""
    return _checked(text, is_good=0 < len(text) <= 256 and text.isprintable())


def route(text: str) -> str:
    """Read a route that a key may use; `*` at its end stands for all that begin so."""
    return _checked(text, is_good=_ROUTE.fullmatch(text) is not None)


def tag(text: str) -> str:
    """Read a label for the calls of a key."""
    return _checked(text, is_good=_TAG.fullmatch(text) is not None)


def requests(text: str) -> str:
    """Read how many requests may come in a time."""
    items = limits.parse_many(text)
    return _checked(text, is_good=len(text) <= 128 and all(item.amount > 0 for item in items))


def duration(text: str) -> timedelta:
    """Read a length of time."""
    found = re.fullmatch(r"(\d{1,9})([dhms])", text, re.ASCII)
    if found is None and text != "0":
        raise ValueError
    time = timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else timedelta(0)
    if time > timedelta(days=_MAX_DAYS):
        raise ValueError
    return time


def end(text: str, now: datetime) -> datetime:
    """Read when a key ends, which must be in the future."""
    if re.fullmatch(r"\d+[a-z]", text, re.ASCII):
        moment = now + duration(text)
    else:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not now < moment <= now + timedelta(days=_MAX_DAYS):
        raise ValueError
    return moment


def budget(text: str) -> Budget:
    """Read how much a key may spend in a day or a month."""
    found = _BUDGET.fullmatch(text)
    if found is None:
        raise ValueError
    amount, unit, period = found.groups()
    try:
        exact = Decimal(amount) * (1 if unit == TOKENS else _MICRO)
    except InvalidOperation:
        raise ValueError from None
    if exact != int(exact) or not 0 < exact <= _MAX_AMOUNT:
        raise ValueError
    return Budget(period, unit, int(exact))


def written_budget(one: Budget) -> str:
    """Write a budget as `budget` reads it."""
    if one.unit == TOKENS:
        return f"{one.amount} {one.unit}/{one.period}"
    whole, rest = divmod(one.amount, _MICRO)
    part = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{whole}{part} {one.unit}/{one.period}"


def _checked(text: str, *, is_good: bool) -> str:
    if not is_good or text != text.strip():
        raise ValueError
    return text
