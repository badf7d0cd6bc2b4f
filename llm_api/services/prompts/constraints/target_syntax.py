"""Fits a prompt's syntax to its target: it is kept, put into words, or taken out.

A target that knows no weights reads `(blue eyes:1.4)` as letters, and an API without flags draws
`--ar 16:9` at best not at all. Everything that is changed is named in a warning.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from llm_api.domain.prompts import GENERIC, Target
from llm_api.services.prompts.constraints.flags import (
    NO,
    Flag,
    find_flags,
    unwanted_by,
    without_flags,
)
from llm_api.services.prompts.constraints.syntax import Syntax, syntax_at

_MAX_DEPTH = 4  # of pieces within pieces
_MAX_SHOWN = 5
_WEIGHT = re.compile(r"::?-?\d*\.?\d+\Z|::\Z|[+-]+\Z|(?<=\))\d\.\d+\Z")
_COUNT = re.compile(r"\A(\d+)(?:-\d+)?\$\$(?:[^$|]*\$\$)?")
_PART = re.compile(r"::(-?\d*\.?\d+)?(?=\s|,|\Z)")
_TIDY = (
    (r"\s+(?=[,.;])", ""),
    (r",(?:\s*,)+", ","),
    (r"\A[\s,]+", ""),
    (r"[\s,]+\Z", ""),
    (r"\s{2,}", " "),
)
_NAMES: Mapping[str, str] = {
    "weights": "weights",
    "parts": "weighted parts",
    "loras": "tags that load a LoRA",
    "embeddings": "embeddings",
    "wildcards": "wildcards",
    "choices": "alternatives",
    "steps": "alternation of words",
    "break": "BREAK and AND",
    "flags": "flags",
}
# Flags are found apart: they belong to the end. A placeholder is the application's own.
_KINDS = frozenset(_NAMES) - {"flags"}
# Flags that others have by another name.
_SAME = {"ar": "ratio", "aspect": "ratio"}


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of syntax that a target does not understand, and what stands in its place."""

    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TargetPrompt:
    """A prompt as a target understands it.

    `text` has no flags; `flags` are those that the target understands: they stand behind every
    rewrite. `unwanted` is what flags and negative weights exclude. `changes` says what the target
    does not understand.
    """

    text: str
    flags: Sequence[str] = ()
    unwanted: Sequence[str] = ()
    changes: Sequence[Change] = ()

    @property
    def tail(self) -> str:
        """What stands behind every rewrite."""
        return " ".join(self.flags)


def fit_syntax(prompt: str, target: Target, preserve: Collection[str] = ()) -> TargetPrompt:
    """Return a prompt with only such syntax as its target understands.

    Args:
        prompt: the prompt in one paragraph.
        target: the model that it is for.
        preserve: words that the caller wants to stay whatever the target understands.
    """
    # A prompt for no target in particular may end in words like "git push --force".
    takes_all = "flags" in target.syntax and target.flags is None and target.name != GENERIC
    flags = find_flags(prompt, takes_unknown=takes_all)
    body = without_flags(prompt, flags) if flags else prompt
    kept, changes = _fitted_flags(flags, target, preserve)
    unwanted = list(unwanted_by(flags))
    if "parts" not in target.syntax and "::" in body:
        body, denied, changed = _without_parts(body)
        unwanted += denied
        changes += changed
    body, changed = _in_words(body, _KINDS - target.syntax, preserve)
    changes += changed
    if not any(map(str.isalnum, body)):  # nothing but syntax: there is nothing to put into words
        return TargetPrompt(prompt)
    return TargetPrompt(body, tuple(kept), tuple(dict.fromkeys(unwanted)), tuple(changes))


def read_by_encoder(text: str, target: Target) -> tuple[str, bool]:
    """Return what a target's encoder gets of a text, and whether that is certain.

    The programs in front of it take out what they understand, and put something of unknown length
    in the place of wildcards and alternatives.
    """
    if "flags" in target.syntax:
        flags = find_flags(text, takes_unknown=target.flags is None)
        text = without_flags(text, flags) if flags else text
    text, changes = _in_words(text, target.syntax, ())
    return text, all(change.kind not in {"wildcards", "choices"} for change in changes)


def notices_of(
    prompt: TargetPrompt, target: Target, *, is_rewritten: bool, has_negative: bool
) -> Sequence[str]:
    """Return sentences on what the target does not understand, one for each kind.

    Args:
        prompt: the prompt as the target understands it.
        target: the model that it is for.
        is_rewritten: whether the answer is a rewrite, and not the prompt as it was.
        has_negative: whether the answer has a negative prompt.
    """
    notices = []
    excluded = [change for change in prompt.changes if change.before.startswith(f"--{NO} ")]
    for kind in dict.fromkeys(change.kind for change in prompt.changes):
        own = [one for one in prompt.changes if one.kind == kind and one not in excluded]
        shown = [_shown(one, is_rewritten=is_rewritten) for one in own[:_MAX_SHOWN]]
        if len(own) > _MAX_SHOWN:
            shown.append(f"{len(own) - _MAX_SHOWN} more")
        if shown:
            notices.append(f"{target.name} does not understand {_NAMES[kind]}: {', '.join(shown)}.")
    if excluded and not (has_negative and target.max_negative):
        notices.append(_on_excluded(excluded, target))
    return notices


def _shown(change: Change, *, is_rewritten: bool) -> str:
    if not is_rewritten:
        return f'"{change.before}"'
    if not change.after:
        return f'"{change.before}" was left out'
    return f'"{change.before}" became "{change.after}"'


def _on_excluded(excluded: Sequence[Change], target: Target) -> str:
    shown = ", ".join(f'"{change.before}"' for change in excluded)
    if target.max_negative:
        return (
            f"{target.name} does not understand {shown}: send what it excludes as the negative"
            " prompt, which include_negative_prompt returns."
        )
    return (
        f"{target.name} understands neither {shown} nor negative prompts: the rewrite only does"
        " not mention it."
    )


def _fitted_flags(
    flags: Sequence[Flag], target: Target, preserve: Collection[str]
) -> tuple[list[str], list[Change]]:
    kept, changes = [], []
    for flag in flags:
        name = flag.name
        if target.flags is not None and name not in target.flags:
            name = _SAME.get(name, name)
        text = f"--{name} {flag.value}".rstrip()
        is_understood = "flags" in target.syntax and (target.flags is None or name in target.flags)
        if is_understood or flag.text in preserve:
            kept.append(text if is_understood else flag.text)
        else:
            changes.append(Change("flags", flag.text, ""))
    return kept, changes


def _without_parts(body: str) -> tuple[str, list[str], list[Change]]:
    """Join the parts of a prompt; those that count less than nothing are unwanted."""
    wanted: list[str] = []
    denied: list[str] = []
    changes, at = [], 0
    for mark in _PART.finditer(body):
        part = body[at : mark.start()].strip(" ,")
        is_denied = (mark[1] or "").startswith("-")
        (denied if is_denied else wanted).append(part)
        changes.append(Change("parts", part + mark[0], "" if is_denied else part))
        at = mark.end()
    rest = body[at:].strip(" ,")
    return ", ".join(filter(None, [*wanted, rest])), list(filter(None, denied)), changes


def _in_words(
    body: str, kinds: Collection[str], preserve: Collection[str], depth: int = 0
) -> tuple[str, list[Change]]:
    """Put the pieces of some kinds into words, or take them out."""
    parts, changes, at = [], [], 0
    for piece, start in syntax_at(body):
        if start < at or piece.kind not in kinds or any(piece.text in words for words in preserve):
            continue
        words = _words(piece)
        if depth < _MAX_DEPTH:
            words, _ = _in_words(words, kinds, preserve, depth + 1)
        parts += [body[at:start], words]
        changes.append(Change(piece.kind, piece.text, words.strip(" ,")))
        at = start + len(piece.text)
    if not changes:
        return body, []
    text = "".join([*parts, body[at:]])
    for pattern, instead in _TIDY:
        text = re.sub(pattern, instead, text)
    return text.strip(), changes


def _words(piece: Syntax) -> str:
    """Return what stands for a piece where it is not understood; empty if nothing can."""
    text = piece.text
    if piece.kind == "weights":
        return _unweighted(text)
    if piece.kind == "choices":
        return _first_choices(text[1:-1])
    if piece.kind == "steps":
        # [from:to:when] ends with "to", [what::when] is taken away and [what:when] comes later.
        options = re.split(r"[|:]", text[1:-1])
        named = [one.strip() for one in options if one.strip() and not _is_number(one)]
        return named[0] if "|" in text or len(named) < 2 else named[1]
    if piece.kind == "break":
        return "and" if text == "AND" else ","
    return ""


def _unweighted(text: str) -> str:
    if text.startswith("\\"):
        return text.replace("\\", "")
    inner = _WEIGHT.sub("", text)
    while inner[:1] in {"(", "["} and inner[-1:] in {")", "]"}:
        inner = inner[1:-1]
    return _WEIGHT.sub("", inner).strip()


def _first_choices(inner: str) -> str:
    """Return the first option of some, or as many as `2$$` asks for."""
    count = _COUNT.match(inner)
    options = _options(inner[count.end() :] if count else inner)
    chosen = options[: max(1, int(count[1]))] if count else options[:1]
    return ", ".join(re.sub(r"\A\s*\d*\.?\d+::", "", option).strip() for option in chosen)


def _options(inner: str) -> Sequence[str]:
    """Split at the bars that stand in no braces of their own."""
    parts, depth = [""], 0
    for sign in inner:
        depth += (sign == "{") - (sign == "}")
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d*\.?\d+\s*", text) is not None
