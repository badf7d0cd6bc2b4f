"""What a system says in the middle of a conversation, as a text of the user's in marks.

Templates of many models refuse a system's message there. The marks are those that Claude Code puts
around its own texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FIRST, LAST = "<system-reminder>", "</system-reminder>"


def as_reminder(text: str) -> str:
    """Return a text in marks."""
    return f"{FIRST}\n{text}\n{LAST}"


def without_reminders(parts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the parts of a chat's message without what stands in marks, within a text or around.

    Texts of which nothing is left are left out.
    """
    kept: list[Mapping[str, Any]] = []
    is_inside = False
    for part in parts:
        text = part["text"] if part["type"] == "text" else None
        if text in (FIRST, LAST):
            is_inside = text == FIRST
        elif text is None or FIRST not in text:
            kept += [] if is_inside else [part]
        elif left := "\n\n".join(filter(None, map(str.strip, _outside(text)))):
            kept.append({**part, "text": left})
    return kept


def _outside(text: str) -> Iterator[str]:
    """Yield what stands between marked texts; a mark without an end is no mark."""
    place = 0
    while (start := text.find(FIRST, place)) >= 0 and (end := text.find(LAST, start)) >= 0:
        yield text[place:start]
        place = end + len(LAST)
    yield text[place:]
