"""Reads a TOML file by a schema; what is wrong with it is said like what is wrong with settings."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.settings import held_files
from llm_api.settings.settings import SettingsError

# What files were read as, by schema, path and text, for what reads them again: a process reads the
# target models four times. All of `config/` are 300 KB.
_tables: dict[tuple[type[ma.Schema], Path, str], dict[str, Any]] = {}
_MOST_TABLES = 100


def checked(schema: type[ma.Schema], root: Path, path: Path) -> dict[str, Any]:
    """Read a file below `root` by a schema; raises SettingsError.

    Whoever reads the same text again gets the same values, which nobody may write into.
    """
    try:
        text = held_files.read(root / path).decode("utf-8")
    except OSError as error:
        raise SettingsError([f"{path} cannot be read."]) from error
    except UnicodeDecodeError as error:
        raise _not_toml(path, error) from error
    if (schema, path, text) not in _tables:
        if len(_tables) >= _MOST_TABLES:
            _tables.clear()
        _tables[schema, path, text] = _table(schema, path, text)
    return dict(_tables[schema, path, text])


def _table(schema: type[ma.Schema], path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(_made(schema).load(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(path, error) from error
    except ma.ValidationError as error:
        raise SettingsError(_lines(path, error.messages_dict)) from error


@cache
def _made(schema: type[ma.Schema]) -> ma.Schema:
    # Once for all files of a kind: to make one takes as long as to read a file by it.
    return schema()


def _not_toml(path: Path, error: ValueError) -> SettingsError:
    return SettingsError([f"{path} is not valid TOML: {error}."])


def _lines(where: Path | str, messages: Mapping[Any, Any] | list[Any]) -> list[str]:
    """Flatten marshmallow's nested messages to one line each."""
    if not isinstance(messages, Mapping):
        return [f"{where}: {message}" for message in messages]
    return [
        line
        for name, inner in messages.items()
        for line in _lines(
            f"{where}, {name}" if isinstance(where, Path) else _inside(where, name), inner
        )
    ]


def _inside(where: str, name: object) -> str:
    # marshmallow puts errors of a Dict's values below "value".
    return where if name in {"_schema", "value"} else f"{where}.{name}"
