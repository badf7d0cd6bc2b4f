"""Fields of routes whose bodies are JSON or forms: a form has texts for numbers, and no null."""

import re
from typing import Any

from llm_api.domain.making import Notice
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
