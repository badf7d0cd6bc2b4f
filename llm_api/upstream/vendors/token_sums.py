"""Says what is too long where an upstream's error adds up tokens: the prompt, or the cap."""

import re

from llm_api.upstream.vendors.blamed_fields import CAP

_BLAMED = re.compile(
    rf"(?:{CAP.pattern})(?![a-z_])[^.;]{{0,60}}?(?:too (?:large|high|big)|exceed|greater|larger"
    r"|more than|must be|should be|at most|less than|range|value of|\d >"
    r"|非法|超出|超过|范围|过大|不能|大于)"
    rf"|(?:range of|invalid|过大的?|超过)\W{{0,3}}(?:{CAP.pattern})"
    r"|(?:output|completion) tokens?[^.;]{0,40}(?:exceed|too (?:large|many)|at most)"
    r"|at most \d+ completion tokens",
    re.IGNORECASE,
)
_NUMBER = r"(\d[\d,]*)"
# How many tokens the prompt has and how many may be written, in messages that add them up.
_PROMPT_PART = re.compile(
    rf"\b(?:prompt|inputs?|messages?)(?:[ _]tokens?| length)?[(:= ]{{1,3}}{_NUMBER}|"
    rf"{_NUMBER}\W{{0,2}} ?(?:tokens )?(?:in|from|of)? ?(?:the |your )?(?:text |input )?"
    r"(?:messages|prompt|inputs?)\b",
    re.IGNORECASE,
)
_OUTPUT_PART = re.compile(
    rf"\b(?:max_(?:new_|completion_|output_)?tokens|completion|output)(?:[ _]tokens?)?[(:= ]{{1,3}}"
    rf"{_NUMBER}|"
    rf"{_NUMBER}[^\w+]{{0,2}} ?(?:tokens )?(?:in|for)? ?(?:the |your )?(?:completion|output"
    r"|max_new_tokens|max_tokens|max_completion_tokens)\b",
    re.IGNORECASE,
)
_NO_ROOM = re.compile(
    r"\b(?:input|prompt|messages)\b[^.;]{0,30}(?:\band\b|\+|\bplus\b)[^;]{0,80}\bcontext\b"
    r"|(?:got|given|received|value)\W{0,3}-\d|no (?:room|space|tokens? left)|leaves? no\b",
    re.IGNORECASE,
)
_SUM = re.compile(rf"{_NUMBER} \+ {_NUMBER} > {_NUMBER}")


def blames_cap(words: str) -> bool:
    """Whether an error of a full context is one of the cap on tokens."""
    is_larger = _is_cap_larger(words)
    return _BLAMED.search(words) is not None if is_larger is None else is_larger


def blames_prompt(words: str) -> bool:
    """Whether an error of the cap is one of the prompt, which has left too little of the context.

    Where a sum is not given by its parts, the prompt is blamed.
    """
    is_larger = _is_cap_larger(words)
    return _NO_ROOM.search(words) is not None if is_larger is None else not is_larger


def _is_cap_larger(words: str) -> bool | None:
    """Whether the cap on tokens is larger than the prompt; None if a message does not say both.

    Their sum is what is too large, and the larger part is to blame.
    """
    if (both := _SUM.search(words)) is not None:
        return _count(both[2]) > _count(both[1])
    prompt, output = _PROMPT_PART.search(words), _OUTPUT_PART.search(words)
    if prompt is None or output is None:
        return None
    return _count(output[output.lastindex or 0]) > _count(prompt[prompt.lastindex or 0])


def _count(digits: str) -> int:
    return int(digits.replace(",", "")[:18])
