"""The service as pip installs it: a wheel in an environment of its own."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Child
from tests.support.service import REPOSITORY_ROOT, Service

_TIMEOUT = 60.0
_COMPILED = {"__pycache__"}


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel, and a folder from which its program is run."""

    environment: Path
    home: Path

    @property
    def program(self) -> Path:
        """The program `llm-api`."""
        return self.environment / "bin" / "llm-api"

    @property
    def packages(self) -> Path:
        """The folder in which the package lies."""
        return next((self.environment / "lib").iterdir()) / "site-packages"

    def run(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run the program to its end; the environment has PATH and what is given."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.home,
            env={"PATH": os.defpath, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )

    def files(self) -> dict[Path, int]:
        """Return all files of the installed package with their times, without what Python keeps."""
        return {
            path: path.stat().st_mtime_ns
            for path in (self.packages / "llm_api").rglob("*")
            if path.is_file() and not _COMPILED & set(path.parts)
        }


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, with the backend that pyproject.toml names."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, check=True, timeout=_TIMEOUT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(folder: Path) -> Installation:
    """Build the wheel and install it below `folder`; its dependencies are those of the tests."""
    environment, home = folder / "environment", folder / "home"
    home.mkdir()
    venv.create(environment)
    installation = Installation(environment, home)
    wheel = build_wheel(folder)
    python = str(environment / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--offline", "--no-config", "--no-deps"]
    subprocess.run(
        [sys.executable, "-m", *install, "--python", python, str(wheel)],
        capture_output=True,
        check=True,
        timeout=_TIMEOUT,
    )
    (installation.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return installation


class InstalledService(Service):
    """The service that an installation's `llm-api run` serves; it migrates by itself."""

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        env: Mapping[str, str] | None = None,
        *,
        before: Sequence[str] = (),
    ) -> None:
        """Prepare without starting; see `Service`. `before` is a program that starts ours."""
        super().__init__(directory, env, root=installation.home, schema="none")
        if "DATABASE_URL" not in (env or {}):
            del self.env["DATABASE_URL"]  # where it is by default is what is tested
        self._program = installation.program
        self._before = before

    def run_program(self) -> Child:
        """Start the program."""
        return Child(
            [*self._before, self._program, "run"],
            log=self.log_path,
            env=self.env,
            cwd=self.root,
        )
