"""Examines the database and the spool's disk, for `flask doctor`. It changes nothing."""

import contextlib
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.rollups import add_to_rollups
from llm_api.storage.sql.tables import usage

_LOW_BYTES = 500 << 20
_OUT_BYTES = 20 << 20
_WAITING_BYTES = 64 << 20  # about half a day of an outage under light traffic
_UPGRADE = "Run `flask --app wsgi db upgrade`."
# What the drivers say, in their words, by SQLSTATE and by MySQL's codes, and what that means. The
# first match counts.
_TROUBLES = (
    (r"\(1205,", "Another transaction holds the tables locked.",
     "Find and end it; SHOW ENGINE INNODB STATUS names it."),
    (r"\(2061,", "The server has no TLS, and its log-in does not work without.",
     "Let the server offer TLS, or give the user another way to log in."),
    (r"\(1665,", "The server's binary log does not take the service's transactions.",
     "Set its binlog_format to ROW or MIXED."),
    (r"\(1046,", "DATABASE_URL names no database on the server.",
     "Add its name: mysql://user:password@host/name."),
    (r"28P01|password authentication|no password supplied|role .* does not exist|\((1045|1698),",
     "The database refused the user or the password.",
     "Correct user and password in DATABASE_URL; signs in them are written as %XX."),
    (r"pg_hba", "The database does not let this machine or user in.",
     "Allow it in the server's pg_hba.conf."),
    (r"\((1129|1130),", "The database does not let this machine in.",
     "Allow the user from this machine; FLUSH HOSTS ends a block."),
    (r'database ".*" does not exist|3D000|\(1049,', "The server has no database of that name.",
     "Create the database, or correct its name in DATABASE_URL."),
    (r"resolve host|translate host|name or service",
     "The host name in DATABASE_URL could not be resolved.", "Correct the host in DATABASE_URL."),
    (r"refused", "Nothing listens where DATABASE_URL points.",
     "Start the database, or correct host and port in DATABASE_URL."),
    (r"timeout|timed out|57014|\((1969|3024),", "The database did not answer in time.",
     "See whether it hangs, is overloaded, or stands behind a firewall."),
    (r"too many (clients|connections)|53300|\(1203,", "The database has no free connection.",
     "Raise its max_connections, or lower WEB_CONCURRENCY."),
    (r"readonly|read-only|25006|\(1836,", "The database can be read, and not written.",
     "Give the service's user the right to write, or name the primary in DATABASE_URL."),
    (r"42501|\((1044|1142|1143),", "The user may not write a table of the service.",
     "Grant it SELECT, INSERT, UPDATE and DELETE on all of the service's tables."),
    (r"is locked", "Another process holds the database locked.",
     "Find and end the process that keeps the SQLite file open for writing."),
    (r"disk is full|53100|no space|\((1021|1114),", "The database's disk is full.",
     "Make room on it."),
    (r"not a database|malformed", "The file of DATABASE_URL is no intact SQLite database.",
     "Name another file, or put a backup in its place."),
    (r"\((2006|2013),", "The database broke the connection off.",
     "See in its log why; it may have been restarted."),
    (r"unable to open|PermissionError", "The SQLite file cannot be opened.",
     "Give the service's user the right to the file and its folder."),
)  # fmt: skip


class DatabaseExamination:
    """Looks at the database of the usage rows."""

    def __init__(self, url: str, root: Path) -> None:
        """Connect to nothing yet; `root` has the folder `migrations`."""
        self._url = url
        self._root = root

    def reachable(self) -> CheckResult:
        """Connect, without making the file of a SQLite database."""
        url = sa.make_url(self._url)
        is_sqlite = url.get_backend_name() == "sqlite"
        try:
            if is_sqlite and (trouble := _file_trouble(url.database)):
                return trouble
            with self._connected() as connection:
                connection.execution_options(llm_api_reads=True).execute(sa.select(1))
                is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        except (sa.exc.SQLAlchemyError, StoreError, OSError) as error:
            return _trouble(error)
        if is_sqlite:
            return ok("SQLite opens its file.")
        names = {"postgresql": "PostgreSQL"}
        name = names.get(url.get_backend_name(), "MariaDB" if is_mariadb else "MySQL")
        return ok(f"{name} lets the service in.")

    def schema(self) -> CheckResult:
        """Compare the database's revision with the newest migration."""
        scripts = ScriptDirectory(str(self._root / "migrations"))
        known = {script.revision for script in scripts.walk_revisions()}
        try:
            current = self._revisions()
        except sa.exc.SQLAlchemyError as error:
            return _trouble(error)
        if current == set(scripts.get_heads()):
            return ok("The schema is the current one.")
        if current - known:
            return fail(
                "The schema is newer than this version of the service.",
                "Install the version that has migrated it.",
            )
        if current:
            return fail("The schema is behind: a migration is missing.", _UPGRADE)
        return fail("The database has no tables yet.", _UPGRADE)

    def _revisions(self) -> set[str]:
        version = sa.table("alembic_version", sa.column("version_num", sa.String))
        with self._connected() as connection:
            connection.execution_options(llm_api_reads=True)
            if not sa.inspect(connection).has_table(version.name):
                return set()
            return set(connection.scalars(sa.select(version.c.version_num)))

    def writable(self) -> CheckResult:
        """Insert a row, add it to the sums, and take it back before anybody can see it."""
        record = UsageRecord(
            f"doctor-{secrets.token_hex(8)}", datetime.now(UTC), "doctor", None, "none", "none"
        )
        row = {name: getattr(record, name) for name in UsageRecord.__slots__}
        row["created_at"] = record.created_at.replace(tzinfo=None)
        try:
            with self._connected() as connection:
                connection.execute(sa.insert(usage), row)
                add_to_rollups(connection, [row])
                connection.rollback()
        except sa.exc.SQLAlchemyError as error:
            return _trouble(error)
        return ok("Usage rows can be written.")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        engine = make_engine(self._url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _file_trouble(database: str | None) -> CheckResult | None:
    """Look at the file of a SQLite database before anything opens, and so makes, it."""
    if not database or database == ":memory:":
        return fail(
            "DATABASE_URL names a database in memory, which every worker has for itself.",
            "Name a file, such as sqlite:////var/lib/llm_api/llm_api.db.",
        )
    path = Path(database)
    if database.startswith("file:") or path.is_file():
        return None
    if path.is_dir():
        return fail("DATABASE_URL names a folder.", "Name a file in it.")
    if not path.parent.is_dir():
        return fail(
            "The folder of the SQLite file is missing and cannot be made.",
            "Make the folder for the service's user, or correct DATABASE_URL.",
        )
    return fail("The SQLite file is not there yet.", _UPGRADE)


def _trouble(error: Exception) -> CheckResult:
    cause = getattr(error, "orig", None) or error
    said = f"{getattr(cause, 'sqlstate', None) or ''} {cause} {type(cause).__name__}"
    for words, found, advice in _TROUBLES:
        if re.search(words, said, re.IGNORECASE):
            return fail(found, advice)
    return fail(
        f"The database could not be used ({type(cause).__name__}).",
        "See whether DATABASE_URL is right, and look into the database's log.",
    )


def spool_folder(folder: Path) -> CheckResult:
    """See whether files can be written where usage rows wait for the database."""
    try:
        # What lies in the way of the folder, such as a file, is no folder to write in.
        with tempfile.TemporaryFile(dir=_existing(folder)) as probe:
            probe.write(b"\0" * 4096)
    except OSError:
        return fail(
            "No file can be written to the spool folder, instance/spool.",
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
    """See how much room is left on the spool's disk."""
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free >> 20} MB are free."
    advice = "Make room on the disk of instance/spool; without it usage rows are lost."
    if free < _OUT_BYTES:
        return fail(found, advice)
    return warn(found, advice) if free < _LOW_BYTES else ok(found)


def _existing(folder: Path) -> Path:
    """Return the folder, or what the service would make it in."""
    return next(place for place in (folder, *folder.parents) if place.exists())
