"""Makes harmless what a prompt says to the upstream instead of to its model.

Some servers read commands out of prompts: other settings, files of theirs, or a second prompt. A
caller would get what nobody has allowed, or would be surprised by an ordinary bracket.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from llm_api.domain.making import Notice

_NAMED = 5  # of what was cut, in a notice
_LONGEST = 60
_TAG = r"<\s*{}\s*sd_cpp_extra_args\s*>"
# Of the server of https://github.com/leejet/stable-diffusion.cpp, examples/server/api.md.
# Its own pattern ends at the first closing tag, and would take ours for the end of the caller's.
_SD_ARGS = re.compile(
    rf"{_TAG.format('')}.{{0,2000}}?{_TAG.format('/')}|<\s*/?\s*sd_cpp_extra_args\s*>?",
    re.IGNORECASE | re.DOTALL,
)
# Of AUTOMATIC1111's web UI, and of what it is usually extended by.
_NETWORK = re.compile(r"<\s*(?:lora|lyco|hypernet)\s*:[^<>]*>?", re.IGNORECASE)
_WILDCARD = re.compile(r"__[\w*./\\-]+?__")
_CHOICE = re.compile(r"\{[^{}]*\}")
_WEIGHT = re.compile(r"(?<!\\)[()\[\]]")
# Of Seedance 1.x: `--duration 12`, `--rs 1080p`, `--rt 16:9`, `--cf true`, and their long names.
_SEEDANCE = re.compile(
    r"(?<!\S)--(?:resolution|rs|ratio|rt|duration|dur|frames|fps|frames?persecond|seed|camera_?fixed|cf"
    r"|watermark|wm)(?:[ =]+[\w:.-]+)?(?!\S)",
    re.IGNORECASE,
)
_PIPE = re.compile(r"\s*\|[\s|]*")  # of LocalAI


class PromptFilter:
    """A kind of command: what it looks like, and what stands in its place."""

    def __init__(
        self, pattern: re.Pattern[str], put: Callable[[re.Match[str]], str] = lambda _: ""
    ) -> None:
        """Replace what matches `pattern` by what `put` returns for it."""
        self._pattern, self._put = pattern, put

    def apply(self, text: str) -> tuple[str, list[str]]:
        """Return the text without commands, and what was cut."""
        cut: list[str] = []

        def replace(found: re.Match[str]) -> str:
            put = self._put(found)
            if put != found[0]:
                cut.append(found[0].strip()[:_LONGEST])
            return put

        # What is cut out may leave a command behind that was hidden around it.
        while (changed := self._pattern.sub(replace, text)) != text:
            text = changed
        return text, cut


def _first_choice(found: re.Match[str]) -> str:
    """Return the first of several texts in brackets; brackets without a choice stay."""
    inside = found[0][1:-1]
    if "|" not in inside and "$$" not in inside:
        return found[0]
    return inside.rpartition("$$")[2].split("|")[0]


FILTERS: Mapping[str, PromptFilter] = {
    "sd_cpp_extra_args": PromptFilter(_SD_ARGS),
    "networks": PromptFilter(_NETWORK),
    "wildcards": PromptFilter(_WILDCARD, lambda found: found[0].strip("_")),
    "choices": PromptFilter(_CHOICE, _first_choice),
    "weights": PromptFilter(_WEIGHT, lambda found: "\\" + found[0]),
    "seedance_commands": PromptFilter(_SEEDANCE),
    "pipes": PromptFilter(_PIPE, lambda _: ", "),
}


def neutralised(text: str, filters: Iterable[str], field: str) -> tuple[str, list[Notice]]:
    """Return a text without commands for the upstream, and a notice if there were any.

    Args:
        text: a prompt or a negative prompt.
        filters: names of `FILTERS`.
        field: where the text stands in the request.
    """
    cut: list[str] = []
    for name in filters:
        text, found = FILTERS[name].apply(text)
        cut += found
    if not cut:
        return text, []
    kinds = list(dict.fromkeys(cut))
    said = ", ".join(f"“{one}”" for one in kinds[:_NAMED])
    more = f" and {len(kinds) - _NAMED} more" if len(kinds) > _NAMED else ""
    message = f"The model's server would have obeyed {said}{more}: made harmless."
    return text.strip(), [Notice(field, "cut", message)]
