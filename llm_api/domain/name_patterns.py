"""Values by patterns of names, such as `gpt-*`: of several that match, the most specific counts."""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

_T = TypeVar("_T")
_ANY = "*"


def is_pattern(name: str) -> bool:
    """Whether a name of the catalogue stands for many."""
    return _ANY in name


class NamePatterns(Generic[_T]):
    """What belongs to a name by the pattern that it matches; `*` stands for any characters."""

    def __init__(self, values: Mapping[str, _T]) -> None:
        """Keep the values whose names are patterns."""
        patterns = sorted(filter(is_pattern, values), key=_specificity, reverse=True)
        self._values = [
            (re.compile(".*".join(map(re.escape, pattern.split(_ANY))), re.DOTALL), values[pattern])
            for pattern in patterns
        ]

    def find(self, name: str) -> _T | None:
        """Return the value of the most specific pattern that matches, None where none does."""
        return next((value for regex, value in self._values if regex.fullmatch(name)), None)


def _specificity(pattern: str) -> tuple[int, int]:
    """Order patterns: by what they fix, and then by how seldom they leave something open."""
    return len(pattern.replace(_ANY, "")), -pattern.count(_ANY)
