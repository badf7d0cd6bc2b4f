"""Keeps from schemathesis' bodies what the API document cannot rule out."""

from typing import Any

import schemathesis

_MIN, _MAX = -(2**63), 2**63 - 1


@schemathesis.hook
def filter_body(_context: object, body: Any) -> bool:
    """Leave out integers over 64 bits, which are refused wherever they stand (A8).

    JSON Schema could say so only of values that it knows, not of all that may come with a message.
    """
    todo = [body]
    while todo:
        value = todo.pop()
        if type(value) is int and not _MIN <= value <= _MAX:
            return False
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return True
