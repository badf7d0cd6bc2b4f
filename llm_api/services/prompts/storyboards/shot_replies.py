"""Reads the shots in a model's reply: JSON of many shapes, or a list in words."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import json_repair

from llm_api.domain.calls import Completion
from llm_api.services.prompts.rewriter import text_without_flags
from llm_api.services.prompts.storyboards.script_parts import split_units
from llm_api.services.prompts.strategies.instructions import is_whole
from llm_api.services.prompts.strategies.reply_marks import without_marks
from llm_api.services.prompts.strategies.reply_parser import MAX_REPLY_CHARS
from llm_api.services.prompts.text import clean

_MAX_READ = 60  # shots; more is no answer to what was asked
_MAX_TEXT = 1_500  # characters of a shot
_MIN_TEXT = 3  # less is a number or a label
_LISTS = ("shots", "storyboard", "scenes", "shot_list", "分镜", "镜头")
_TEXTS = (
    *("text", "prompt", "description", "action", "visual", "scene", "content", "shot"),
    *("画面", "内容", "描述"),
)
_CAMERAS = ("camera", "camera_move", "camera_movement", "movement", "move", "运镜", "镜头运动")
_SECONDS = ("seconds", "duration", "duration_seconds", "length", "时长", "秒")
_CASTS = ("cast", "characters", "who", "members", "角色", "人物")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LABEL = re.compile(
    r"^[ \t>*#\-•]*(?:\[?(?:shot|scene|镜头|分镜|第)[ \t]*#?[ \t]*[\d一二三四五六七八九十]{1,3}"
    r"[ \t]*(?:个?镜头?)?\]?)[^\n:：]{0,40}[:：\n][ \t*]*",
    re.IGNORECASE | re.MULTILINE,
)
# What a text says of its own time: `[00:00-00:04]`, `0-4s:`, `(4 seconds)`.
_TIMES = re.compile(
    r"\A\s*(?:[\[(（]?\s*\d{1,2}(?::\d{2}(?:\.\d+)?|\s*s)?\s*[-–~至到]\s*\d{1,3}(?::\d{2}(?:\.\d+)?)?"
    r"\s*(?:s|sec|seconds?|秒)?\s*[\])）]?\s*[:：,，]?|[\[(（]\s*\d{1,3}\s*(?:s|sec|seconds?|秒)\s*[\])）]"
    r"\s*[:：]?)\s*(?=\D)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\b(?:camera(?: move(?:ment)?)?|运镜|镜头运动)\s*[:：]\s*([^\n.。;；]{1,120})", re.IGNORECASE
)
_MARKS = re.compile(r"\*\*|__|`|^#{1,6}\s+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ShotDraft:
    """A shot as a model proposes it: `seconds` is 0 where it does not say, `cast` are names."""

    text: str
    camera: str = ""
    seconds: float = 0.0
    cast: tuple[str, ...] = ()


def read_shots(completion: Completion | None) -> Sequence[ShotDraft]:
    """Return the shots that a model wrote, in their order; none if its answer is cut off."""
    if completion is None or not is_whole(completion) or len(completion.text) > MAX_REPLY_CHARS:
        return []
    text = without_marks(completion.text)
    entries = _entries(_document(text))
    drafts = [draft for entry in entries if (draft := _of_entry(entry)).text]
    if not entries:
        drafts = list(_in_words(text))
    return drafts if len(drafts) <= _MAX_READ else []


def fitted_to(drafts: Sequence[ShotDraft], counts: Sequence[int]) -> Sequence[ShotDraft]:
    """Return as many shots as there may be: neighbors become one, or long ones two.

    None if there are too few, and no shot has a place where it can be divided.
    """
    wanted = min(counts, key=lambda count: (abs(count - len(drafts)), count))
    found = list(drafts)
    while len(found) > wanted:
        sizes = [len(a.text) + len(b.text) for a, b in pairwise(found)]
        at = sizes.index(min(sizes))
        found[at : at + 2] = [_joined(found[at], found[at + 1])]
    while len(found) < wanted:
        longest = sorted(range(len(found)), key=lambda at: -len(found[at].text))
        halves = ((at, split_units([found[at].text], 2)) for at in longest)
        divided = next(((at, two) for at, two in halves if len(two) > 1), None)
        if divided is None:
            return []
        at, two = divided
        own = found[at]
        found[at : at + 1] = [
            ShotDraft(two[0], own.camera, own.seconds / 2, own.cast),
            ShotDraft(two[1], "", own.seconds / 2, own.cast),
        ]
    return found


def _joined(first: ShotDraft, second: ShotDraft) -> ShotDraft:
    gap = "" if re.search("[\u4e00-\u9fff]", first.text) else " "
    return ShotDraft(
        f"{first.text}{gap}{second.text}",
        first.camera or second.camera,
        first.seconds + second.seconds,
        tuple(dict.fromkeys([*first.cast, *second.cast])),
    )


def _document(text: str) -> Any:
    """Return the JSON of a reply, whatever stands around it; None if it has none."""
    starts = [at for mark in "{[" if (at := text.find(mark)) >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if not starts or end < min(starts) or '"' not in text[min(starts) :]:
        return None
    for start in sorted(starts):
        try:
            return json.loads(text[start : end + 1])
        except (ValueError, RecursionError):
            continue
    try:
        return json_repair.loads(text[min(starts) : end + 1])
    except (RecursionError, ValueError):
        return None


def _entries(document: Any, depth: int = 0) -> Sequence[Any]:
    """Return the list of shots in a document: under a usual name, or what looks like it."""
    if isinstance(document, list):
        nested = [one for one in document if isinstance(one, dict | str)]
        is_wrapped = len(nested) == 1 and isinstance(nested[0], dict) and not _text(nested[0])
        return _entries(nested[0], depth + 1) if is_wrapped and depth < 3 else nested
    if not isinstance(document, Mapping) or depth > 2:
        return []
    for name in _LISTS:
        if isinstance(document.get(name), list | dict) and (
            found := _entries(document[name], depth + 1)
        ):
            return found
    inner = [one for one in document.values() if isinstance(one, Mapping)]
    if inner and all(_text(one) for one in inner):  # {"shot_1": {…}, "shot_2": {…}}
        return inner
    lists = [one for one in document.values() if isinstance(one, list)]
    of_objects = [one for one in lists if one and all(isinstance(x, Mapping) for x in one)]
    return of_objects[0] if of_objects else ([document] if _text(document) else [])


def _of_entry(entry: Any) -> ShotDraft:
    if isinstance(entry, str):
        return ShotDraft(_plain(entry))
    cast = _first(entry, _CASTS)
    names = cast if isinstance(cast, list) else [cast] if isinstance(cast, str) else []
    camera = _first(entry, _CAMERAS)
    return ShotDraft(
        _plain(_text(entry)),
        clean(camera) if isinstance(camera, str) else "",
        _seconds(_first(entry, _SECONDS)),
        tuple(clean(name) for name in names if isinstance(name, str)),
    )


def _text(entry: Mapping[str, Any]) -> str:
    texts = (entry.get(name) for name in _TEXTS)
    return next((one for one in texts if isinstance(one, str) and len(one) > _MIN_TEXT), "")


def _first(entry: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((entry[name] for name in names if entry.get(name)), None)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    if isinstance(value, str):
        number = _NUMBER.search(value)
        value = float(number[0]) if number else 0.0
    return float(value) if 0 < value < 1_000 else 0.0


def _plain(text: str) -> str:
    """Return a shot's text as one paragraph without marks, times and flags."""
    bare = _TIMES.sub("", _MARKS.sub("", _LABEL.sub("", text)))
    return text_without_flags(clean(bare))[:_MAX_TEXT]


def _in_words(text: str) -> Iterator[ShotDraft]:
    """Yield the shots of a reply in words, each behind a label such as "Shot 2:"."""
    labels = list(_LABEL.finditer(text))
    starts = [*(label.start() for label in labels), len(text)]
    for label, end in zip(labels, starts[1:], strict=True):
        body = text[label.end() : end]
        camera = _FIELD.search(body)
        said = _FIELD.sub("", body) if camera else body
        number = re.search(r"(\d+)\s*(?:s\b|sec|秒)", label[0])
        bare = _plain(said).strip(" -–—.") + "." if _plain(said).strip(" -–—.") else ""
        yield ShotDraft(
            bare.replace("。.", "。").replace("..", "."),
            clean(camera[1]) if camera else "",
            float(number[1]) if number else 0.0,
        )
