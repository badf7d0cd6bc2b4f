"""Gives every shot exactly one camera move of the vocabulary."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from llm_api.services.prompts.constraints.camera import find_camera
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.languages.tags import form_of
from llm_api.services.prompts.repair.sentences import sentences
from llm_api.services.prompts.storyboards.quoted_text import with_quotes_hidden
from llm_api.services.prompts.text import is_ended

STATIC = "static"
# The moves by their names, as `constraints.camera` finds them, and the words that a shot gets.
MOVES: Mapping[str, Mapping[str, str]] = {
    STATIC: {"en": "Static camera", "zh": "固定镜头"},
    "pan left": {"en": "The camera pans left", "zh": "镜头向左摇摄"},
    "pan right": {"en": "The camera pans right", "zh": "镜头向右摇摄"},
    "tilt up": {"en": "The camera tilts up", "zh": "镜头上摇"},
    "tilt down": {"en": "The camera tilts down", "zh": "镜头下摇"},
    "zoom in": {"en": "The camera pushes in", "zh": "镜头推近"},
    "zoom out": {"en": "The camera pulls back", "zh": "镜头拉远"},
    "orbit": {"en": "The camera orbits around the subject", "zh": "镜头环绕拍摄"},
    "track": {"en": "Tracking shot", "zh": "跟拍"},
    "truck": {"en": "Trucking shot", "zh": "横移镜头"},
    "crane": {"en": "Crane shot", "zh": "升降镜头"},
    "handheld": {"en": "Handheld camera", "zh": "手持镜头"},
    "fly": {"en": "Drone shot", "zh": "航拍"},
    "racking": {"en": "Rack focus", "zh": "移焦"},
    "hitchcock": {"en": "Dolly zoom", "zh": "希区柯克变焦"},
    "dolly": {"en": "Dolly shot", "zh": "轨道镜头"},
}
# A move that is found beside another one of which it is only a part.
_WITHIN = {
    "hitchcock": {"dolly", "zoom in", "zoom out", "zoom"},
    "orbit clockwise": {"orbit"},
    "orbit counterclockwise": {"orbit"},
    "truck": {"pan left", "pan right"},
    "track": {"dolly"},
}
_AS = {"orbit clockwise": "orbit", "orbit counterclockwise": "orbit"}
# Where another move may begin.
_CLAUSE = re.compile(
    r"[,;，；、]\s*(?:and then |then |and |before |while |as )?"
    r"|\s+(?:and then|then|and|before|while)\s+"
    r"|(?:然后|接着|随后|同时|最后|再|并)"
)
_HAN = re.compile("[\u3400-\u9fff]")
_CAMERA = re.compile(
    r"\b(?:camera|shot|lens|view|frame|viewpoint|drone|handheld|dolly)\b"
    r"|[镜摄拍焦航]|机位|视角|手持",
    re.IGNORECASE,
)
# What people do as well: in a sentence without a camera it is theirs.
_DOES = re.compile(
    r"(?:slowly |gently |quickly )?(?:pulls|pushes|moves|draws|closes|backs|retreats|circles"
    r"|travels|swirls|spins|inches|creeps|rotates|arcs)\b",
    re.IGNORECASE,
)
_ENDS = " ,.;:，。；：、"


def moves_in(text: str) -> Sequence[str]:
    """Return the moves of the camera that a text has, in their order, each once.

    Text in quotation marks has none, and neither has what a thing or a person does.
    """
    found: list[str] = []
    for sentence in sentences(with_quotes_hidden(text)):
        in_pieces = [one for piece, _ in _clauses(sentence) for one in _moves(piece, sentence)]
        found += [*in_pieces, *_moves(sentence, sentence)]
    return list(dict.fromkeys(found))


def move_named(words: str) -> str | None:
    """Return the move that words are about which say nothing but how the camera moves."""
    named = words.casefold().strip(_ENDS)
    if named in MOVES:
        return named
    about = "镜头" if _HAN.search(words) else "camera: "
    return next(iter(moves_in(about + words)), None)


def _moves(piece: str, sentence: str) -> Sequence[str]:
    bare = piece.strip(_ENDS)
    if not _CAMERA.search(sentence) and (_HAN.search(bare) or _DOES.match(bare)):
        return []
    found = {one.replace("_", " ") for one in find_camera(read(bare), is_strict=True).moves}
    for whole, parts in _WITHIN.items():
        if whole in found:
            found -= parts
    named = {_AS.get(one, one) for one in found}
    return sorted(named & MOVES.keys())


def camera_words(move: str, language: str) -> str:
    """Return the sentence that a shot gets for a move, in English or Chinese."""
    form = form_of(language)
    return MOVES[move][form] + ("。" if form == "zh" else ".")


def with_one_move(text: str, wanted: str | None, language: str) -> tuple[str, str, Sequence[str]]:
    """Return a shot's text with exactly one move of the camera, that move, and the repairs.

    Args:
        text: what is seen, without descriptions of the cast.
        wanted: the move; None for the first that the text has, and a static camera without any.
        language: of the text, a canonical tag.
    """
    own = moves_in(text)
    move = wanted or (own[0] if own else STATIC)
    repairs = []
    if set(own) - {move}:
        repairs.append("camera_reduced")
        text, move = _reduced(text, move, own[0])
    if move not in moves_in(text):
        repairs += [] if wanted else ["camera_added"]
        gap = "" if form_of(language) == "zh" else " "
        stop = "" if not text or is_ended(text) else ("。" if form_of(language) == "zh" else ".")
        text = f"{text}{stop}{gap}{camera_words(move, language)}".strip()
    return text, move, tuple(repairs)


def _reduced(text: str, move: str, first: str) -> tuple[str, str]:
    """Return a text without other moves than one; the first it has where nothing else remains."""
    kept = without_moves(text, move)
    if any(map(str.isalnum, kept)):
        return kept, move
    return without_moves(text, first), first


def without_moves(text: str, but: str = "") -> str:
    """Return a text without the clauses that move the camera, apart from one move."""
    parts = [_without(sentence, but) for sentence in sentences(text)]
    gap = "" if re.search("[\u4e00-\u9fff]", text) else " "
    return gap.join(filter(None, parts))


def _without(sentence: str, but: str) -> str:
    if not set(moves_in(sentence)) - {but}:
        return sentence
    kept = ""
    for piece, gap in _clauses(sentence):
        if set(_moves(with_quotes_hidden(piece), sentence)) - {but}:
            continue
        kept = f"{kept}{gap}{piece}" if kept else piece.lstrip(_ENDS)
    kept = kept.rstrip(" ,;:，；：、")
    if not any(map(str.isalnum, kept)) or set(moves_in(kept)) - {but}:
        return ""
    stop = sentence.rstrip()[-1]
    whole = kept if is_ended(kept) or stop not in ".。!！?？" else kept + stop
    return whole[:1].upper() + whole[1:]


def _clauses(text: str) -> Sequence[tuple[str, str]]:
    """Return the clauses of a text, each with what stands in front of it."""
    inner = [found.span() for found in _CLAUSE.finditer(with_quotes_hidden(text))]
    gaps = [(0, 0), *inner, (len(text), len(text))]
    return [(text[end:start], text[a:end]) for (a, end), (start, _) in pairwise(gaps)]
