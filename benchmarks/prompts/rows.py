"""The prompt sets: one JSON object a line, in files that lie in a folder."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWN_SET = Path(__file__).with_name("own.jsonl")


@dataclass(frozen=True)
class Row:
    """A prompt of a set. `expect` is what the set's authors say it asks for."""

    id: str
    set_name: str
    language: str
    type: str
    prompt: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    rewrites: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The set and the language: figures are grouped by them."""
        return f"{self.set_name} {self.language}"


def load(path: Path) -> list[Row]:
    """Return the rows of a file, or of all .jsonl files in a folder.

    Raises ValueError for a path without rows or with a line that is no row.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    rows = [row for file in files for row in _rows_of(file)]
    if not rows:
        raise ValueError(f"There are no prompts in {path}.")
    return rows


def _rows_of(file: Path) -> list[Row]:
    lines = file.read_text("utf-8").splitlines()
    try:
        return [_row(json.loads(line), file.stem) for line in lines if line.strip()]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file.name} is not a prompt set: {error!r}") from error


def _row(document: Mapping[str, Any], set_name: str) -> Row:
    rewrites = dict(document.get("published_rewrites", {}))
    if "good_rewrite" in document:
        rewrites["good"] = document["good_rewrite"]
    return Row(
        id=document["id"],
        set_name=set_name,
        language=document["language"],
        type=document["type"],
        prompt=document["prompt"],
        expect=document.get("expect", {}),
        rewrites=rewrites,
    )


def sample(rows: Sequence[Row], count: int | None, seed: int) -> list[Row]:
    """Return at most so many rows, spread over the sets and languages as they are; same by seed."""
    if count is None or count >= len(rows):
        return list(rows)
    order = random.Random(seed)  # noqa: S311  # a sample, no secret
    chosen = set(order.sample(range(len(rows)), count))
    return [row for at, row in enumerate(rows) if at in chosen]
