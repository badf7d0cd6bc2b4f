"""What a sketch can write: its font has the letters of English, and few others.

Pillow brings a part of Aileron. No package that could be installed has a font for Chinese of less
than several megabytes, and an empty box in place of a sign would be worse than none.
"""

import unicodedata
from dataclasses import dataclass

_SIGNS = frozenset(map(chr, range(32, 127))) | frozenset("©«°±´·»‘’“”…‹›⁄™")
_MIN_LETTER_PIXELS = 8


@dataclass(frozen=True, slots=True)
class Lettering:
    """A text of the prompt, what is written for it, and what is wrong with that; empty for none."""

    text: str
    written: str
    problem: str = ""


def lettered(text: str, width: int) -> Lettering:
    """Return what a sketch writes for a text, in a line of some pixels."""
    text = " ".join(text.split())
    if len(text) * _MIN_LETTER_PIXELS > width:
        written = f"TEXT OF {len(text)} LETTERS"
        return Lettering(text, written, f'the text "{text}": it is too long for a line')
    if _SIGNS.issuperset(text):
        return Lettering(text, text)
    plain = writable(text)
    if plain:
        return Lettering(text, plain, f'the text "{text}" with its accents: it says "{plain}"')
    written = f"TEXT OF {len(text)} SIGNS"
    return Lettering(text, written, f'the text "{text}": only letters of English can be written')


def writable(text: str) -> str:
    """Return a text without accents; empty where the font lacks its letters even then."""
    parts = unicodedata.normalize("NFKD", text)
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain if _SIGNS.issuperset(plain) else ""
