"""The arguments of a usage report, from a query string or from the command line."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import marshmallow as ma

from llm_api.domain.safe_text import PRINTABLE
from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery
from llm_api.services.usage.report_query import (
    DEFAULT_DAYS,
    DEFAULT_PAGE_SIZE,
    FORMATS,
    GROUPS,
    MAX_DAYS,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    ReportRequest,
)
from llm_api.web.schema_fields import String, one_of, printable
from llm_api.web.smorest import StrictSchema

_YEARS = (2000, 2999)
# For the API document; "" counts as left out. Which days a month has, it does not say.
_HOUR_PATTERN = "^(2[0-9]{3}-[01][0-9]-[0-3][0-9](T[0-2][0-9](:00(:00)?)?(Z|[+-][01][0-9]:00)?)?)?$"
_GROUP = f" *({'|'.join(GROUPS)})? *"
_GROUPS_PATTERN = f"^{_GROUP}(,{_GROUP})*$"
_EXPECTED_HOUR = "a day such as 2026-01-31, or a whole hour such as 2026-01-31T15:00:00Z"


class QueryField(ma.fields.Field[Any]):
    """An argument given at most once: a text, or a list of texts where it was given repeatedly."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Any = None, **options: Any
    ) -> Any:
        """Return the value; raises ValidationError."""
        if isinstance(value, list):
            raise ma.ValidationError("must be given once.")
        return super().deserialize(value, attr, data, **options)


class TextArgument(QueryField, String):
    """A text of printable characters."""


class _Hour(QueryField, ma.fields.String):
    """A day or a whole hour in ISO 8601, read as UTC where it names no zone."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise _out_of_range(_EXPECTED_HOUR) from None
        if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
            raise _out_of_range(_EXPECTED_HOUR)
        if not _YEARS[0] <= moment.year <= _YEARS[1]:
            raise _out_of_range(f"in the years {_YEARS[0]} to {_YEARS[1]}")
        return moment


class _Dimensions(QueryField, ma.fields.String):
    """Names of dimensions, separated by commas."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        names = [name.strip() for name in value.split(",")]
        names = [name for name in names if name]
        is_repeated = len(set(names)) < len(names) or {"hour", "day"} <= set(names)
        if is_repeated or set(names) - set(GROUPS):
            raise _out_of_range(
                f"some of {', '.join(GROUPS)}, once each, and not both hour and day"
            )
        return tuple(names)


class Count(QueryField, ma.fields.Integer):
    """A whole number from 1, in decimal digits."""

    def __init__(self, at_most: int, **options: Any) -> None:
        """Accept numbers up to `at_most`."""
        described = {"minimum": 1, "maximum": at_most, **options.pop("metadata")}
        super().__init__(metadata=described, **options)
        self._at_most = at_most

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:  # noqa: ARG002  # marshmallow's signature
        is_number = value.isascii() and value.isdecimal() and len(value) < 10
        if not is_number or not 1 <= int(value) <= self._at_most:
            raise _out_of_range(f"a whole number from 1 to {self._at_most}")
        return int(value)


def _out_of_range(expected: str) -> ma.ValidationError:
    return ma.ValidationError(f"must be {expected}.")


def _described(text: str, **more: str) -> dict[str, str]:
    return {"description": text, **more}


def _filter(name: str, more: str = "") -> TextArgument:
    described = _described(f"Only calls of this {name}{more}.", pattern=PRINTABLE)
    return TextArgument(validate=printable(), metadata=described)


class SpanArgumentsSchema(StrictSchema):
    """The span of time of a report, from texts; an empty text counts as left out."""

    since = _Hour(
        metadata=_described(
            f"The first day or hour, UTC, before until by {MAX_DAYS} days at most;"
            " default: 30 days before until.",
            pattern=_HOUR_PATTERN,
            example="2026-01-31",
        )
    )
    until = _Hour(
        metadata=_described(
            "The day or hour to end before, UTC; default: tomorrow.",
            pattern=_HOUR_PATTERN,
            example="2026-01-31T15:00:00Z",
        )
    )

    @ma.pre_load
    def drop_empty(self, values: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Leave empty texts out; unknown names stay, to be refused."""
        return {name: value for name, value in values.items() if value or name not in self.fields}

    def handle_error(
        self, error: ma.ValidationError, data: Any, *, many: bool, **_: Any
    ) -> NoReturn:
        """Raise the error with unknown names first: a misspelt name explains the others."""
        del data, many
        messages = error.messages_dict
        unknown = [name for name in messages if name not in self.fields]
        known = [name for name in messages if name in self.fields]
        raise ma.ValidationError({name: messages[name] for name in unknown + known}) from error

    @staticmethod
    def span_of(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
        """Return the span with its defaults; raises ValidationError where it is too long."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = values.get("until", today + timedelta(days=1))
        since = values.get("since", until - timedelta(days=DEFAULT_DAYS))
        if not timedelta(0) < until - since <= timedelta(days=MAX_DAYS):
            raise ma.ValidationError(
                {"since": [f"must be before until, by {MAX_DAYS} days at most."]}
            )
        return since, until


class UsageReportArgumentsSchema(SpanArgumentsSchema):
    """Loads a ReportRequest from texts."""

    group_by = _Dimensions(
        metadata=_described(
            f"Of {', '.join(GROUPS)}, once each, and not both hour and day; several are separated"
            " by commas.",
            pattern=_GROUPS_PATTERN,
            example="model,day",
        ),
    )
    key = _filter("key", ", by its id, or by its name if no other key has it")
    route = _filter("route")
    model = _filter("model")
    upstream = _filter("upstream")
    tag = _filter("tag")
    status = _filter("status")
    group = _filter("group")
    reason = _filter("reason", " of an error")
    page = Count(MAX_PAGE, load_default=1, metadata=_described("From 1."))
    page_size = Count(
        MAX_PAGE_SIZE, load_default=DEFAULT_PAGE_SIZE, metadata=_described("Groups a page.")
    )
    format = TextArgument(
        validate=one_of(FORMATS),
        load_default=FORMATS[0],
        metadata=_described("json, or csv for all groups as a table."),
    )

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> ReportRequest:
        """Fill in the span's defaults and check its length."""
        since, until = self.span_of(values)
        filters = {name: values[name] for name in USAGE_DIMENSIONS if name in values}
        query = UsageQuery(since, until, values.get("group_by", ()), filters)
        return ReportRequest(query, values["page"], values["page_size"], values["format"])
