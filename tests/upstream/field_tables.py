"""Tables of fields by vendor, cell by cell: what is sent, left out, refused, and told.

A row is a field of ours, and a column a model, by its short name. The tables of pictures and of
films have the same form, and are held against scripted vendors in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pytest

from llm_api.errors import InvalidRequest
from tests.support.image_upstream import ImageVendor

# What is asked for, or what is then in the body.
Sent = Mapping[str, Any]
# The row, the column, what is asked for, and what is then in the body.
SentCells = list[tuple[str, str, Sent, Sent]]
# The field, the column and what is asked for: the field is in no body, or is refused.
FieldCells = list[tuple[str, str, Sent]]
# The column, what is asked for, and the field and code of a notice.
NoticedCells = list[tuple[str, Sent, tuple[str, str]]]
_MISSING = object()


class FieldAsker(Protocol):
    """Asks a model, and knows what its vendor got."""

    @property
    def vendor(self) -> ImageVendor:
        """Return who was asked."""

    @property
    def notices(self) -> Sequence[tuple[str, str]]:
        """Return the fields about which the last caller was told something."""

    def fit(self, **fields: Any) -> object:
        """Put a request into the model's terms; raises InvalidRequest."""

    def sent(self, **fields: Any) -> Mapping[str, Any]:
        """Ask, and return the body of the first request."""


def cell_name(value: object) -> str | None:
    """Name a test by the row and the column of its cell."""
    return value if isinstance(value, str) else None


def assert_sent(asker: FieldAsker, row: str, asked: Sent, expected: Sent) -> None:
    """Hold the body of a request to what is expected at paths, such as `input.prompt`."""
    body = asker.sent(**asked)

    assert {path: value_at(body, path) for path in expected} == expected, row


def assert_not_sent(asker: FieldAsker, name: str, asked: Sent) -> None:
    """Hold a request to have no field of a name, however deep."""
    assert not has_key(asker.sent(**asked), name)


def assert_refused(asker: FieldAsker, field: str, asked: Sent) -> None:
    """Hold a request to be refused because of a field, before the vendor hears of it."""
    with pytest.raises(InvalidRequest) as raised:
        asker.fit(**asked)

    assert [one.field for one in raised.value.fields] == [field]
    assert not asker.vendor.requests


def assert_told(asker: FieldAsker, asked: Sent, notice: tuple[str, str]) -> None:
    """Hold a caller to be told what became of a field."""
    asker.fit(**asked)

    assert notice in asker.notices


def value_at(body: Mapping[str, Any], path: str) -> Any:
    """Return what a body has at a path such as `input.messages.0.role`; None if nothing."""
    value: Any = body
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else _MISSING
        elif isinstance(value, dict):
            value = value.get(step, _MISSING)
    return None if value is _MISSING else value


def has_key(value: Any, name: str) -> bool:
    """Whether any object in a body has a field of this name."""
    if isinstance(value, dict):
        return name in value or any(has_key(inner, name) for inner in value.values())
    return isinstance(value, list) and any(has_key(inner, name) for inner in value)
