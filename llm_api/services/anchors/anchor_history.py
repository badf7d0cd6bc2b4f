"""Keeps what models said of the anchors: a file with a line of JSON for each run."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from llm_api.services.anchors.anchor_runs import AnchorRun, Said


class AnchorHistory:
    """The runs in one file, the oldest first."""

    def __init__(self, file: Path) -> None:
        """Read and write a file, which need not be there yet."""
        self._file = file

    def last_like(self, run: AnchorRun) -> AnchorRun | None:
        """Return the last run of the same name, rubric and anchors; None if there is none.

        Raises OSError where the file cannot be read.
        """
        same = (run.model, run.rubric, run.anchors)
        runs = [one for one in self._runs() if (one.model, one.rubric, one.anchors) == same]
        return runs[-1] if runs else None

    def add(self, run: AnchorRun) -> None:
        """Write a run behind the others; raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(run) | {"at": run.at.isoformat()}, ensure_ascii=False)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _runs(self) -> Iterator[AnchorRun]:
        if not self._file.exists():
            return
        for line in self._file.read_text("utf-8").splitlines():
            try:
                yield _run(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a line that was cut off, or that somebody has edited


def _run(document: dict[str, Any]) -> AnchorRun:
    said = {name: Said(**one) for name, one in document.pop("said").items()}
    return AnchorRun(at=datetime.fromisoformat(document.pop("at")), said=said, **document)
