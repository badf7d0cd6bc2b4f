"""The bench of edits: instructions with good rewrites, with such as drift, and hostile replies."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_api.services.prompts.task import Task
from tests.services.prompts.asking import task_of


@dataclass(frozen=True, slots=True)
class EditRow:
    """An instruction, and a rewrite of it.

    `name` says what is wrong with a rewrite, "" for a good one. `language` is the one that was
    asked for, `is_seen` whether the model was shown the pictures.
    """

    prompt: str
    rewrite: str
    name: str = ""
    language: str = "auto"
    is_seen: bool = False

    @property
    def task(self) -> Task:
        """The task of a model that has written it."""
        task = task_of(self.prompt, "edit", language=self.language)
        return task.with_sight(sees_pictures=self.is_seen)

    def __str__(self) -> str:
        """Return which it is, for a list of failures."""
        return f"{self.prompt} | {self.name or 'good'}: {self.rewrite}"


def edits(name: str = "edits") -> list[dict[str, Any]]:
    """Return the instructions of a file, with their rewrites."""
    path = Path(__file__).with_name(f"{name}.toml")
    edits: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["edit"]
    return edits


def good_rows(name: str = "edits") -> Iterator[EditRow]:
    """Yield the good rewrites."""
    for edit in edits(name):
        prompt = edit["prompt"]
        yield from (EditRow(prompt, one) for one in edit["good"])
        yield from (EditRow(prompt, one, is_seen=True) for one in edit.get("seen", ()))
        for language, rewrites in edit.get("other", {}).items():
            yield from (EditRow(prompt, one, language=language) for one in rewrites)


def drifts(name: str = "edits") -> Iterator[EditRow]:
    """Yield the rewrites with which something is wrong."""
    for edit in edits(name):
        for drift, rewrite in edit.get("drifts", {}).items():
            yield EditRow(edit["prompt"], rewrite, drift)
