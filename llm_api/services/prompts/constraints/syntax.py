"""Finds what a prompt has for the programs that read it, and not for the eye.

Tags that load a LoRA or an embedding, wildcards, alternatives, weights, BREAK, and Midjourney's
parameters: lost or changed, another picture is made than was asked for. The forms are those of
Stable Diffusion WebUI, ComfyUI, InvokeAI, Dynamic Prompts and Midjourney.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MAX_PIECES = 50
_NUMBER = r"-?\d*\.?\d+"
_FORMS = {
    # They stand anywhere: <lora:detail:0.8>, <lyco:x>, embedding:easynegative.
    "tag": r"<[a-z]{2,16}:[^<>\n]{1,160}>|(?i:\bembedding:)[\w./\\-]{1,120}(?::\d*\.?\d+)?",
    # A word of a list: __hair/color__, a variable: ${x}, {{x}}, and what was uploaded: @image1.
    "wildcard": (
        r"__(?=\S)[\w*/.~$@:-]{1,80}?__|\$?\{{1,5}\s?[\w.$, -]{1,80}\s?\}{1,5}"
        r"|(?<![\w@])@[A-Za-z][A-Za-z0-9_-]{1,40}"
    ),
    # One of several: {red|green}, {2$$a|b}, [cow|horse], [from:to:0.5].
    "choice": (
        r"\{[^{}\n]{0,300}(?:\|[^{}\n]{0,300}|\{[^{}\n]{0,300}\}[^{}\n]{0,300}){1,20}\}"
        rf"|\[[^\[\]\n:|]{{0,200}}(?:\|[^\[\]\n|]{{0,200}}){{1,20}}\]"
        rf"|\[[^\[\]\n:|]{{0,200}}(?::[^\[\]\n:|]{{0,200}}){{0,2}}:{_NUMBER}\]"
    ),
    # (blue eyes:1.4), ((blue eyes)), (blue eyes)++, hot::2, [blurry], \(series\).
    "weight": (
        rf"\([^()\n]{{1,200}}:{_NUMBER}\)|\({{2,5}}[^()\n]{{1,200}}\){{2,5}}"
        rf"|\([^()\n]{{1,200}}\)(?:[+-]{{1,5}}|\d\.\d+)|\b[\w-]+(?:\+\+|::(?:{_NUMBER})?)(?!\w)"
        r"|\[{2,4}[^\[\]\n]{1,100}\]{2,4}|(?:(?<=, )|\A)\[[^\[\]\n]{1,100}\](?=,|\Z)"
        r"|\\\([^()\\\n]{1,100}\\\)"
    ),
    "break": r"\bBREAK\b|(?<=[a-z0-9,.)\]] )AND(?= [a-z0-9(\[<])",
    # At the end: --ar 16:9. What --no excludes is no text to keep: a negation says it.
    "parameter": r"(?<![\w-])--(?!no?\b)[a-z][a-z-]{0,20}(?:\s+(?!--)[^\s,]{1,200}){0,1}",
}
_TAG = re.compile(_FORMS["tag"])
_AT_END = re.compile(rf"(?:\s*(?:{_FORMS['tag']}|{_FORMS['parameter']}),?)+\s*\Z")
_PIECE = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()))
# Without one of these there is none.
_SIGNS = (*"<{[(_+@", "::", "--", "BREAK", "AND", "mbedding:", "MBEDDING:")
_SIGNS_AT_END = ("<", "--", "mbedding:", "MBEDDING:")


@dataclass(frozen=True, slots=True)
class Syntax:
    """A piece of prompt syntax.

    `kind` is `tag`, `wildcard`, `choice`, `weight`, `break` or `parameter`.
    """

    text: str
    kind: str


def find_syntax(prompt: str) -> Sequence[Syntax]:
    """Return the pieces of prompt syntax in a prompt, each once, in their order."""
    if not any(map(prompt.__contains__, _SIGNS)):
        return ()
    found = (Syntax(piece[0], str(piece.lastgroup)) for piece in _PIECE.finditer(prompt))
    return tuple(dict.fromkeys(found))[:_MAX_PIECES]


def without_tags(text: str) -> str:
    """Return a text without the tags that load something: their names are not words of it."""
    if "<" not in text and "mbedding:" not in text:
        return text
    return _TAG.sub(" ", text)


def without_end(text: str) -> str:
    """Return a text without the tags and parameters at its end."""
    return _AT_END.sub("", text) if any(map(text.__contains__, _SIGNS_AT_END)) else text
