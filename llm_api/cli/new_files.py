"""Writes files for commands: what is there is not written over, unless that is wanted."""

from collections.abc import Collection
from pathlib import Path

import click

from llm_api.cli.calling.exit_codes import FAILED, CommandFailed


def require_name(path: Path, suffixes: Collection[str]) -> None:
    """Look whether a file has one of the endings, and a folder; raises UsageError."""
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"--out must end in one of {', '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise click.UsageError(f"--out must be in a folder that exists, not in {path.parent}.")


def require_free(path: Path, *, is_forced: bool) -> None:
    """Look whether a file can be written, before anything is done for it; raises UsageError."""
    if path.exists() and not is_forced:
        raise click.UsageError(_taken(path))


def write_new(path: Path, content: bytes, *, is_forced: bool) -> None:
    """Write a file; raises CommandFailed."""
    try:
        with path.open("wb" if is_forced else "xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise CommandFailed(_taken(path), FAILED) from error
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.", FAILED) from error


def _taken(path: Path) -> str:
    return f"{path} is there already; --force writes over it, and --out may name another file."
