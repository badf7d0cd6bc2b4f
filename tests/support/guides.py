"""The steps of guides: the same done with curl, in Python and in JavaScript, side by side."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_api.settings.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
LANGUAGES = ("sh", "python", "js")
STEP = re.compile(
    "\n".join(rf"^```{one}\n((?:(?!```).*\n)+)```\n" for one in LANGUAGES), re.MULTILINE
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PROGRAM_TIMEOUT = 100


@dataclass(frozen=True, slots=True)
class Step:
    """What a guide does in every language: its page, the heading above it, and the programs."""

    page: str
    heading: str
    programs: dict[str, str]

    @property
    def name(self) -> str:
        """What the step is called in tables."""
        return f"{self.page}: {self.heading}"


def steps_of(page: str) -> Iterator[Step]:
    """Yield the steps of a page of docs/, by its file name."""
    text = (DOCS / page).read_text("utf-8")
    for found in STEP.finditer(text):
        heading = _HEADING.findall(text[: found.start()])[-1]
        yield Step(page, heading, dict(zip(LANGUAGES, found.groups(), strict=True)))


def run_program(program: str, runtime: Path, folder: Path, modules: Path | None = None) -> str:
    """Run a program of a guide in a folder, and return what it printed.

    Args:
        program: its text.
        runtime: a Python, or Node.js.
        folder: where it is written, and works.
        modules: the packages of a program for Node.js that needs some.
    """
    is_node = runtime.name == "node"
    script = folder / f"step.{'mjs' if is_node else 'py'}"
    script.write_text(program, "utf-8")
    if is_node and modules is not None:
        (folder / "node_modules").symlink_to(modules)
    done = subprocess.run(
        [runtime, script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_PROGRAM_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
