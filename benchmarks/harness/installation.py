"""Copies of the service: of a checkout as it lies there, or of a commit of its history.

A copy has a catalogue with the benchmark's model and its price, which budgets of money need, and
its usage rows wait in the run's own folder. Both sides of a comparison lie on the same disk.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from benchmarks.harness.servers import BenchmarkError

# What is installed, what runs leave behind, settings of this installation, and what does not run.
NOT_COPIED = (".*", "__pycache__", "instance", "tests", "docs", "findings", "benchmarks")
RUNNING_PARTS = ("llm_api", "config", "migrations", "gunicorn.conf.py", "wsgi.py")
INSTALLED = (".venv", ".models")
PRICED_MODEL = """
[models."bench-model"]
upstream = "fast"

[[models."bench-model".prices]]
valid_from = 2025-01-01
currency = "CNY"
input = "0.8"
output = "2"
"""
ARCHIVE_TIMEOUT = 60.0


def copied(root: Path, folder: Path) -> Path:
    """Copy the checkout at `root` into a new folder, uncommitted changes included; return it."""
    shutil.copytree(root, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return prepared(folder, root)


def exported(root: Path, revision: str, folder: Path) -> Path:
    """Write a commit of the repository at `root` into a new folder; return the folder.

    An archive and not a worktree: a run that is killed leaves nothing behind in the repository.
    Raises BenchmarkError if there is no such commit.
    """
    folder.mkdir()
    archive, log = folder.with_suffix(".tar"), folder.with_suffix(".git.log")
    command = ["git", "-C", str(root), "archive", f"--output={archive}", f"{revision}^{{commit}}"]
    try:
        with log.open("wb") as errors:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stderr=errors,
                timeout=ARCHIVE_TIMEOUT,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"--compare {revision}: no such commit in {root}", log) from error
    with tarfile.open(archive) as files:
        # Python before 3.11.4 has no filters; the archive is our own.
        options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        files.extractall(folder, **options)  # noqa: S202  # see above
    archive.unlink()
    return prepared(folder, root)


def commit_of(root: Path, revision: str = "HEAD") -> str:
    """Return the short name of a commit, with a + if files were changed since; "" without git."""
    short = git(root, "rev-parse", "--short", f"{revision}^{{commit}}")
    is_changed = revision == "HEAD" and git(root, "status", "--porcelain", "--", *RUNNING_PARTS)
    return f"{short}+" if short and is_changed else short


def git(root: Path, *arguments: str) -> str:
    """Return what git prints; nothing where it fails or is not installed."""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ARCHIVE_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def prepared(folder: Path, root: Path) -> Path:
    """Give a copy the priced model and what is installed at `root`; return it."""
    with (folder / "config" / "models.toml").open("a") as catalogue:
        catalogue.write(PRICED_MODEL)
    for name in INSTALLED:
        (folder / name).symlink_to((root / name).resolve())
    return folder
