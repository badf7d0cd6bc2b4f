"""Puts phrases behind a text: into its sentence, or into one of their own."""

import re
from collections.abc import Sequence

_STOPS = ".!?。！？…"
_CLOSERS = "\"'”’」』》）)"
_INNER_STOP = re.compile(r"[.!?][\"'”’)]*\s+\S|[。！？…][”’」』》）]*\S")


def is_ended(text: str) -> bool:
    """Tell whether a text ends as a sentence does."""
    return text.rstrip(_CLOSERS)[-1:] in _STOPS


def has_sentences(text: str) -> bool:
    """Tell whether a text is made of sentences, and is no fragment."""
    return is_ended(text) or bool(_INNER_STOP.search(text))


def joined(text: str, phrases: Sequence[str], language: str) -> str:
    """Return a text with phrases behind it."""
    if not phrases:
        return text
    comma, stop, gap = ("，", "。", "") if language == "zh" else (", ", ".", " ")
    tail = comma.join(phrases)
    if has_sentences(text):
        end = "" if is_ended(text) else stop
        return f"{text.rstrip(' ,;，；、')}{end}{gap}{tail[:1].upper()}{tail[1:]}{stop}"
    return f"{text.rstrip(',;:，；：、 ')}{comma}{tail}"
