"""Marshmallow fields that take no value for what it is not: `"12"` is no number, `1.5` no integer.

Every field says what would be right. Limits stand in `metadata`, where the API document shows them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

from marshmallow import ValidationError, fields

from llm_api.domain import safe_text
from llm_api.errors import MAX_FIELD_ERRORS, FieldError, InvalidRequest

MAX_INT = 2**31 - 1
REQUIRED = "is required."
NULL = "must not be null."
UNKNOWN = "is not a known field."
_MAX_NAME = 64
_REASONS = {REQUIRED: "missing", NULL: "invalid_type", UNKNOWN: "unknown_field"}
# As str.strip sees it.
_SOME_TEXT = r"[^\s\x1c-\x1f\x85]"
MESSAGES: dict[str, Any] = {"required": REQUIRED, "null": NULL}


class FieldProblem(str):
    """What would be right, and the stable word for what is wrong."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, message: str, reason: str) -> Self:
        """Make the sentence's end, such as `must be a string.`."""
        problem = super().__new__(cls, message)
        problem.reason = reason
        return problem


def wrong_type(right: str) -> ValidationError:
    """Make the error for a value of the wrong type."""
    return ValidationError([FieldProblem(f"must be {right}.", "invalid_type")])


def out_of_range(right: str) -> ValidationError:
    """Make the error for a value of the right type that is not allowed."""
    return ValidationError([FieldProblem(f"must be {right}.", "out_of_range")])


class StrictString(fields.String):
    """Text with length limits; `is_printable` also refuses control characters and line breaks."""

    default_error_messages = MESSAGES

    def __init__(
        self,
        *,
        at_least: int = 0,
        at_most: int | None = None,
        is_printable: bool = False,
        choices: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        """Take lengths in characters, or the `choices` that are allowed."""
        limits = {
            "minLength": at_least or None,
            "maxLength": at_most,
            "enum": list(choices) or None,
            "pattern": _pattern(is_on_a_line=is_printable, is_blank=not at_least),
        }
        super().__init__(**_documented(limits, kwargs))
        self._at_least, self._at_most = at_least, at_most
        self._is_printable, self._choices = is_printable, choices

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:  # noqa: ARG002  # marshmallow's signature
        if not isinstance(value, str):
            raise wrong_type("a string")
        if self._choices and value not in self._choices:
            raise out_of_range(f"one of {', '.join(self._choices)}")
        if not self._at_least <= len(value) <= (self._at_most or math.inf):
            raise out_of_range(self._right_length())
        if self._is_printable and not safe_text.is_printable(value):
            raise out_of_range("printable text without control characters or line breaks")
        if self._at_least and not value.strip():
            raise out_of_range("more than white space")
        return value

    def _right_length(self) -> str:
        if self._at_most is None:
            return f"at least {self._at_least} characters long"
        return f"{self._at_least} to {self._at_most} characters long"


def whole(value: Any) -> int | None:
    """Return a whole number, or None; to JSON Schema and to JavaScript, 12.0 is one."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None  # bool is a subclass of int


class StrictInteger(fields.Integer):
    """A whole number between two limits."""

    default_error_messages = MESSAGES

    def __init__(self, *, minimum: int, maximum: int = MAX_INT, **kwargs: Any) -> None:
        """Take the limits, both allowed."""
        super().__init__(**_documented({"minimum": minimum, "maximum": maximum}, kwargs))
        self._minimum, self._maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:  # noqa: ARG002  # marshmallow's signature
        right = f"an integer from {self._minimum} to {self._maximum}"
        number = whole(value)
        if number is None:
            raise wrong_type(right)
        if not self._minimum <= number <= self._maximum:
            raise out_of_range(right)
        return number


class StrictNumber(fields.Float):
    """A number between two limits; `is_open` excludes the lower one."""

    default_error_messages = MESSAGES

    def __init__(
        self, *, minimum: float, maximum: float, is_open: bool = False, **kwargs: Any
    ) -> None:
        """Take the limits."""
        lower = "exclusiveMinimum" if is_open else "minimum"
        super().__init__(**_documented({lower: minimum, "maximum": maximum}, kwargs))
        self._minimum, self._maximum, self._is_open = minimum, maximum, is_open

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> float:  # noqa: ARG002  # marshmallow's signature
        low = f"more than {self._minimum}" if self._is_open else f"from {self._minimum}"
        right = f"a number {low} {'and at most' if self._is_open else 'to'} {self._maximum}"
        if type(value) not in {int, float}:
            raise wrong_type(right)
        is_too_low = value <= self._minimum if self._is_open else value < self._minimum
        if is_too_low or value > self._maximum:
            raise out_of_range(right)
        return float(value)


class StrictBoolean(fields.Boolean):
    """true or false, and nothing that looks like it."""

    default_error_messages = MESSAGES

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> bool:  # noqa: ARG002  # marshmallow's signature
        if not isinstance(value, bool):
            raise wrong_type("true or false")
        return value


def _documented(limits: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Put the limits where apispec finds them."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return kwargs | {"metadata": given | kwargs.get("metadata", {})}


def _pattern(*, is_on_a_line: bool, is_blank: bool) -> str | None:
    """Write what a text may be as a pattern of JSON Schema: no other characters, or some text."""
    if is_on_a_line:
        return safe_text.PRINTABLE if is_blank else safe_text.PRINTABLE_AND_VISIBLE
    return None if is_blank else _SOME_TEXT


def checked_items(
    items: Any, check: Callable[[Any], dict[str, FieldProblem]], *, at_most: int
) -> list[Any]:
    """Check a list in one pass and stop at the tenth wrong item.

    `check` returns what is wrong with an item, by key. The length is looked at first: an error for
    each of 200,000 items would cost seconds and answer with megabytes.
    """
    if not isinstance(items, list):
        raise wrong_type("a list")
    if not 1 <= len(items) <= at_most:
        raise out_of_range(f"a list of 1 to {at_most} items")
    wrong: dict[int, Any] = {}
    for index, item in enumerate(items):
        if problems := check(item):
            wrong[index] = {key: [problem] for key, problem in problems.items()}
            if len(wrong) == MAX_FIELD_ERRORS:
                break
    if wrong:
        raise ValidationError(wrong)
    return items


def invalid_request(messages: Any) -> InvalidRequest:
    """Turn marshmallow's nested messages into our error."""
    found: list[tuple[str, str]] = []
    _flatten(messages, "", found)
    field, message = found[0]
    reason = getattr(message, "reason", None) or _REASONS.get(message, "invalid")
    sentence = f"{field}: {message}" if field else message
    return InvalidRequest(sentence, reason=reason, fields=[FieldError(f, str(m)) for f, m in found])


def _step(key: object, *, is_first: bool) -> str:
    """Write one step of a path; a name that a client made up is cut and made printable."""
    if isinstance(key, int):
        return f"[{key}]"
    if key == "_schema":
        return ""
    name = safe_text.made_printable(str(key)[:_MAX_NAME])
    return name if is_first else f".{name}"


def _flatten(messages: Any, path: str, found: list[tuple[str, str]]) -> None:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            if len(found) >= MAX_FIELD_ERRORS:
                return
            _flatten(inner, path + _step(key, is_first=not path), found)
    else:
        found.extend((path, message) for message in messages[:1])
