"""Takes the steps of agents with the Codex CLI, not interactively: `codex exec`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from reporting import Step
from terminal import HELLO, MORE, PERSON_SCHEMA, Terminal, take_steps


def options(step: Step, folder: Path, *, goes_on: bool) -> Sequence[str]:
    """Ask once, in the folder of the step."""
    provider = {
        "name": "service",
        "base_url": step.base_url,
        "env_key": "KEY",
        "wire_api": "responses",
    }
    settings = {f"model_providers.service.{name}": value for name, value in provider.items()}
    settings |= {"model_provider": "service", "model": step.model}
    words = [
        word for name, value in settings.items() for word in ("-c", f"{name}={json.dumps(value)}")
    ]
    words += ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    words += ["--output-last-message", str(folder / "answer")]
    if step.action == "structured":
        (folder / "schema.json").write_text(json.dumps(PERSON_SCHEMA))
        words += ["--output-schema", str(folder / "schema.json")]
    return ["exec", "resume", "--last", *words, MORE] if goes_on else ["exec", *words, HELLO]


def answer(_lines: Sequence[str], folder: Path) -> str:
    """Read the last message."""
    return (folder / "answer").read_text()


if __name__ == "__main__":
    take_steps(Terminal(sys.argv[3], options, lambda _: {"KEY": "not-needed"}, answer))
