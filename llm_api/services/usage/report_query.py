"""Reads what a usage report is asked for, from a query string or a command line."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from llm_api.domain.safe_text import is_printable
from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery

GROUPS = (*USAGE_DIMENSIONS, "hour", "day")
MAX_PAGE_SIZE = 10_000
FORMATS = ("json", "csv")
_DAYS = 30
_MAX_DAYS = 800
_PAGE_SIZE = 100
_YEARS = (2000, 2999)
MAX_PAGE = 10**6
_RIGHT_MOMENT = "must be a day such as 2026-01-31, or a whole hour such as 2026-01-31T15:00:00Z."


class ReportArguments:
    """Checks arguments one by one; `problems` has for each wrong one what would be right."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take the arguments as texts; an empty one counts as left out."""
        self._values = {name: text for name, text in values.items() if text}
        self.problems: dict[str, str] = {}

    def query(self) -> UsageQuery:
        """Read what the report is about."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = self._moment("until", today + timedelta(days=1))
        since = self._moment("since", until - timedelta(days=_DAYS))
        if not timedelta(0) < until - since <= timedelta(days=_MAX_DAYS):
            self._note("since", f"must be before until, by {_MAX_DAYS} days at most.")
        filters = {name: self._values[name] for name in USAGE_DIMENSIONS if name in self._values}
        for name, value in filters.items():
            if not is_printable(value):
                self._note(name, "must be printable text.")
        return UsageQuery(since, until, self._group_by(), filters)

    @property
    def page(self) -> int:
        """Which page, from 1."""
        return self._whole("page", 1, at_most=MAX_PAGE)

    @property
    def page_size(self) -> int:
        """How many groups a page has."""
        return self._whole("page_size", _PAGE_SIZE, at_most=MAX_PAGE_SIZE)

    @property
    def format(self) -> str:
        """In which form the report is wanted."""
        text = self._values.get("format", FORMATS[0])
        if text not in FORMATS:
            self._note("format", f"must be one of {', '.join(FORMATS)}.")
        return text

    def _note(self, name: str, right: str) -> None:
        self.problems.setdefault(name, right)

    def _group_by(self) -> tuple[str, ...]:
        names = [name.strip() for name in self._values.get("group_by", "").split(",")]
        names = [name for name in names if name]
        is_twice = len(set(names)) < len(names) or {"hour", "day"} <= set(names)
        if is_twice or set(names) - set(GROUPS):
            right = f"must be some of {', '.join(GROUPS)}, once each, and not both hour and day."
            self._note("group_by", right)
            return ()
        return tuple(names)

    def _moment(self, name: str, default: datetime) -> datetime:
        text = self._values.get(name)
        if text is None:
            return default
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self._note(name, _RIGHT_MOMENT)
            return default
        if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
            self._note(name, _RIGHT_MOMENT)
        if not _YEARS[0] <= moment.year <= _YEARS[1]:
            self._note(name, f"must be in the years {_YEARS[0]} to {_YEARS[1]}.")
            return default
        return moment

    def _whole(self, name: str, default: int, *, at_most: int) -> int:
        text = self._values.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= at_most:
            return int(text)
        self._note(name, f"must be a whole number from 1 to {at_most}.")
        return default
