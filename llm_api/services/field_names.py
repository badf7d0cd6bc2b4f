"""Names of fields as a caller wrote them, where a request was put into the form of a chat.

What refuses or leaves out a field behind that sees the chat, and names its fields; so do models
that are asked about a prompt or a picture.
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


def of_prompt(error: InvalidRequest, *, pictures: str = "prompt") -> InvalidRequest:
    """Return what a chat was refused for as an error of what its caller has sent: no messages.

    Args:
        error: what was refused.
        pictures: the field of the pictures beside the prompt; all is theirs but a long context.
    """
    is_of_text = error.reason == "context_length_exceeded"
    return in_own_words(error, {"messages": "prompt" if is_of_text else pictures})


def of_picture(error: InvalidRequest) -> InvalidRequest:
    """Return what a chat was refused for as an error of the picture, which is all that was sent."""
    own = in_own_words(error, {"messages": "image"})
    if error.reason != "context_length_exceeded":
        return own
    problem = "must be smaller: it takes more of the model's context than there is."
    fields = (FieldError("image", problem),)
    return own.replaced(message=f"image: {problem}", fields=fields)


def own_names(fields: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return fields by the caller's names."""
    return tuple(_own(field, names) for field in fields)


def _own(field: str, names: Mapping[str, str]) -> str:
    found = _first(field)
    return names.get(found[0], field) if found else field
