"""Schemas of the audit: what it can be asked for, from texts, and what it answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from llm_api.domain.audit import ACTS, AuditQuery
from llm_api.domain.safe_text import PRINTABLE
from llm_api.web.rest.usage_report_schemas import ReplicaSchema
from llm_api.web.rest.usage_schemas import Count, QueryField, TextArgument
from llm_api.web.schema_fields import one_of, printable
from llm_api.web.smorest import StrictSchema

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
_MAX_NUMBER = 2**63 - 1
_EXPECTED_MOMENT = "a day such as 2026-01-31, or a time such as 2026-01-31T15:04:05Z"
_EXPECTED_CURSOR = "the cursor of an answer"


class _Moment(QueryField, ma.fields.String):
    """A day or a time in ISO 8601, read as UTC where it names no zone."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise ma.ValidationError(f"must be {_EXPECTED_MOMENT}.") from None


class _Cursor(QueryField, ma.fields.String):
    """Where the page before has ended."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        is_number = value.isascii() and value.isdecimal() and len(value) < 20
        if not is_number or not 1 <= int(value) <= _MAX_NUMBER:
            raise ma.ValidationError(f"must be {_EXPECTED_CURSOR}.")
        return int(value)


def _called(what: str) -> TextArgument:
    described = {"description": f"Only acts {what}, by its id or its name.", "pattern": PRINTABLE}
    return TextArgument(validate=printable(), metadata=described)


def _moment(description: str) -> _Moment:
    # Which days a month has no pattern says: the API document has the form alone.
    form = "^([0-9]{4}-[01][0-9]-[0-3][0-9](T.+)?)?$"
    return _Moment(metadata={"description": description, "pattern": form})


class AuditArgumentsSchema(StrictSchema):
    """Which acts are wanted; an empty argument counts as left out."""

    since = _moment("The first moment, UTC where no zone is named.")
    until = _moment("The moment to end before.")
    act = TextArgument(validate=one_of(ACTS), metadata={"description": "Only acts of this kind."})
    subject = _called("on this key, job or lineage")
    actor = _called("by this key, such as `env:admin`, or by this user, such as `cli:maria`")
    limit = Count(
        MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "How many are wanted."}
    )
    cursor = _Cursor(
        metadata={"description": "That of the page before.", "pattern": "^([1-9][0-9]{0,18})?$"}
    )

    @ma.pre_load
    def drop_empty(self, values: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Leave empty texts out; unknown names stay, to be refused."""
        return {name: value for name, value in values.items() if value or name not in self.fields}

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> AuditQuery:
        """Build the query."""
        at_most, behind = values.pop("limit"), values.pop("cursor", None)
        return AuditQuery(**values, at_most=at_most, behind=behind)


class ActorSchema(ma.Schema):
    """Who has acted."""

    id = ma.fields.String(
        required=True,
        metadata={
            "description": "Of a key; `env:admin`: ADMIN_API_KEY; `cli:` and the name of a user of"
            " the operating system: the command line.",
            "example": "env:admin",
        },
    )
    name = ma.fields.String(required=True)


class SubjectSchema(ma.Schema):
    """What was acted on."""

    id = ma.fields.String(required=True, metadata={"example": "key_0123456789abcdef"})
    name = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "At that time."}
    )


def _state(description: str) -> ma.fields.Dict:
    return ma.fields.Dict(
        keys=ma.fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": description},
    )


class AdminActSchema(ma.Schema):
    """An act by an admin's right, without secrets."""

    id = ma.fields.String(required=True)
    at = ma.fields.DateTime(required=True)
    actor = ma.fields.Nested(ActorSchema, required=True)
    act = ma.fields.String(required=True, validate=ma.validate.OneOf(ACTS))
    subject = ma.fields.Nested(SubjectSchema, required=True)
    before = _state("Of a change what differs; null where there was nothing.")
    after = _state("Of a change what differs; null where nothing is left.")
    request_id = ma.fields.String(required=True, allow_none=True)
    address = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Of the client."}
    )


class AuditSchema(ma.Schema):
    """A page of the audit, the latest first."""

    acts = ma.fields.List(ma.fields.Nested(AdminActSchema), required=True)
    next_cursor = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The `cursor` of the next page; null behind the last."},
    )
    replica = ma.fields.Nested(ReplicaSchema)
