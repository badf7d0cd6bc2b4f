"""Characters that are safe in names and labels, in logs, headers and tables.

Refused are control characters, line and paragraph separators, invisible characters and those that
change the writing direction (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
Spaces, letters of every script and unassigned characters are accepted: unlike `str.isprintable`,
this can be published as a pattern of JSON Schema.
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
# Lone surrogates can be written in JSON, and cannot be encoded in a response.
_replaced = re.compile(f"[{_REFUSED}\ud800-\udfff]").sub


def is_printable(text: str) -> bool:
    """Whether a text has safe characters only."""
    return _is_refused(text) is None


def made_printable(text: str) -> str:
    """Replace every unsafe character by a question mark."""
    return _replaced("?", text)
