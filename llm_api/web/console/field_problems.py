"""What is wrong in a form or an address, in the words of the API's schemas."""

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from llm_api.web.schema_fields import FieldProblem

Problems = Sequence[tuple[str, str]]


def problems_of(error: ma.ValidationError) -> Problems:
    """Return what is wrong: names of fields, and a sentence for each."""
    return list(_problems(error.messages_dict))


def _problems(messages: Mapping[Any, Any], of: str = "") -> Problems:
    found: list[tuple[str, str]] = []
    for name, message in messages.items():
        # Of a list it is one of its items, whose number says nothing in a form.
        field = of or str(name) if isinstance(name, int) or name == "limits" else str(name)
        if isinstance(message, Mapping):
            found += _problems(message, "" if name == "limits" else field)
        else:
            first = message[0]
            found.append((field, first.message if isinstance(first, FieldProblem) else str(first)))
    return found
