"""Marshmallow's fields and validators with this API's messages; JSON's types are not converted.

Validators document themselves in the API document. A message is a `FieldProblem` where it has a
reason of its own; what a validator refuses in plain text has the reason `out_of_range`.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from marshmallow import ValidationError, fields, validate

from llm_api.domain import safe_text
from llm_api.errors import MAX_FIELD_ERRORS, FieldError, InvalidRequest

MAX_INT = 2**31 - 1
UNKNOWN = "is not a known field."
_MAX_NAME = 64


class FieldProblem(NamedTuple):
    """A message of marshmallow: the end of a sentence such as `must be a string.`, and a reason."""

    message: str
    reason: str


MESSAGES: dict[str, Any] = {
    "required": [FieldProblem("is required.", "missing")],
    "null": [FieldProblem("must not be null.", "invalid_type")],
}


# Marshmallow's type for them is narrower than its use.
MESSAGES_OF_SCHEMAS: dict[str, Any] = {
    "unknown": FieldProblem(UNKNOWN, "unknown_field"),
    "type": FieldProblem("must be an object.", "invalid"),
}


def wrong_type(expected: str) -> ValidationError:
    """Make the error for a value of the wrong type."""
    return ValidationError([FieldProblem(f"must be {expected}.", "invalid_type")])


def messages_for(expected: str) -> dict[str, Any]:
    """Return a field's messages: it is missing, null, or not the `expected` type."""
    return MESSAGES | {"invalid": wrong_type(expected).messages}


# --- fields ---


class String(fields.String):
    """A string."""

    default_error_messages = messages_for("a string")


class Object(fields.Dict):
    """An object."""

    default_error_messages = messages_for("an object")


class Boolean(fields.Boolean):
    """`true` or `false`; marshmallow's also takes 1 and 0."""

    default_error_messages = messages_for("true or false")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise self.make_error("invalid")


class _Ranged:
    """A number whose messages name its range, whichever of type and range is wrong."""

    noun: ClassVar[str]
    validators: list[Callable[[Any], Any]]
    error_messages: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for rule in self.validators:
            if isinstance(rule, validate.Range):
                low = f"from {rule.min} to" if rule.min_inclusive else f"over {rule.min}, at most"
                expected = f"{self.noun} {low} {rule.max}"
                self.error_messages["invalid"] = wrong_type(expected).messages
                rule.error = f"must be {expected}."


class Integer(_Ranged, fields.Integer):
    """A whole number; marshmallow's takes "12", or does not take 12.0."""

    noun = "an integer"
    default_error_messages = messages_for(noun)

    def _validated(self, value: Any) -> int:
        if (number := whole(value)) is None:
            raise self.make_error("invalid")
        return number


def seed_field(**options: Any) -> Integer:
    """Make the field of a seed: 64 bits, with or without a sign.

    OpenAI's reference has an int64, ComfyUI's seeds go to 2**64 - 1, and -1 is a word for any. A
    seed over a vendor's range is brought into it.
    """
    return Integer(allow_none=True, validate=within(-(2**63), 2**64 - 1), **options)


class Float(_Ranged, fields.Float):
    """A number; marshmallow's also takes "0.5"."""

    noun = "a number"
    default_error_messages = messages_for(noun)

    def _validated(self, value: Any) -> float:
        if type(value) in {int, float}:  # bool is a subclass of int
            return float(value)
        raise self.make_error("invalid")


class ShortList(fields.List[Any]):
    """A list whose length is checked before its items, and not only after them.

    An error for each of a million items would cost seconds and answer with megabytes.
    """

    default_error_messages = messages_for("a list")

    def __init__(
        self, item: fields.Field[Any], *, at_least: int = 0, at_most: int, **options: Any
    ) -> None:
        """Limit a list of `item` to `at_least` to `at_most` items."""
        super().__init__(item, validate=list_length(at_least, at_most), post_load=tuple, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        self._validate(value)
        return super()._deserialize(value, attr, data, **options)


class AnyOf(fields.Raw):
    """A value in one of several forms, for the API document; it is not checked here."""

    def __init__(self, *forms: fields.Field[Any], **options: Any) -> None:
        """Document the value as any of the `forms`."""
        super().__init__(**options)
        self.forms = forms


def whole(value: Any) -> int | None:
    """Return a whole number, or None; JSON Schema 2020-12, 6.1.1, counts 12.0 as an integer."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None  # bool is a subclass of int


# --- validators ---

# As `str.strip` sees it.
VISIBLE = validate.Regexp(r"\s*[^\s\x1c-\x1f\x85]", error="must be more than white space.")


def within(minimum: float, maximum: float = MAX_INT) -> validate.Range:
    """Limit a number to `minimum` to `maximum`, both included."""
    return validate.Range(minimum, maximum)


def length(minimum: int, maximum: int) -> validate.Length:
    """Limit a text to `minimum` to `maximum` characters."""
    if minimum:
        error = "must be {min} to {max} characters long."
        return validate.Length(minimum, maximum, error=error)
    return validate.Length(max=maximum, error="must be at most {max} characters long.")


def list_length(minimum: int, maximum: int) -> validate.Length:
    """Limit a list to `minimum` to `maximum` items."""
    return validate.Length(minimum, maximum, error="must be a list of {min} to {max} items.")


def one_of(choices: tuple[str, ...]) -> validate.OneOf:
    """Limit a text to `choices`."""
    return validate.OneOf(choices, error="must be one of {choices}.")


# A tag of BCP 47, or "auto", which is one in form.
LANGUAGE_PATTERN = "^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4})$"
LANGUAGE = validate.Regexp(
    # Python's `$` also matches in front of a final line feed; JSON Schema's does not.
    re.compile(LANGUAGE_PATTERN.removesuffix("$") + r"\Z"),
    error="must be auto or a tag of BCP 47, such as en, pt-BR or zh-Hant.",
)


def printable(pattern: str = safe_text.PRINTABLE) -> validate.Regexp:
    """Limit a text to printable characters, by a pattern of JSON Schema."""
    # Python's `$` also matches in front of a final line feed; JSON Schema's does not.
    return validate.Regexp(
        re.compile(pattern.removesuffix("$") + r"\Z"),
        error="must be printable text without control characters or line breaks.",
    )


def line(minimum: int, maximum: int, **options: Any) -> String:
    """Make a field for a line of text without control characters, `minimum` to `maximum` long."""
    pattern = safe_text.PRINTABLE_AND_VISIBLE if minimum else safe_text.PRINTABLE
    described = {"pattern": pattern, **options.pop("metadata", {})}
    rules = [length(minimum, maximum), printable(pattern)]
    return String(validate=rules, metadata=described, **options)


# --- errors ---


def item_errors(items: list[Any], problem_in: Callable[[Any], Any]) -> ValidationError:
    """Make the error for the first wrong items of a list; `problem_in` returns one's, or None.

    The tenth is the last: an error for each of 200,000 items would cost seconds.
    """
    wrong = ((i, problem) for i, item in enumerate(items) if (problem := problem_in(item)))
    return ValidationError(dict(islice(wrong, MAX_FIELD_ERRORS)))


def invalid_request(messages: Any) -> InvalidRequest:
    """Turn marshmallow's nested messages into our error."""
    found: list[tuple[str, FieldProblem]] = []
    _flatten(messages, "", found)
    field, problem = found[0]
    sentence = f"{field}: {problem.message}" if field else problem.message
    wrong = [FieldError(path, problem.message) for path, problem in found]
    return InvalidRequest(sentence, reason=problem.reason, fields=wrong)


def _step(key: object, *, is_first: bool) -> str:
    """Write one step of a path; a name that a client made up is cut and made printable."""
    if isinstance(key, int):
        return f"[{key}]"
    if key == "_schema":
        return ""
    name = safe_text.made_printable(str(key)[:_MAX_NAME])
    return name if is_first else f".{name}"


def _flatten(messages: Any, path: str, found: list[tuple[str, FieldProblem]]) -> None:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            if len(found) >= MAX_FIELD_ERRORS:
                return
            _flatten(inner, path + _step(key, is_first=not path), found)
    else:
        found.extend((path, _problem(message)) for message in messages[:1])


def _problem(message: str | FieldProblem) -> FieldProblem:
    return message if isinstance(message, FieldProblem) else FieldProblem(message, "out_of_range")
