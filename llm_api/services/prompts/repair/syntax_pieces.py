"""Restores prompt syntax that a rewrite lost: where its words stand, or at the end."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.constraints.syntax import PLACEHOLDER, Syntax
from llm_api.services.prompts.task import Task

_AT_END = ("loras", "embeddings", "flags")
_LOADING = ("loras", "embeddings")
_CHOICES = ("choices", "steps")
_WEIGHT = re.compile(r"::?-?\d*\.?\d+\Z|::\Z|[+-]+\Z")
_COUNT = re.compile(r"\A\d+(?:-\d+)?\$\$")


def with_syntax(task: Task, rewrite: str) -> str:
    """Return a rewrite with the pieces of syntax that can be restored.

    What stands for words replaces those words if the rewrite has them: `(blue eyes:1.4)` stands for
    "blue eyes", `{red|green}` for either, `__color__` for "color". Tags and parameters are added at
    the end.
    """
    for kind in _AT_END:
        lost = [piece.text for piece in _lost(task, rewrite) if piece.kind == kind]
        rewrite = " ".join([rewrite.rstrip(), *lost]) if lost else rewrite
    for piece in _lost(task, rewrite):
        rewrite = _with_piece(rewrite, piece)
    return rewrite


def with_tags_once(task: Task, rewrite: str) -> str:
    """Return a rewrite that loads nothing more often than its prompt does."""
    for piece in task.constraints.syntax:
        while piece.kind in _LOADING and rewrite.count(piece.text) > task.source.count(piece.text):
            head, _, rest = rewrite.rpartition(piece.text)
            rewrite = f"{head.rstrip(' ,')}{rest}"
    return rewrite


def _lost(task: Task, rewrite: str) -> Sequence[Syntax]:
    return [piece for piece in task.constraints.syntax if piece.text not in rewrite]


def _with_piece(rewrite: str, piece: Syntax) -> str:
    words = [re.escape(word) for word in _words(piece) if word]
    if not words:
        return rewrite
    place = re.compile(
        rf"[_*(\[{{]*(?<![^\W_])(?:{'|'.join(words)})(?![^\W_])[_*)\]}}]*", re.IGNORECASE
    )
    found = list(place.finditer(rewrite))
    if not found or (piece.kind in _CHOICES and len(found) > 1):
        return rewrite  # two of its options: which of them it stands for is anyone's guess
    return rewrite[: found[0].start()] + piece.text + rewrite[found[0].end() :]


def _words(piece: Syntax) -> Sequence[str]:
    """Return the words that a piece can stand for."""
    if piece.kind in {"wildcards", PLACEHOLDER}:
        return [piece.text.strip("_${}@ ")]
    if piece.kind in {"weights", "parts"}:
        inner = _WEIGHT.sub("", piece.text.strip("()[]\\")).strip("()[]\\ ")
        return [_WEIGHT.sub("", inner)]
    if piece.kind in _CHOICES:
        options = re.split(r"[|:]", _COUNT.sub("", piece.text[1:-1]))
        return [_WEIGHT.sub("", option).strip() for option in options if not _is_number(option)]
    return []


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d*\.?\d+\s*", text) is not None
