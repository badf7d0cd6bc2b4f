"""The arguments of a task's address, from a query string."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.web.images.jobs import MAX_WAIT_MS
from llm_api.web.schema_fields import String
from llm_api.web.smorest import StrictSchema


class _DecimalField(ma.fields.Field[int]):
    """A whole number in decimal digits, given at most once."""

    def __init__(self, at_most: int, description: str) -> None:
        described = {"type": "integer", "minimum": 0, "maximum": at_most}
        super().__init__(metadata={**described, "description": description})
        self._at_most = at_most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        is_number = isinstance(value, str) and value.isascii() and value.isdecimal()
        if not is_number or len(value) > 9 or int(value) > self._at_most:
            raise ValidationError(f"must be a whole number from 0 to {self._at_most}.")
        return int(value)


class _ArgumentsSchema(StrictSchema):
    """Arguments, of which an empty text counts as left out."""

    @ma.pre_load
    def drop_empty(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Leave empty texts out; unknown names stay, to be refused."""
        return {name: value for name, value in values.items() if value or name not in self.fields}


class WaitArgumentsSchema(_ArgumentsSchema):
    """How long to wait for a task."""

    wait_ms = _DecimalField(
        MAX_WAIT_MS, "How long to wait for the task to end; it is answered at once by default."
    )

    @ma.post_load
    def make(self, values: dict[str, int], **_: Any) -> float:
        """Return the seconds."""
        return values.get("wait_ms", 0) / 1_000


class PurgeArgumentsSchema(_ArgumentsSchema):
    """What is to be left of a task."""

    purge = String(
        validate=ma.validate.OneOf(("0", "1"), error="must be 0 or 1."),
        metadata={"description": "1 deletes the task with its files: nothing is left of it."},
    )

    @ma.post_load
    def make(self, values: dict[str, str], **_: Any) -> bool:
        """Return whether everything is to be deleted."""
        return values.get("purge") == "1"
