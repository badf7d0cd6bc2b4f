"""What the page of usage is asked for: the words of a report, and what is drawn of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma

from llm_api.domain.timestamps import utc_text
from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery
from llm_api.web.console.figures import SHOWN
from llm_api.web.rest.usage_schemas import SpanArgumentsSchema, TextArgument
from llm_api.web.schema_fields import one_of, printable

DAYS = ("1", "7", "30", "90", "365")
BY = ("model", "key", "group", "tag", "upstream", "route", "status", "reason")
_DEFAULT_DAYS = "30"
_MAX_HOURS = 72  # of a span that is shown by the hour


@dataclass(frozen=True, slots=True)
class UsageView:
    """A view of usage.

    Attributes:
        query: the calls to sum up, in no groups.
        days: one of DAYS, or empty where the span was named.
        by: the dimension whose groups are compared, one of BY.
        show: what is drawn of each, one of SHOWN.
    """

    query: UsageQuery
    days: str
    by: str
    show: str

    @property
    def step(self) -> str:
        """The dimension of time: `hour` for spans of a few days, else `day`."""
        is_short = self.query.until - self.query.since <= timedelta(hours=_MAX_HOURS)
        return "hour" if is_short else "day"

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of a link to this view."""
        span = {"days": self.days} if self.days else self.span
        return {**span, "by": self.by, "show": self.show, **self.query.filters}

    @property
    def span(self) -> dict[str, str]:
        """The span of time, for links."""
        return {"since": utc_text(self.query.since), "until": utc_text(self.query.until)}


def default_view() -> UsageView:
    """Return what is shown where nothing is asked for."""
    view: UsageView = UsageViewSchema().load({})
    return view


class UsageViewSchema(SpanArgumentsSchema):
    """Loads a UsageView from texts; an empty text counts as left out."""

    days = TextArgument(validate=one_of(DAYS))
    by = TextArgument(validate=one_of(BY), load_default=BY[0])
    show = TextArgument(validate=one_of(SHOWN), load_default=SHOWN[0])
    key = TextArgument(validate=printable())
    route = TextArgument(validate=printable())
    model = TextArgument(validate=printable())
    upstream = TextArgument(validate=printable())
    tag = TextArgument(validate=printable())
    status = TextArgument(validate=printable())
    group = TextArgument(validate=printable())
    reason = TextArgument(validate=printable())

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> UsageView:
        """Fill in the span, and check its length."""
        is_named = "days" not in values and {"since", "until"} & values.keys()
        days = "" if is_named else values.get("days", _DEFAULT_DAYS)
        since, until = self.span_of(values) if is_named else _last(int(days))
        filters = {name: values[name] for name in USAGE_DIMENSIONS if name in values}
        return UsageView(UsageQuery(since, until, (), filters), days, values["by"], values["show"])


def _last(days: int) -> tuple[datetime, datetime]:
    """Return the span up to now: of one day that up to this hour, or else whole days."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    midnight = now.replace(hour=0) + timedelta(days=1)
    until = now + timedelta(hours=1) if days == 1 else midnight
    return until - timedelta(days=days), until


def without(arguments: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return arguments without some."""
    return {name: value for name, value in arguments.items() if name not in names}
