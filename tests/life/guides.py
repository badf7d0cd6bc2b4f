"""Runs the commands of a guide of docs/ in the folder of a service."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.service import REPOSITORY_ROOT, Service


def blocks_of(page: str) -> list[str]:
    """Return the shell blocks of a page, in order."""
    text = (REPOSITORY_ROOT / "docs" / page).read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def typed(
    block: str, service: Service, root: Path, env: Mapping[str, str], programs: Path | None = None
) -> str:
    """Type a block with the settings of a service, and return what it has printed.

    Args:
        block: the commands.
        service: whose settings.
        root: the folder of the project, which is where they are typed.
        env: further variables.
        programs: a folder with programs that are used before others.
    """
    path = [*([str(programs)] if programs else []), service.env["PATH"]]
    done = subprocess.run(
        ["/bin/bash", "-euc", block.replace(".venv/bin/flask ", f"{sys.executable} -m flask ")],
        cwd=root,
        env={**service.env, **env, "PATH": ":".join(path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
