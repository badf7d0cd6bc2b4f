"""Fields of routes whose bodies are JSON or forms: a form has texts for numbers, and no null."""

import re
from collections.abc import Mapping
from typing import Any

from llm_api.domain.making import MAX_SEED, Notice
from llm_api.web.schema_fields import Boolean, Integer

_DIGITS = re.compile("-?[0-9]{1,20}")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


class LooseInteger(Integer):
    """A whole number, or one in digits, as forms have it."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        return super()._validated(value)


class LooseBoolean(Boolean):
    """`true` or `false`, or one of them as a text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if isinstance(value, str) and value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        return super()._deserialize(value)


def optional(description: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the options of a field that may be null; `more` is for the API document."""
    about = {"description": description} if description else {}
    return {"allow_none": True, "metadata": {**about, **more}}


def dropped(field: str, message: str) -> Notice:
    """Make the notice of a field that no model gets to see."""
    return Notice(field, "dropped", message)


def seed_in(given: Mapping[str, Any]) -> tuple[int | None, list[Notice]]:
    """Return a seed that vendors take, and what was done to the one that was sent.

    -1 is a word for any, which is None.
    """
    seed = given.get("seed", -1)
    if seed == -1:
        return None, []
    words = f"It was brought into the range from 0 to {MAX_SEED}."
    notices = [] if 0 <= seed <= MAX_SEED else [Notice("seed", "adapted", words)]
    return seed & MAX_SEED, notices
