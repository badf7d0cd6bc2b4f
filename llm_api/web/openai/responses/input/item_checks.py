"""Checks the items of a conversation in one pass, as `item_schemas` describes them."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from llm_api.web.openai.messages import BAD_IMAGE_ADDRESS, reason_against
from llm_api.web.openai.responses.input.item_schemas import (
    AUDIO,
    CUSTOM_OUTPUT,
    FILE,
    IMAGE,
    KINDS,
    MAX_ITEMS,
    MAX_PARTS,
    MESSAGE,
    MORE_TOOLS,
    OF_A_FILE,
    OUTPUT,
    PART_KINDS,
    REFERENCE,
    ROLES,
    TEXT_PARTS,
    TEXTS,
    ResponsesItemSchema,
)
from llm_api.web.openai.responses.input.tool_schemas import problem_in_tools
from llm_api.web.schema_fields import (
    AnyOf,
    FieldProblem,
    item_errors,
    list_length,
    messages_for,
    wrong_type,
)

_EXPECTED = "a string or a list of items"
# Not all of them: an error has ten of these at most.
_A_KIND = (
    "must be the type of an item, such as message, function_call, function_call_output,"
    " custom_tool_call, custom_tool_call_output, reasoning or item_reference."
)
_A_STRING = "must be a string."
# Of an item: None, its problem, or that of one of its fields.
_Problems = dict[str, list[FieldProblem]] | list[FieldProblem] | None


class InputField(AnyOf):
    """A text, or a conversation as a list of items."""

    default_error_messages = messages_for(_EXPECTED)

    def __init__(self) -> None:
        """Require one of them; a list has 1 to `MAX_ITEMS` items."""
        items = ma.fields.List(
            ma.fields.Nested(ResponsesItemSchema), validate=list_length(1, MAX_ITEMS)
        )
        super().__init__(ma.fields.String(), items, required=True)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise wrong_type(_EXPECTED)
        if not 1 <= len(value) <= MAX_ITEMS:
            raise ma.ValidationError(f"must be a string or a list of 1 to {MAX_ITEMS} items.")
        if any(map(problem_in_item, value)):
            raise item_errors(value, problem_in_item)
        return value


def kind_of(item: Mapping[str, Any]) -> str:
    """Return the kind of an item, which may be left to what it has."""
    return item.get("type") or (MESSAGE if "role" in item else REFERENCE)


def problem_in_item(item: Any) -> _Problems:
    """Return what is wrong with an item, None where nothing is."""
    if not isinstance(item, dict):
        return [FieldProblem("must be an object with a type.", "invalid_type")]
    kind = item.get("type")
    if kind not in (None, *KINDS):
        return _problem("type", _A_KIND, "out_of_range")
    kind = kind_of(item)
    for name in TEXTS.get(kind, ()):
        if not isinstance(item.get(name), str):
            return _problem(name, _A_STRING)
    if kind == MESSAGE:
        return _problem_in_message(item)
    if kind in (OUTPUT, CUSTOM_OUTPUT) and (found := _problem_in_texts(item, "output")):
        return found
    if kind == MORE_TOOLS and (wrong := problem_in_tools(item.get("tools"))):
        return _problem("tools", wrong)
    return None if item.get("content") is None else _problem_in_texts(item, "content")


def _problem_in_message(message: Mapping[str, Any]) -> _Problems:
    if message.get("role") not in ROLES:
        return _problem("role", f"must be one of {', '.join(ROLES)}.", "out_of_range")
    return _problem_in_texts(message, "content")


def _problem_in_texts(item: Mapping[str, Any], name: str) -> _Problems:
    """Look at a field that is a text or a list of parts."""
    parts = item.get(name)
    if isinstance(parts, str):
        return None
    if not isinstance(parts, list):
        return _problem(name, "must be a string or a list of parts.")
    if len(parts) > MAX_PARTS:
        return _problem(name, f"must have at most {MAX_PARTS} parts.", "out_of_range")
    for index, part in enumerate(parts):
        if found := _problem_in_part(part, f"{name}[{index}]"):
            return found
    return None


def _problem_in_part(part: Any, path: str) -> _Problems:
    if not isinstance(part, dict):
        return _problem(path, "must be an object with a type.")
    kind = part.get("type")
    if kind not in PART_KINDS:
        return _problem(f"{path}.type", f"must be one of {', '.join(PART_KINDS)}.", "out_of_range")
    if (name := TEXT_PARTS.get(kind)) is not None:
        is_text = isinstance(part.get(name), str)
        return None if is_text else _problem(f"{path}.{name}", _A_STRING)
    if kind == IMAGE:
        return _problem_in_image(part, path)
    if kind == FILE and not any(isinstance(part.get(name), str) for name in OF_A_FILE):
        return _problem(f"{path}.file_data", "must be a string, a data URI.")
    if kind == AUDIO and not _is_sound(part.get(AUDIO)):
        return _problem(f"{path}.{AUDIO}", "must be an object with data and format.")
    return None


def _problem_in_image(part: Mapping[str, Any], path: str) -> _Problems:
    if part.get("image_url") is None and isinstance(part.get("file_id"), str):
        return None
    if reason := reason_against(part.get("image_url")):
        return _problem(f"{path}.image_url", BAD_IMAGE_ADDRESS, reason)
    return None


def _is_sound(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), str) for name in ("data", "format")
    )


def _problem(field: str, message: str, reason: str = "invalid_type") -> _Problems:
    return {field: [FieldProblem(message, reason)]}
