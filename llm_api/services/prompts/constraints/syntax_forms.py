"""Compares prompt syntax whose words were translated: by its signs and numbers."""

import re
from collections import Counter
from functools import cached_property

from llm_api.services.prompts.constraints.syntax import Syntax, find_syntax

_NUMBER = re.compile(r"(?<![\w.])-?\d*\.?\d+(?=\W*\Z)")
_MARKS = re.compile(r"[+-]+\Z|[(\[\\]+")


def form_of(piece: Syntax) -> tuple[str, str]:
    """Return what a piece says to a program, whatever its words are.

    `(ojos azules:1.4)` and `(blue eyes:1.4)` have the same form, and so have `{rojo|verde}` and
    `{red|green}`: as many options.
    """
    number = _NUMBER.search(piece.text)
    if piece.kind in {"choices", "steps"}:
        sign = "|" if "|" in piece.text else ":"
        return piece.kind, f"{piece.text.count(sign)}{sign}{number[0] if number else ''}"
    if number:
        return piece.kind, str(float(number[0]))
    return piece.kind, "".join(_MARKS.findall(piece.text))


class WrittenForms:
    """The forms of the pieces in a rewrite, each of which stands for one piece of its prompt."""

    def __init__(self, rewrite: str) -> None:
        """Read a rewrite when the first piece is looked for: few have any."""
        self._rewrite = rewrite

    @cached_property
    def _left(self) -> Counter[tuple[str, str]]:
        return Counter(map(form_of, find_syntax(self._rewrite)))

    def take(self, piece: Syntax) -> bool:
        """Whether a piece of the same form is there that stands for no other one."""
        form = form_of(piece)
        if not self._left[form]:
            return False
        self._left[form] -= 1
        return True
