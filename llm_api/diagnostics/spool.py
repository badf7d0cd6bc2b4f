"""Checks of the spool folder, where usage rows wait for the database."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from llm_api.diagnostics.results import CheckResult, fail, ok, warn

_LOW_BYTES = 500 << 20
_OUT_BYTES = 20 << 20
_WAITING_BYTES = 64 << 20  # about half a day of an outage under light traffic


def spool_folder(folder: Path) -> CheckResult:
    """Check that files can be written to the spool folder, and how many bytes wait in it."""
    try:
        # A file in place of the folder is an OSError too.
        with tempfile.TemporaryFile(dir=_existing(folder)) as probe:
            probe.write(b"\0" * 4096)
    except OSError:
        return fail(
            "No file can be written to the spool folder, spool in INSTANCE_DIR.",
            "Make it a folder that the service's user may write to.",
        )
    waiting = 0
    for file in folder.glob("*/*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # a worker has just emptied it
            waiting += file.stat().st_size
    if waiting > _WAITING_BYTES:
        return warn(
            f"{waiting >> 20} MB of usage rows wait for the database.",
            "See why the database takes none; a running worker writes them as soon as it does.",
        )
    return ok("Files can be written.")


def spool_space(folder: Path) -> CheckResult:
    """Check the free space of the spool folder's disk."""
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free >> 20} MB are free."
    advice = "Make room on the disk of INSTANCE_DIR; without it usage rows are lost."
    if free < _OUT_BYTES:
        return fail(found, advice)
    return warn(found, advice) if free < _LOW_BYTES else ok(found)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
