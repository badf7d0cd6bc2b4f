"""Examines the database and the spool's disk, for `flask doctor`. It changes nothing."""

import contextlib
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
from llm_api.storage.sql.errors import explain
from llm_api.storage.sql.rollups import add_to_rollups
from llm_api.storage.sql.tables import usage

_LOW_BYTES = 500 << 20
_OUT_BYTES = 20 << 20
_WAITING_BYTES = 64 << 20  # about half a day of an outage under light traffic
_UPGRADE = "Run `flask --app wsgi db upgrade`."


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
            return _explained(error)
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
            return _explained(error)
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
            return _explained(error)
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


def _explained(error: Exception) -> CheckResult:
    explanation = explain(error)
    return fail(explanation.sentence, explanation.advice)


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
