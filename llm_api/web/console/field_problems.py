"""What is wrong in a form or an address, in the words of the API's schemas."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import marshmallow as ma

from llm_api.errors import InvalidRequest
from llm_api.web.schema_fields import FieldProblem


class Problem(NamedTuple):
    """What is wrong with a field.

    Attributes:
        field: its name; empty for what is wrong with the whole.
        message: a sentence, of a field without the name that it begins with.
        reason: of what a service has refused; empty for a field.
    """

    field: str
    message: str
    reason: str = ""


Problems = Sequence[Problem]


def problems_of(error: ma.ValidationError | InvalidRequest) -> Problems:
    """Return what is wrong."""
    if isinstance(error, InvalidRequest):
        return [Problem("", error.message, error.reason)]
    return list(_problems(error.messages_dict))


def _problems(messages: Mapping[Any, Any], of: str = "") -> Problems:
    found: list[Problem] = []
    for name, message in messages.items():
        # Of a list it is one of its items, whose number says nothing in a form.
        field = of or str(name) if isinstance(name, int) or name == "limits" else str(name)
        if isinstance(message, Mapping):
            found += _problems(message, "" if name == "limits" else field)
        else:
            first = message[0]
            text = first.message if isinstance(first, FieldProblem) else str(first)
            found.append(Problem(field, text))
    return found
