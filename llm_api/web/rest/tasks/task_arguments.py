"""The arguments of a task's address, from a query string."""

from typing import Any

import marshmallow as ma

from llm_api.web.making.jobs import MAX_WAIT_MS
from llm_api.web.query_fields import ArgumentsSchema, DecimalField
from llm_api.web.schema_fields import String


def wait_field(at_most: int) -> DecimalField:
    """Make the field of milliseconds to wait."""
    words = "How long to wait for the task to end; it is answered at once by default."
    return DecimalField(at_most, words)


class WaitArgumentsSchema(ArgumentsSchema):
    """How long to wait for a task."""

    wait_ms = wait_field(MAX_WAIT_MS)

    @ma.post_load
    def make(self, values: dict[str, int], **_: Any) -> float:
        """Return the seconds."""
        return values.get("wait_ms", 0) / 1_000


class PurgeArgumentsSchema(ArgumentsSchema):
    """What is to be left of a task."""

    purge = String(
        validate=ma.validate.OneOf(("0", "1"), error="must be 0 or 1."),
        metadata={"description": "1 deletes the task with its files: nothing is left of it."},
    )

    @ma.post_load
    def make(self, values: dict[str, str], **_: Any) -> bool:
        """Return whether everything is to be deleted."""
        return values.get("purge") == "1"
