"""Names of fields as a caller wrote them, where a request was put into the form of a chat.

What refuses or leaves out a field behind that sees the chat, and names its fields.
"""

import re
from collections.abc import Iterable, Mapping

from llm_api.errors import FieldError, InvalidRequest

_first = re.compile(r"\w+").match


def in_own_words(error: InvalidRequest, names: Mapping[str, str]) -> InvalidRequest:
    """Return an error that names the caller's fields.

    Where in a field something is wrong is left out: a chat has its messages in other places.

    Args:
        error: what was refused.
        names: the caller's names of fields, by those of a chat.
    """
    fields = [FieldError(_own(one.field, names), one.message) for one in error.fields]
    if not fields or fields == list(error.fields):
        return error
    first, message = error.fields[0], error.message
    if message.startswith(f"{first.field}: "):
        message = f"{fields[0].field}{message.removeprefix(first.field)}"
    return error.replaced(message=message, fields=tuple(fields))


def own_names(fields: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return fields by the caller's names."""
    return tuple(_own(field, names) for field in fields)


def _own(field: str, names: Mapping[str, str]) -> str:
    found = _first(field)
    return names.get(found[0], field) if found else field
