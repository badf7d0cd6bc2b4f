"""Finds the flags of a prompt: `--ar 16:9 --no text`, as Midjourney and Seedance have them.

What they say is for the program and stands behind the prompt: whatever follows a flag is read as a
part of it. Sources: https://docs.midjourney.com/hc/en-us/articles/32859204029709 and
https://www.volcengine.com/docs/82379/1520757.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llm_api.services.prompts.text import quotations

NO = "no"
_SWITCHES = frozenset(
    [
        "tile",
        "raw",
        "draft",
        "fast",
        "relax",
        "turbo",
        "hd",
        "sd",
        "video",
        "loop",
        "public",
        "stealth",
        "hq",
        "uplight",
        "upbeta",
    ]
)
_WORDED = frozenset(["style", "motion"])
_LISTED = frozenset(
    ["sref", "cref", "oref", "p", "profile", "personalize", "image", "end", "start"]
)
_VALUED = frozenset(
    [
        "ar",
        "aspect",
        "v",
        "version",
        "niji",
        "s",
        "stylize",
        "c",
        "chaos",
        "w",
        "weird",
        "q",
        "quality",
        "seed",
        "sameseed",
        "stop",
        "iw",
        "sw",
        "cw",
        "ow",
        "sv",
        "r",
        "repeat",
        "exp",
        "bs",
        "testp",
        "resolution",
        "rs",
        "ratio",
        "rt",
        "duration",
        "dur",
        "frames",
        "framespersecond",
        "fps",
        "camerafixed",
        "cf",
        "watermark",
        "wm",
    ]
)
_KNOWN = _SWITCHES | _WORDED | _LISTED | _VALUED | {NO}
# Behind a gap, a mark or a Chinese word; phones make a long dash of two hyphens.
_START = re.compile(
    r"(?<![^\s,.;，。；、\u3040-\u30ff\u3400-\u9fff])(?:--|[—–](?=[a-z]+\s+[\d:]))([A-Za-z][A-Za-z-]{0,20})(?![\w-])"
)
_VALUE = r"\s+(?:https?://[^\s,]+|-?\.?\d[\w.:/%]*|true\b|false\b|random\b|adaptive\b|auto\b)"
_CODE = r"\s+(?:https?://\S+|random\b|[a-z]?\d[\w.:]*|(?=[a-z]*\d)[a-z0-9]{5,12}(?![\w-])|<@\d+>)"
_OF_KIND = {
    "switch": re.compile(""),
    "worded": re.compile(r"(?:\s+[A-Za-z0-9-]+)?"),
    "listed": re.compile(rf"(?:{_CODE})*"),
    "valued": re.compile(rf"(?:{_VALUE})?"),
    # All that is unwanted, to the next flag or sentence.
    "no": re.compile(r"(?:(?!\s(?:--|[—–])[A-Za-z]|[.!?]\s+[A-Z]|。).)*"),
    "unknown": re.compile(r"(?:\s+(?!-)[^\s,]{1,200})?"),
}
_BEHIND = re.compile(r"\s*[,;.。，]?(?=\s|\Z)")
_MAX_FLAGS = 40


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag with its value: `--ar 16:9`; `start` and `end` are where it stands in the prompt."""

    name: str
    value: str
    is_known: bool
    start: int
    end: int

    @property
    def text(self) -> str:
        """The flag as programs read it."""
        return f"--{self.name} {self.value}".rstrip()


def find_flags(prompt: str, *, takes_unknown: bool) -> Sequence[Flag]:
    """Return the flags of a prompt, in their order; what stands in quotation marks is none.

    Args:
        prompt: the prompt.
        takes_unknown: whether flags at its end that nobody knows are flags though none that is
            known stands beside them.
    """
    if "--" not in prompt and "—" not in prompt and "–" not in prompt:
        return ()
    quoted, found = quotations(prompt), list[Flag]()
    for start in _START.finditer(prompt):
        is_within = bool(found) and start.start() < found[-1].end
        if is_within or any(one.start <= start.start() < one.end for one in quoted):
            continue
        found.append(_flag(prompt, start))
        if len(found) == _MAX_FLAGS:
            break
    known = [flag.is_known for flag in found]
    at_end = _count_at_end(prompt, found)
    are_flags = takes_unknown or any(known[len(found) - at_end :])
    first = len(found) - at_end if are_flags else len(found)
    return [flag for at, flag in enumerate(found) if flag.is_known or at >= first]


def without_flags(prompt: str, flags: Sequence[Flag]) -> str:
    """Return a prompt without these flags of it."""
    text, mark, at = "", "", 0
    for flag in flags:
        part = prompt[at : flag.start].strip()
        if part:
            text += f"{mark} {part.rstrip(' ,;，；')}"
            mark = ""
        # What stood behind a flag parts the words around it.
        last = prompt[flag.end - 1 : flag.end]
        mark = mark or (last if last in ",;.。，" else "")
        at = flag.end
    rest = prompt[at:].strip()
    return (f"{text}{mark} {rest}" if rest else text).strip()


def unwanted_by(flags: Sequence[Flag]) -> Sequence[str]:
    """Return what the `--no` flags exclude, each once."""
    lists = (flag.value for flag in flags if flag.name == NO)
    things = (thing.strip(" .") for text in lists for thing in re.split(r"[,，、;]", text))
    return list(dict.fromkeys(filter(None, things)))


def _flag(prompt: str, start: re.Match[str]) -> Flag:
    name = start[1].lower()
    found = _OF_KIND[_kind(name)].match(prompt, start.end())
    end = found.end() if found else start.end()
    value = prompt[start.end() : end].strip(" ,;").rstrip(".")
    # A text such as "python --version" has no value where flags have one.
    is_known = name in _KNOWN and not (name in _VALUED and not value)
    behind = _BEHIND.match(prompt, end)
    return Flag(
        name if is_known else start[1],
        value,
        is_known,
        start.start(),
        behind.end() if behind else end,
    )


def _kind(name: str) -> str:
    if name == NO:
        return "no"
    kinds = {"switch": _SWITCHES, "worded": _WORDED, "listed": _LISTED, "valued": _VALUED}
    return next((kind for kind, names in kinds.items() if name in names), "unknown")


def _count_at_end(prompt: str, flags: Sequence[Flag]) -> int:
    """Return how many flags stand behind all words."""
    end, count = len(prompt), 0
    for flag in reversed(flags):
        if prompt[flag.end : end].strip(" ,;."):
            break
        end, count = flag.start, count + 1
    return count
