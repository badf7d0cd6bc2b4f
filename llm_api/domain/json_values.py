"""Reads frozen dataclasses back from the JSON that orjson writes of them."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_Known = tuple[tuple[str, Any], ...]


@lru_cache(maxsize=128)
def _fields_of(kind: Any) -> _Known:
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


def from_json(kind: type[_T], value: Mapping[str, Any]) -> _T:
    """Return the `kind` of dataclass that was written as a JSON object.

    Fields that are not there have their defaults, and those of a newer release are dropped. Takes
    dataclasses of texts, numbers, enumerations, tuples, mappings, dataclasses, and None.
    """
    named = {
        name: _read(hint, value[name])
        for name, hint in _fields_of(cast("Any", kind))
        if name in value
    }
    return kind(**named)


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _read(next(one for one in inner if one is not type(None)), value)
    if origin is tuple:
        return _read_tuple(inner, value)
    if origin is Mapping and is_dataclass(inner[1]):
        return {name: from_json(cast("type[Any]", inner[1]), one) for name, one in value.items()}
    if is_dataclass(hint):
        return from_json(cast("type[Any]", hint), value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value)
    return value


def _read_tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if inner[-1] is Ellipsis:
        return tuple(_read(inner[0], one) for one in value)
    return tuple(_read(one, part) for one, part in zip(inner, value, strict=True))


def compact(written: bytes) -> bytes:
    """Return JSON that is to be kept in as much memory as it needs.

    What orjson 3.13 writes keeps its buffer of 4 KiB or more for as long as it lives, however short
    it is, and `sys.getsizeof` does not show it: 12,000 items of 225 bytes took 50 MiB.
    """
    return bytes(memoryview(written))
