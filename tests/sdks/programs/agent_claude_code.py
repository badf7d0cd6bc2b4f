"""Takes the steps of agents with Claude Code, not interactively: `claude -p`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reporting import Step
from terminal import HELLO, MORE, PERSON_SCHEMA, Terminal, take_steps


def options(step: Step, _folder: Path, *, goes_on: bool) -> Sequence[str]:
    """Ask once, and show the texts as they come."""
    words = ["--model", step.model, "--output-format", "stream-json", "--verbose"]
    words += ["--include-partial-messages", "--allowedTools", "Bash"]
    if step.action == "structured":
        words += ["--json-schema", json.dumps(PERSON_SCHEMA)]
    return ["-p", MORE, "--continue", *words] if goes_on else ["-p", HELLO, *words]


def env(step: Step) -> Mapping[str, str]:
    """Name the service, and let it talk to nobody else."""
    return {
        "ANTHROPIC_BASE_URL": step.base_url.removesuffix("/v1"),
        "ANTHROPIC_API_KEY": "not-needed",
        "ANTHROPIC_SMALL_FAST_MODEL": step.model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def answer(lines: Sequence[str], _folder: Path) -> str:
    """Read the result."""
    result = json.loads(lines[-1])
    structured = result.get("structured_output")
    return json.dumps(structured) if structured else result["result"]


def text_of(line: str) -> str | None:
    """Read the piece of text in an event."""
    if not line.startswith("{"):
        return None
    event: dict[str, Any] = json.loads(line).get("event") or {}
    return (event.get("delta") or {}).get("text")


if __name__ == "__main__":
    take_steps(Terminal(sys.argv[3], options, env, answer, text_of))
