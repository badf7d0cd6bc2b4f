"""Checks of the database: connection, schema and writing. They change nothing."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.domain.usage import UsageRecord
from llm_api.runtime.installation import COMMAND
from llm_api.storage import StoreError
from llm_api.storage.sql.compatibility import check_revision
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.errors import explain
from llm_api.storage.sql.months import DEFAULT, missing_months, partition_names
from llm_api.storage.sql.rollups import add_to_rollups
from llm_api.storage.sql.tables import usage

_ENCODING = "UTF8"
_UPGRADE = f"Run `{COMMAND} db upgrade`."


class DatabaseChecks:
    """The checks of one database."""

    def __init__(self, url: str, root: Path) -> None:
        """Check the database at `url` (see DATABASE_URL) against the migrations.

        `root` is the folder of the installation, which has `migrations`. Nothing is connected yet.
        """
        self._url = url
        self._root = root

    def reachable(self) -> CheckResult:
        """Check that the database can be connected to; a SQLite file is not created."""
        url = sa.make_url(self._url)
        is_sqlite = url.get_backend_name() == "sqlite"
        try:
            if is_sqlite and (problem := _file_problem(url.database)):
                return problem
            with self._connected() as connection:
                connection.execution_options(llm_api_reads=True).execute(sa.select(1))
                is_mariadb = getattr(connection.dialect, "is_mariadb", False)
                encoding = _encoding(connection)
        except (sa.exc.SQLAlchemyError, StoreError, OSError) as error:
            return _explained(error)
        if is_sqlite:
            return ok("SQLite opens its file.")
        if encoding != _ENCODING:
            return fail(
                f"The database's encoding is {encoding}, which cannot keep every text.",
                "Make a database with ENCODING 'UTF8' and TEMPLATE template0, and name it in"
                " DATABASE_URL.",
            )
        names = {"postgresql": "PostgreSQL"}
        name = names.get(url.get_backend_name(), "MariaDB" if is_mariadb else "MySQL")
        return ok(f"{name} accepts the connection.")

    def schema(self) -> CheckResult:
        """Check that the database has the revision of the newest migration."""
        # Alembic is a seventh of the time in which a worker starts, and only commands need it.
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        scripts = ScriptDirectory(str(self._root / "migrations"))
        known = {script.revision for script in scripts.walk_revisions()}
        try:
            current = self._revisions()
        except sa.exc.SQLAlchemyError as error:
            return _explained(error)
        if current == set(scripts.get_heads()):
            return ok("The schema is the current one.")
        if current - known:
            return self._of_a_later_release()
        if current:
            return fail("The schema is behind: a migration is missing.", _UPGRADE)
        return fail("The database has no tables yet.", _UPGRADE)

    def _of_a_later_release(self) -> CheckResult:
        try:
            with self._connected() as connection:
                check_revision(connection.execution_options(llm_api_reads=True))
        except (sa.exc.SQLAlchemyError, StoreError):
            return fail(
                "The schema is newer than this version of the service.",
                "Install the version that has migrated it.",
            )
        return ok("The schema is of a later version, and works with this one.")

    def _revisions(self) -> set[str]:
        version = sa.table("alembic_version", sa.column("version_num", sa.String))
        with self._connected() as connection:
            connection.execution_options(llm_api_reads=True)
            if not sa.inspect(connection).has_table(version.name):
                return set()
            return set(connection.scalars(sa.select(version.c.version_num)))

    def months(self) -> CheckResult:
        """Check that usage rows in partitions have those of this month and the coming ones."""
        try:
            with self._connected() as connection:
                connection.execution_options(llm_api_reads=True)
                is_postgresql = connection.dialect.name == "postgresql"
                names = partition_names(connection) if is_postgresql else []
        except sa.exc.SQLAlchemyError as error:
            return _explained(error)
        if not names:
            return ok("Usage rows are in one table.")
        if missing := missing_months(names, datetime.now(UTC)):
            return warn(
                f"Usage rows from {missing[0]} on have no partition, and go to {DEFAULT}.",
                f"Run `{COMMAND} db partition` with the user that owns the table.",
            )
        return ok("Usage rows are in partitions by months, and coming months are there.")

    def writable(self) -> CheckResult:
        """Check that a usage row and its sums can be inserted; they are rolled back."""
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


def _encoding(connection: sa.Connection) -> str:
    """Return in which encoding PostgreSQL keeps texts; elsewhere the tables say it themselves."""
    if connection.dialect.name != "postgresql":
        return _ENCODING
    return str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())


def _file_problem(database: str | None) -> CheckResult | None:
    """Check the file of a SQLite database before it is opened, which would create it."""
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
    if not (path.parent.is_dir() or _can_be_made(path.parent)):
        return fail(
            "The folder of the SQLite file is missing and cannot be made.",
            "Make the folder for the service's user, or correct DATABASE_URL.",
        )
    return fail("The SQLite file is not there yet.", _UPGRADE)


def _can_be_made(folder: Path) -> bool:
    """Whether the folder of a database can be made by whoever opens it; it is not made here."""
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


def _explained(error: Exception) -> CheckResult:
    explanation = explain(error)
    return fail(explanation.sentence, explanation.advice)
