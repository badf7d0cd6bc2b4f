"""Backups of a SQLite file that is in use."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from llm_api.storage import StoreError

_WAIT_S = 30.0  # for a database that another program has locked


def back_up(database: Path, target: Path) -> int:
    """Copy a database, with what its write-ahead log holds, and return the copy's bytes.

    The copy has every transaction that had ended, and no half of another. It is there when it is
    whole, and only its owner may read it: it has the digests of keys.

    In one step: in several, SQLite would begin anew whenever the service has written in between.
    Its source: https://www.sqlite.org/backup.html

    Raises:
        StoreError: there is no such database, the target exists, or it cannot be written.
    """
    if target.exists():
        raise StoreError("There is a file of that name; backups overwrite nothing.")
    if not database.is_file():
        raise StoreError("There is no database yet, so that there is nothing to back up.")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(database, partial)
        partial.rename(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StoreError(f"The backup could not be made: {_cause(error)}.") from error
    return target.stat().st_size


def _copy(database: Path, target: Path) -> None:
    # Not read-only: the last one to close removes the log, and readers would leave it behind.
    source_url = f"file:{quote(str(database.resolve()))}?mode=rw"
    with (
        closing(sqlite3.connect(source_url, uri=True, timeout=_WAIT_S)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        # One file, whole without others beside it.
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
        found = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise sqlite3.DatabaseError("the database is damaged")


def _cause(error: OSError | sqlite3.Error) -> str:
    """Return the cause without a path."""
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error).lower()
