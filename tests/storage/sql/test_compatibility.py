"""A release works with its own schema and with later ones that say so, and with no other."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.util import CommandError

from llm_api.storage import StoreError
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import REVISION
from llm_api.storage.sql.usage import SqlUsageStore
from tests.conftest import SettingsOf
from tests.storage.changing import change
from tests.storage.checkout import copy_project
from tests.storage.records import ended, stored_rows
from tests.support.commands import run_command
from tests.support.service import REPOSITORY_ROOT

ADDS_A_COLUMN = """
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "REVISION"

def upgrade():
    op.add_column("usage", sa.Column("later", sa.Integer(), nullable=True))
    op.execute("UPDATE schema_compatibility SET oldest = 'OLDEST'")
"""


def later_release(folder: Path, oldest: str) -> Path:
    """Make a project whose newest migration adds a column; `oldest` is what works with it."""
    root = copy_project(folder)
    text = ADDS_A_COLUMN.replace("REVISION", REVISION).replace("OLDEST", oldest)
    (root / "migrations" / "versions" / "later.py").write_text(text)
    return root


def test_a_release_goes_on_with_a_later_schema_that_works_with_it(
    database: str, tmp_path: Path
) -> None:
    store = SqlUsageStore(make_engine(database))
    store.add([ended("req_before")])

    migrate.upgrade(database, later_release(tmp_path / "later", REVISION))
    store.add([ended("req_behind")])
    store.check()
    store.close()

    assert {row["request_id"] for row in stored_rows(database)} == {"req_before", "req_behind"}
    assert "later" in stored_columns(database)


def test_a_later_schema_that_does_not_work_with_a_release_is_told(
    sqlite_database: str, tmp_path: Path
) -> None:
    migrate.upgrade(sqlite_database, later_release(tmp_path / "later", "9001"))
    store = SqlUsageStore(make_engine(sqlite_database))

    with pytest.raises(StoreError, match="9001 of a later release, with which this one") as caught:
        store.check()
    store.close()

    assert "restore the backup" in str(caught.value)


def test_the_migration_of_an_earlier_release_leaves_a_later_schema_alone(
    database: str, settings_of: SettingsOf, tmp_path: Path
) -> None:
    migrate.upgrade(database, later_release(tmp_path / "later", REVISION))
    settings = replace(settings_of({"DATABASE_URL": database}), root=REPOSITORY_ROOT)

    ran = run_command(settings, "db", "upgrade")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "The database has the schema of a later release, which works with this one.\n"
    assert "later" in stored_columns(database)


def test_an_earlier_release_does_not_pass_a_schema_that_it_does_not_work_with(
    sqlite_database: str, settings_of: SettingsOf, tmp_path: Path
) -> None:
    migrate.upgrade(sqlite_database, later_release(tmp_path / "later", "9001"))

    settings = replace(settings_of({"DATABASE_URL": sqlite_database}), root=REPOSITORY_ROOT)

    ran = run_command(settings, "db", "upgrade")

    assert ran.status == 1
    assert "does not work" in ran.err


def test_broken_migrations_are_no_later_release(sqlite_database: str, tmp_path: Path) -> None:
    root = copy_project(tmp_path / "project")
    for name in ("one", "two"):
        text = f'revision = "{name}"\ndown_revision = "{REVISION}"\n'
        (root / "migrations" / "versions" / f"{name}.py").write_text(text)

    with pytest.raises(CommandError):
        migrate.upgrade(sqlite_database, root)


@pytest.mark.parametrize("revision", ["later", "half", "1", "0001"])
def test_what_is_no_later_number_is_no_later_release(sqlite_database: str, revision: str) -> None:
    version = sa.table("alembic_version", sa.column("version_num"))
    change(sqlite_database, [sa.update(version).values(version_num=revision)])
    store = SqlUsageStore(make_engine(sqlite_database))

    with pytest.raises(StoreError, match="run `flask --app wsgi db upgrade`"):
        store.check()
    store.close()


def stored_columns(url: str) -> set[str]:
    """Return the columns of the calls."""
    inspector = sa.inspect(sa.create_engine(url, poolclass=sa.NullPool))
    return {column["name"] for column in inspector.get_columns("usage")}


def test_the_newest_migration_says_what_works_with_it(sqlite_database: str) -> None:
    engine = sa.create_engine(sqlite_database, poolclass=sa.NullPool)

    with engine.connect() as connection:
        oldest = connection.scalar(sa.text("SELECT oldest FROM schema_compatibility"))

    assert oldest is not None
    assert oldest <= REVISION
    assert len([*(REPOSITORY_ROOT / "migrations" / "versions").glob(f"{oldest}_*.py")]) == 1
