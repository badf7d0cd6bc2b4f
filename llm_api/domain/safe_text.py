"""Which text stays on its line: what names and labels may be, in logs, headers and tables.

Refused are control characters, ends of lines and paragraphs, and what is invisible or turns the
direction of writing. Spaces and letters of every script are fine, and so is what Unicode may still
give a meaning: unlike `str.isprintable`, this can be told to clients as a pattern of JSON Schema.
"""

import re

_REFUSED = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_SPACES = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
PRINTABLE = f"^[^{_REFUSED}]*$"
# Matched in linear time: the classes in front of and at the first letter have nothing in common.
PRINTABLE_AND_VISIBLE = f"^[{_SPACES}]*[^{_REFUSED}{_SPACES}][^{_REFUSED}]*$"
_is_refused = re.compile(f"[{_REFUSED}]").search
# Half a character can be written in JSON, and in no answer.
_replaced = re.compile(f"[{_REFUSED}\ud800-\udfff]").sub


def is_printable(text: str) -> bool:
    """Tell whether every character may stand in a line."""
    return _is_refused(text) is None


def made_printable(text: str) -> str:
    """Put a question mark in place of every character that may not stand in a line."""
    return _replaced("?", text)
