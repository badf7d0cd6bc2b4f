"""Shapes of JSON values: each checks a value, and documents itself as the JSON Schema of the same.

Blocks of a conversation nest, and what they must have depends on their type. One description of
them cannot contradict itself; marshmallow's schemas would need a second one for the document.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import marshmallow as ma

from llm_api.errors import MAX_FIELD_ERRORS
from llm_api.web.schema_fields import MAX_INT, MESSAGES, FieldProblem, whole


class Problem(NamedTuple):
    """What is wrong with a value: where in it, what would be right, and the reason."""

    path: tuple[str | int, ...]
    message: str
    reason: str = "invalid_type"


class Shape(Protocol):
    """What a value must be."""

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value, None if nothing is."""

    def document(self) -> dict[str, Any]:
        """Return the JSON Schema of the same."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at least so many characters, that matches a pattern of JSON Schema if one is given.

    `expected` says in words what that is.
    """

    min_length: int = 0
    pattern: str | None = None
    expected: str = "a string"
    reason: str = "out_of_range"

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        if not isinstance(value, str):
            return Problem((), f"must be {self.expected}.")
        is_right = len(value) >= self.min_length
        if self.pattern is not None:
            # Python's `$` also matches in front of a final line feed; JSON Schema's does not.
            pattern = re.sub(r"\$\Z", r"\\Z", self.pattern)
            is_right &= re.search(pattern, value) is not None
        return None if is_right else Problem((), f"must be {self.expected}.", self.reason)

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        limits = {"minLength": self.min_length} if self.min_length else {}
        return {"type": "string", **limits, **({"pattern": self.pattern} if self.pattern else {})}


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        return None if isinstance(value, bool) else Problem((), "must be true or false.")

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from 1."""

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        expected = f"must be an integer from 1 to {MAX_INT}."
        number = whole(value)
        if number is None:
            return Problem((), expected)
        return None if 1 <= number <= MAX_INT else Problem((), expected, "out_of_range")

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        return {"type": "integer", "minimum": 1, "maximum": MAX_INT}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        is_one = isinstance(value, str) and value in self.words
        return None if is_one else _not_one_of(self.words)

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Record:
    """An object with some members; others are not looked at, and null is as good as left out."""

    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        if not isinstance(value, dict):
            return Problem((), "must be an object.")
        for name, shape in self.required.items():
            if name not in value:
                return Problem((name,), "is required.", "missing")
            if (found := shape.problem(value[name])) is not None:
                return _inside(found, name)
        for name, shape in self.optional.items():
            given = value.get(name)
            if given is not None and (found := shape.problem(given)) is not None:
                return _inside(found, name)
        return None

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        properties = {name: shape.document() for name, shape in self.required.items()}
        for name, shape in self.optional.items():
            properties[name] = or_null(shape.document())
        needed = {"required": list(self.required)} if self.required else {}
        return {"type": "object", **needed, **({"properties": properties} if properties else {})}


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose `tag` says what else it must have.

    `default` is the word of one without the tag, None where it must have one. `has_others` allows
    words that are not listed, of which nothing is asked.
    """

    records: Mapping[str, Record]
    default: str | None = None
    has_others: bool = False
    tag: str = "type"

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        if not isinstance(value, dict):
            return Problem((), "must be an object.")
        word = value.get(self.tag)
        if word is None and self.default is not None:
            word = self.default
        elif self.tag not in value:
            return Problem((self.tag,), "is required.", "missing")
        if isinstance(word, str) and word in self.records:
            return self.records[word].problem(value)
        if self.has_others:
            return None if isinstance(word, str) else Problem((self.tag,), "must be a string.")
        return _inside(_not_one_of(tuple(self.records)), self.tag)

    def document(self) -> dict[str, Any]:
        """Return the schema; what depends on the tag stands in `if`, as generators pass over it."""
        word: dict[str, Any] = {"type": "string"}
        if not self.has_others:
            word["enum"] = list(self.records)
        rules = [
            {"if": self._is(name), "then": record.document()}
            for name, record in self.records.items()
            if record.required or record.optional
        ]
        return {
            "type": "object",
            **({"required": [self.tag]} if self.default is None else {}),
            "properties": {self.tag: word if self.default is None else or_null(word)},
            **({"allOf": rules} if rules else {}),
        }

    def _is(self, name: str) -> dict[str, Any]:
        """Describe what makes an object one of a word."""
        is_default = name == self.default
        words = [name, None] if is_default else [name]
        needed = {} if is_default else {"required": [self.tag]}
        return {**needed, "properties": {self.tag: {"enum": words}}}


@dataclass(frozen=True, slots=True)
class Items:
    """A list of so many values of one shape."""

    item: Shape
    at_most: int
    at_least: int = 0

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        if not isinstance(value, list):
            return Problem((), "must be a list.")
        if not self.at_least <= len(value) <= self.at_most:
            expected = f"a list of {self.at_least} to {self.at_most} items"
            return Problem((), f"must be {expected}.", "out_of_range")
        return next(iter(self.problems(value, at_most=1)), None)

    def problems(self, values: list[Any], *, at_most: int = MAX_FIELD_ERRORS) -> list[Problem]:
        """Return what is wrong with the first items that are wrong."""
        found: list[Problem] = []
        for position, value in enumerate(values):
            if (wrong := self.item.problem(value)) is not None:
                found.append(_inside(wrong, position))
                if len(found) == at_most:
                    break
        return found

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        limits = {"minItems": self.at_least} if self.at_least else {}
        items = self.item.document()
        return {"type": "array", "items": items, **limits, "maxItems": self.at_most}


@dataclass(frozen=True, slots=True)
class TextOr:
    """A text, or a list."""

    items: Items
    noun: str = "blocks"

    def problem(self, value: Any) -> Problem | None:
        """Return what is wrong with a value."""
        if isinstance(value, str):
            return None
        if not isinstance(value, list):
            return Problem((), f"must be a string or a list of {self.noun}.")
        return self.items.problem(value)

    def document(self) -> dict[str, Any]:
        """Return the schema."""
        return {"anyOf": [{"type": "string"}, self.items.document()]}


class ShapeField(ma.fields.Raw):
    """A field of a schema whose value has a shape."""

    default_error_messages = MESSAGES

    def __init__(self, shape: Shape, *, description: str = "", **options: Any) -> None:
        """Check and document a shape."""
        schema = shape.document()
        if options.get("allow_none") and not schema.keys().isdisjoint(("allOf", "anyOf")):
            schema = or_null(schema)  # apispec does the same to a `type` alone
        more = {"description": description} if description else {}
        super().__init__(metadata={**schema, **more}, **options)
        self._shape = shape

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        problem = self._shape.problem(value)
        if problem is None:
            return value
        if not problem.path or not isinstance(self._shape, Items):
            raise ma.ValidationError(_nested(problem))
        wrong = map(_nested, self._shape.problems(value))
        raise ma.ValidationError({step: said for one in wrong for step, said in one.items()})


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that also allows null."""
    if "anyOf" in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "allOf" in schema:  # whose rules would be those of null, too
        return {"anyOf": [schema, {"type": "null"}]}
    changed = {**schema, "type": [schema["type"], "null"]}
    return {**changed, "enum": [*schema["enum"], None]} if "enum" in schema else changed


def _inside(problem: Problem, step: str | int) -> Problem:
    return problem._replace(path=(step, *problem.path))


def _not_one_of(words: tuple[str, ...]) -> Problem:
    return Problem((), f"must be one of {', '.join(words)}.", "out_of_range")


def _nested(problem: Problem) -> Any:
    """Write a problem in marshmallow's form, with its path."""
    said: Any = [FieldProblem(problem.message, problem.reason)]
    for step in reversed(problem.path):
        said = {step: said}
    return said
