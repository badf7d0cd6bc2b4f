"""Fields of query strings, whose values are texts, each given at most once."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.web.smorest import StrictSchema


class DecimalField(ma.fields.Field[int]):
    """A whole number in decimal digits, given at most once."""

    def __init__(self, at_most: int, description: str, *, at_least: int = 0) -> None:
        """Limit the number to `at_least` to `at_most`."""
        described = {"type": "integer", "minimum": at_least, "maximum": at_most}
        super().__init__(metadata={**described, "description": description})
        self._range = at_least, at_most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        is_number = isinstance(value, str) and value.isascii() and value.isdecimal()
        low, high = self._range
        if not is_number or len(value) > 9 or not low <= int(value) <= high:
            raise ValidationError(f"must be a whole number from {low} to {high}.")
        return int(value)


class ArgumentsSchema(StrictSchema):
    """Arguments, of which an empty text counts as left out."""

    @ma.pre_load
    def drop_empty(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Leave empty texts out; unknown names stay, to be refused."""
        return {name: value for name, value in values.items() if value or name not in self.fields}
