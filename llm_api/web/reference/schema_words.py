"""Schemas of the API document in words: of which type a field is, and what it may be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MAX_INT32 = 2**31 - 1
_REFERENCE = "#/components/schemas/"
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A field or parameter as a reader wants it.

    Attributes:
        name: with a dot before that of a field within.
        types: pairs of words and the schema they name, None where they name none.
        limits: such as "1 to 256 characters"; may be empty.
        description: may be empty.
        is_required: whether it must be there.
    """

    name: str
    types: list[tuple[str, str | None]]
    limits: list[str]
    description: str
    is_required: bool


def fields_of(schema: Schema, before: str = "") -> Iterator[FieldWords]:
    """Yield the fields of an object, those that must be there first.

    Args:
        schema: of the object.
        before: the name of the object and a dot, where it is a field itself.
    """
    required = set(schema.get("required", ()))
    named = schema.get("properties", {})
    for name in sorted(named, key=lambda name: name not in required):
        field = named[name]
        yield field_words(f"{before}{name}", field, is_required=name in required)
        within = field.get("items", field)
        if "properties" in within:
            mark = "[]." if "items" in field else "."
            yield from fields_of(within, f"{before}{name}{mark}")


def field_words(name: str, schema: Schema, *, is_required: bool) -> FieldWords:
    """Describe one field or parameter."""
    return FieldWords(
        name=name,
        types=list(_types(schema)),
        limits=list(_limits(schema)),
        description=schema.get("description", ""),
        is_required=is_required,
    )


def schema_name(schema: Schema) -> str | None:
    """Return the name of the schema that is referred to; None where it stands in its place."""
    reference: str = schema.get("$ref", "")
    return reference.removeprefix(_REFERENCE) or None


def _types(schema: Schema) -> Iterator[tuple[str, str | None]]:
    if name := schema_name(schema):
        yield name, name
        return
    forms = schema.get("anyOf") or schema.get("oneOf") or ()
    if forms and "type" not in schema:
        for number, form in enumerate(forms):
            yield from [(" or ", None)] if number else []
            yield from _types(form)
        return
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for number, kind in enumerate(kinds):
        yield from [(" or ", None)] if number else []
        if kind == "array":
            yield "list of ", None
            yield from _types(schema.get("items", {}))
        else:
            yield kind, None


def _limits(schema: Schema) -> Iterator[str]:
    if "enum" in schema:
        words = [str(word) for word in schema["enum"] if word is not None]
        yield f"one of {', '.join(words)}"
    if "exclusiveMinimum" in schema:
        yield f"above {_number(schema['exclusiveMinimum'])}"
        yield f"at most {_number(schema['maximum'])}"
    else:
        yield from _span(schema.get("minimum"), schema.get("maximum"), "")
    yield from _span(schema.get("minLength"), schema.get("maxLength"), " characters")
    yield from _span(schema.get("minItems"), schema.get("maxItems"), " items")
    if "format" in schema:
        yield str(schema["format"])


def _span(low: float | None, high: float | None, unit: str) -> Iterator[str]:
    """Yield the bounds of a number in words; those of a whole type of integers are none."""
    if high is not None and abs(high) >= _MAX_INT32:
        high = None
    if low is not None and low <= -_MAX_INT32:
        low = None
    if low is not None and high is not None:
        yield f"{_number(low)} to {_number(high)}{unit}"
    elif low is not None:
        yield f"at least {_number(low)}{unit}"
    elif high is not None:
        yield f"at most {_number(high)}{unit}"


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
