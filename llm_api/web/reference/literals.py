"""Values of JSON as the source text of a language."""

import json
from dataclasses import dataclass
from typing import Any

_WIDTH = 84  # characters of a line; what is longer is broken at its fields and items


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes what JSON can say.

    Attributes:
        words: for true, false and null.
        indent: of a level.
        has_bare_names: whether a field's name needs no quotation marks where it is a plain one.
        has_last_comma: whether the last field or item of a broken line has a comma, too.
    """

    words: dict[bool | None, str]
    indent: str
    has_bare_names: bool = False
    has_last_comma: bool = False

    def literal(self, value: Any, before: str = "") -> str:
        """Return a value as source text.

        Args:
            value: of JSON.
            before: the indent of the line on which it begins; further lines are indented by more.
        """
        flat = self._flat(value)
        is_broken = isinstance(value, dict | list) and value and len(before) + len(flat) > _WIDTH
        return self._broken(value, before) if is_broken else flat

    def _broken(self, value: dict[str, Any] | list[Any], before: str) -> str:
        inner = before + self.indent
        if isinstance(value, dict):
            first, last = "{}"
            lines = [f"{self._name(n)}: {self.literal(v, inner)}" for n, v in value.items()]
        else:
            first, last = "[]"
            lines = [self.literal(item, inner) for item in value]
        comma = "," if self.has_last_comma else ""
        body = ",\n".join(f"{inner}{line}" for line in lines)
        return f"{first}\n{body}{comma}\n{before}{last}"

    def _flat(self, value: Any) -> str:
        if isinstance(value, dict):
            fields = ", ".join(f"{self._name(n)}: {self._flat(v)}" for n, v in value.items())
            spaces = " " if self.has_bare_names and fields else ""
            return f"{{{spaces}{fields}{spaces}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self._flat, value))}]"
        if value is None or isinstance(value, bool):
            return self.words[value]
        return json.dumps(value, ensure_ascii=False)

    def _name(self, name: str) -> str:
        return name if self.has_bare_names and name.isidentifier() else json.dumps(name)


JSON = Syntax({True: "true", False: "false", None: "null"}, "  ")
PYTHON = Syntax({True: "True", False: "False", None: "None"}, "    ", has_last_comma=True)
JAVASCRIPT = Syntax(JSON.words, "  ", has_bare_names=True, has_last_comma=True)
