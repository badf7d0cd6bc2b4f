"""Writes files for commands: what is there is not written over, unless that is wanted."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import IO

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


def write_new(path: Path, pieces: Iterable[bytes], *, is_forced: bool) -> None:
    """Write a file piece by piece; raises CommandFailed.

    Where `pieces` break off, nothing is left of it.
    """
    try:
        with path.open("wb" if is_forced else "xb") as file:
            _write_whole(path, file, pieces)
    except FileExistsError as error:
        raise CommandFailed(_taken(path), FAILED) from error
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.", FAILED) from error


def _write_whole(path: Path, file: IO[bytes], pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class OutFile:
    """Where what was made is written: what is there is not written over, unless that is wanted.

    Of several files each has a number behind its name, from 1; None is that of the only one.
    """

    def __init__(self, path: Path, types: Mapping[str, str], *, is_forced: bool) -> None:
        """Check the name, which has one of the endings in `types`; raises UsageError.

        `types` has a media type for each ending, such as `image/png` for `.png`.
        """
        require_name(path, types)
        self._path = path
        self._types = types
        self._is_forced = is_forced

    @property
    def media_type(self) -> str:
        """The type that the name stands for."""
        return self._types[self._path.suffix.lower()]

    def require_free(self, numbers: Iterable[int | None]) -> None:
        """Look whether the files with these numbers can be written; raises UsageError."""
        for number in numbers:
            require_free(self._numbered(number), is_forced=self._is_forced)

    def write(self, pieces: Iterable[bytes], media_type: str, number: int | None) -> Path:
        """Write a file, and return its path; raises CommandFailed.

        Its name does not lie about its `media_type`: another one has its own ending.
        """
        path = self._numbered(number)
        if self.media_type != media_type:
            known = (ending for ending, one in self._types.items() if one == media_type)
            path = path.with_suffix(next(known, f".{media_type.partition('/')[2]}"))
        write_new(path, pieces, is_forced=self._is_forced)
        return path

    def _numbered(self, number: int | None) -> Path:
        path = self._path
        return path if number is None else path.with_stem(f"{path.stem}-{number}")


def _taken(path: Path) -> str:
    return f"{path} is there already; --force writes over it, and --out may name another file."
