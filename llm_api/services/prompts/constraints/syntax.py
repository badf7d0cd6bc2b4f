"""Finds what a prompt has for the programs that read it, and not for the eye.

Tags that load a LoRA or an embedding, wildcards, alternatives, weights, BREAK, and flags: lost or
changed, another picture is made than was asked for. The forms are those of Stable Diffusion WebUI,
ComfyUI, InvokeAI (compel), Dynamic Prompts, NovelAI and Midjourney. Which of them a target
understands is said in config/targets.toml.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llm_api.services.prompts.text import quotations

# A name of the application's own, such as {{place}} or @image1: it stays for every target.
PLACEHOLDER = "placeholder"
_MAX_PIECES = 50
_NUMBER = r"-?\d*\.?\d+"
_TAG = r"<[a-z]{2,16}:[^<>\n]{1,160}>"
_EMBEDDING = r"(?i:\bembedding:)[\w./\\-]{1,120}(?::\d*\.?\d+)?"
_FLAG = r"(?<![\w-])--(?!no?\b)[a-z][a-z-]{0,20}(?:\s+(?!--)[^\s,]{1,200}){0,1}"
_FORMS = {
    # They stand anywhere: <lora:detail:0.8>, <lyco:x>, embedding:easynegative.
    "loras": _TAG,
    "embeddings": _EMBEDDING,
    # A word of a list: __hair/color__.
    "wildcards": r"__(?=\S)[\w*/.~$@:-]{1,80}?__",
    # A variable: ${x}, {{x}}, and what was uploaded: @image1.
    PLACEHOLDER: (r"\$?\{{1,5}\s?[\w.$, -]{1,80}\s?\}{1,5}|(?<![\w@])@[A-Za-z][A-Za-z0-9_-]{1,40}"),
    # One of several: {red|green}, {2$$a|b}.
    "choices": (r"\{[^{}\n]{0,300}(?:\|[^{}\n]{0,300}|\{[^{}\n]{0,300}\}[^{}\n]{0,300}){1,20}\}"),
    # One after the other: [cow|horse], [from:to:0.5].
    "steps": (
        rf"\[[^\[\]\n:|]{{0,200}}(?:\|[^\[\]\n|]{{0,200}}){{1,20}}\]"
        rf"|\[[^\[\]\n:|]{{0,200}}(?::[^\[\]\n:|]{{0,200}}){{0,2}}:{_NUMBER}\]"
    ),
    # hot::2 dog: two parts, the first of which counts twice.
    "parts": rf"\b[\w-]+::(?:{_NUMBER})?(?!\w)",
    # (blue eyes:1.4), ((blue eyes)), (blue eyes)++, ball++, haze--, [blurry], \(series\). C++ is a
    # name, and so is whatever else ends in ++ behind a capital letter.
    "weights": (
        rf"\([^()\n]{{1,200}}:{_NUMBER}\)|\({{2,5}}[^()\n]{{1,200}}\){{2,5}}"
        rf"|\([^()\n]{{1,200}}\)(?:[+-]{{1,5}}|\d\.\d+)|\b(?![A-Z]\w*\+)[\w-]+\+\+(?!\w)"
        r"|\b[^\W\d_A-Z]\w*(?:-\w+)*-{2,5}(?=[,，、،]|\Z)"
        r"|\[{2,4}[^\[\]\n]{1,100}\]{2,4}"
        r"|(?:(?<=[,،] )|(?<=[，、])|\A)\[[^\[\]\n]{1,100}\](?=[,，、،]|\Z)"
        r"|\\\([^()\\\n]{1,100}\\\)"
    ),
    "break": r"\bBREAK\b|(?<=[^\W_A-Z] )AND(?= [^\W_A-Z])|(?<=[,.)\]] )AND(?= [^\WA-Z_(])"
    r"|(?<=[a-z0-9,.)\]] )AND(?= [a-z0-9(\[<])",
    # At the end: --ar 16:9. What --no excludes is no text to keep: a negation says it.
    "flags": _FLAG,
}
_LOADING = re.compile(rf"{_TAG}|{_EMBEDDING}")
_AT_END = re.compile(rf"(?:\s*(?:{_TAG}|{_EMBEDDING}|{_FLAG}),?)+\s*\Z")
_PIECE = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()))
# Without one of these there is none.
_SIGNS = (*"<{[(_+@", "::", "--", "BREAK", "AND", "mbedding:", "MBEDDING:")
_SIGNS_AT_END = ("<", "--", "mbedding:", "MBEDDING:")


@dataclass(frozen=True, slots=True)
class Syntax:
    """A piece of prompt syntax; `kind` is one of a target's `syntax`, or `placeholder`."""

    text: str
    kind: str


def find_syntax(prompt: str) -> Sequence[Syntax]:
    """Return the pieces of prompt syntax in a prompt, each once, in their order."""
    return tuple(dict.fromkeys(piece for piece, _ in syntax_at(prompt)))[:_MAX_PIECES]


def syntax_at(prompt: str) -> Sequence[tuple[Syntax, int]]:
    """Return the pieces of prompt syntax with their places; what is quoted has none."""
    if not any(map(prompt.__contains__, _SIGNS)):
        return ()
    quoted = quotations(prompt)
    return [
        (Syntax(piece[0], str(piece.lastgroup)), piece.start())
        for piece in _PIECE.finditer(prompt)
        if not any(one.start < piece.start() < one.end for one in quoted)
    ]


def without_tags(text: str) -> str:
    """Return a text without the tags that load something: their names are not words of it."""
    if "<" not in text and "mbedding:" not in text:
        return text
    return _LOADING.sub(" ", text)


def without_end(text: str) -> str:
    """Return a text without the tags and parameters at its end."""
    return _AT_END.sub("", text) if any(map(text.__contains__, _SIGNS_AT_END)) else text
