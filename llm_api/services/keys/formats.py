"""Text formats of a key's properties, for the command line and the admin API alike."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from llm_api.domain.access import TOKENS, Budget
from llm_api.domain.money import MICRO
from llm_api.domain.safe_text import PRINTABLE_AND_VISIBLE

MAX_LISTED = 64  # models, routes or budgets of a key
MAX_TAGS = 2  # with the ten of a request they fit into the column of the usage row
_UNITS = {"d": 86_400, "h": 3_600, "m": 60}
_MAX_DAYS = 36_500
_TIME = "[1-9][0-9]{0,3}[dhm]"
SPAN = f"^{_TIME}$"
_RATE = "[1-9][0-9]{0,8}/(second|minute|hour|day)"


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format of texts.

    Attributes:
        expected: what a valid text is, to follow "must be".
        pattern: a regular expression of JSON Schema; None where none describes the format.
        at_most: characters.
        read: parses a text; raises ValueError.
    """

    expected: str
    pattern: str | None
    at_most: int
    read: Callable[[str], Any]

    def __call__(self, text: str) -> Any:
        """Parse a text; raises ValueError."""
        text.encode()  # a lone surrogate raises UnicodeEncodeError
        if len(text) > self.at_most or (self.pattern and not re.fullmatch(self.pattern, text)):
            raise ValueError
        return self.read(text)

    def accepts(self, text: str) -> bool:
        """Whether a text has the format."""
        try:
            self(text)
        except ValueError:
            return False
        return True


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1] or 0) * _UNITS.get(text[-1], 0))


def end(text: str, now: datetime) -> datetime:
    """Parse when a key expires: a duration from `now`, or a time in ISO 8601, by default in UTC.

    Raises ValueError where it is not within the next hundred years.
    """
    if re.fullmatch(_TIME, text):
        return now + _duration(text)
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not now < moment <= now + timedelta(days=_MAX_DAYS):
        raise ValueError
    return moment


def _budget(text: str) -> Budget:
    amount, _, rest = text.partition(" ")
    unit, _, period = rest.partition("/")
    exact = Decimal(amount) * (1 if unit == TOKENS else MICRO)
    return Budget(period, unit, int(exact))


def repeated_budget(budgets: Sequence[Budget]) -> tuple[int, int] | None:
    """Return the places of a budget and of one before it for the same period and unit; None: none.

    Of two such budgets only the smaller one could ever be felt.
    """
    seen: dict[tuple[str, str], int] = {}
    for at, budget in enumerate(budgets):
        first = seen.setdefault((budget.period, budget.unit), at)
        if first != at:
            return at, first
    return None


NAME = TextFormat("1 to 64 printable characters", PRINTABLE_AND_VISIBLE, 64, str)
MODEL = TextFormat(
    "the name of a model, 1 to 256 printable characters", PRINTABLE_AND_VISIBLE, 256, str
)
ROUTE = TextFormat(
    "a path such as /v1/chat/completions, or the beginning of some, such as /v1/*",
    r"^/[A-Za-z0-9_.~/-]*\*?$",
    128,
    str,
)
TAG = TextFormat("1 to 40 letters, digits and _.:=/@- signs", r"^[A-Za-z0-9_.:=/@-]+$", 40, str)
REQUESTS = TextFormat(
    "a limit such as 300/minute or 10/second;5000/day",
    rf"^{_RATE}(;{_RATE}){{0,3}}$",
    128,
    str,
)
# Up to a million millions: what is over 64 bits, in millionths, no database takes.
BUDGET = TextFormat(
    "an amount such as 5 CNY/day, 30 CNY/week, 100000 tokens/month or 500 CNY/total",
    r"^(?![0.]+ )([0-9]{1,12}(\.[0-9]{1,6})? [A-Z]{3}|[0-9]{1,12} tokens)/(day|week|month|total)$",
    64,
    _budget,
)
OVERLAP = TextFormat("a time such as 24h, 7d or 30m, or 0", rf"^({_TIME}|0)$", 8, _duration)
END = TextFormat(
    "a time from now, such as 90d, 12h or 30m, or a moment, such as 2027-01-31T00:00:00Z",
    None,
    64,
    lambda text: end(text, datetime.now(UTC)),
)
