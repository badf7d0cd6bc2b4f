"""Splits a text into sentences, and cuts a sentence down to a part that stands alone."""

import itertools
import re
from collections.abc import Callable, Sequence

_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bSt)(?<!\bMt)(?<!\bDr)(?<!\bMr)(?<!\bMrs)"
    r"[.!?]+[\"'”’)]*\s+(?=[A-Z\"“‘(\u4e00-\u9fff])|[。！？]+[”’」』》）]*\s*(?=\S)"
)
# Where a sentence can be cut: at a comma, or before a part that only adds to what is said.
_BREAK = re.compile(
    r"\s*[,;，；]\s*|\s+[–—]\s+"
    r"|(?<!such)(?<!well)(?<!known)(?<!seen)(?<!used)(?<!acts)(?<!serves)(?<!same)(?<!soon)"
    r"\s+(?=as (?:the|if|it|they|he|she|people|a few|several)\b)"
    r"|(?<!ed)(?<!ing)(?<!alive)(?<!along)(?<!up)(?<!together)(?<!even)\s+(?=with\b)"
    r"|\s+(?=(?:while|where|who|whose|alongside)\b)|(?<!both)(?<!hustle)\s+(?=and\b)"
)
# Every place of the two above, and some more: quick to count.
_CUT = re.compile(r"[,;.!?，；。！？–—]|\b(?:and|as|with|while|where|who|whose|alongside)\b")
_STOPS = ".!?。！？…"
_GOES_ON = re.compile(r"(?:as|while) (?:the|a|an|it|its|soft|warm)\b", re.IGNORECASE)
_OPENER = re.compile(
    r"(?:in|on|at|as|while|with|behind|beside|under|near|nearby|above|below|inside|outside|to|from"
    r"|between|beyond|around|across|along|against|amid|amidst|among|through|throughout|when|once"
    r"|after|before|during|over|by|for|of|despite|occasionally|suddenly|meanwhile|finally|then"
    r"|\w+ing)\b|在|当|随着|从|远处|旁边|背景中|近处",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:is|are|was|has|have|set|lit|lies|\w{2,}(?:s|ed|ing))\b", re.IGNORECASE)
# What must not be the end: a word that waits for another one.
_WAITS = re.compile(
    r"\b(?:a|an|the|of|and|or|with|in|on|at|to|from|by|for|its|as|into|while|that|which|is|are|was"
    r"|were|very|between|both|either|including|such|several|some|two|three|featuring|showing)\Z"
    r"|[的和与在着把被及或以是有]\Z",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\b(?:between|both|either)\b[^,;]*\Z", re.IGNORECASE)
# A clause that is cut short: "where patients", of patients and visitors.
_STUMP = re.compile(r"\b(?:where|who|whose|while|as) (?:\S+ ?){0,2}\Z|\bwith \S+\Z", re.IGNORECASE)
# "The suitcase, adorned with a zipper" waits for "is surrounded by people".
_IS_SUBJECT = re.compile(
    r"(?:the|its|it|this|these|each|both)\b[^,]*, \w+(?:ed|ing)\b", re.IGNORECASE
)
_FINITE = re.compile(r"(?!as\b|its\b)(?:is|are|was|were|has|have|\w{3,}s)\b", re.IGNORECASE)
_AND = re.compile(r"and\b", re.IGNORECASE)
_LAST_OF_LIST = re.compile(r", (?!\w+(?:ing|ed)\b|with\b|and\b)((?:[\w'’-]+ ){0,3}[\w'’-]+)\Z")
_FRAMING = re.compile(r"(?:extreme |medium |wide |low|high|mid|close|full|long)", re.IGNORECASE)
_MIN_WORDS = 6
_MIN_FRAMING_WORDS = 3
_MIN_CHARS = 8
_MIN_MAIN_WORDS = 4


def sentences(text: str) -> Sequence[str]:
    """Return a text's sentences; a stop within quotation marks ends none."""
    parts, start = [], 0
    for end in _END.finditer(text):
        if _is_closed(text[start : end.end()]):
            parts.append(text[start : end.end()].strip())
            start = end.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def count_cuts(text: str) -> int:
    """Return the number of places at which a text could be cut, at most."""
    return sum(1 for _ in _CUT.finditer(text))


def as_text(parts: Sequence[str], language: str) -> str:
    """Join sentence `parts` as the `language` does, each with a capital letter at its start."""
    if language == "zh":
        return "".join(parts)
    return " ".join(part[:1].upper() + part[1:] for part in parts)


def cut_down(sentence: str, is_unwanted: Callable[[str], bool]) -> str:
    """Return a sentence without its unwanted part and what depends on it; empty if none remains.

    Args:
        sentence: the whole sentence.
        is_unwanted: decides about a part of it.
    """
    starts = [0, *(found.end() for found in _BREAK.finditer(sentence)), len(sentence)]
    pieces = [sentence[a:b] for a, b in itertools.pairwise(starts)]
    first = next((at for at, piece in enumerate(pieces) if is_unwanted(piece)), 0)
    is_listed = bool(_AND.match(pieces[first]))
    if _IS_SUBJECT.match("".join(pieces[:first])) and _FINITE.match(pieces[first]):
        return ""
    while first and not _stands(head := "".join(pieces[:first]).rstrip(" ,;–—，；、")):
        first -= 1
    if not first:
        return ""
    if is_listed and _AND.match(pieces[first]):
        head = _LAST_OF_LIST.sub(r" and \1", head)
    tail = _tail(pieces[first + 1 :], is_unwanted)
    stop = sentence.rstrip("\"'”’)")[-1:]
    whole = f"{head}, {tail}" if tail else head
    return whole if whole[-1] in _STOPS else whole + (stop if stop in _STOPS else "")


def _is_closed(part: str) -> bool:
    """Whether no quotation is left open in a part."""
    pairs = (("“", "”"), ("「", "」"), ("『", "』"), ("《", "》"), ("（", "）"), ("(", ")"))
    return part.count('"') % 2 == 0 and all(part.count(a) <= part.count(b) for a, b in pairs)


def _tail(pieces: Sequence[str], is_unwanted: Callable[[str], bool]) -> str:
    """Return the end of a sentence that continues with something else: "as the sun sets"."""
    for at, piece in enumerate(pieces):
        if _GOES_ON.match(piece):
            rest = "".join(pieces[at:])
            return "" if is_unwanted(rest) else rest.rstrip(_STOPS)
    return ""


def _stands(head: str) -> bool:
    """Whether the beginning of a sentence can be a sentence."""
    if _STUMP.search(head) or not _is_closed(head) or _WAITS.search(head) or _BETWEEN.search(head):
        return False
    parts = re.split(r"[,，]\s*", head)
    if not head.isascii() and re.search("[\u4e00-\u9fff]", head):
        return len(head) >= _MIN_CHARS and not (len(parts) == 1 and _OPENER.match(head))
    words = len(head.split())
    if _FRAMING.match(head) and words >= _MIN_FRAMING_WORDS:
        return True
    if words < _MIN_WORDS or not _VERB.search(head):
        return False
    return not _OPENER.match(head) or any(map(_is_main, parts[1:]))


def _is_main(part: str) -> bool:
    """Whether a part behind an opening phrase can be the main clause."""
    is_long = len(part.split()) >= _MIN_MAIN_WORDS
    return is_long and not _OPENER.match(part) and bool(_VERB.search(part))
