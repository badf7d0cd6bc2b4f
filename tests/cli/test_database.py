"""`python -m llm_api.cli.database`, which `make run` runs, and `flask --app wsgi db upgrade`."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from llm_api.cli.actors import command_line_actor
from llm_api.storage.sql import migrate
from llm_api.storage.sql.revision import has_newest_revision
from llm_api.storage.sql.tables import REVISION
from tests.storage.checkout import copy_project
from tests.support.schema import give_schema
from tests.support.service import REPOSITORY_ROOT

QUICK = ("-m", "llm_api.cli.database")
FLASK = ("-m", "flask", "--app", "wsgi", "db", "upgrade")
RUN = "import sys; from llm_api.cli.database import main; main(standalone_mode=False)"
IMPORTS = ("-c", f"{RUN}; print(*sys.modules)")
Ran = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "a.db"


@pytest.fixture
def url(path: Path) -> str:
    """Name it as DATABASE_URL does."""
    return f"sqlite:///{path}"


@pytest.fixture
def run(url: str) -> Ran:
    """Run a program of the service on the database."""

    def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY_ROOT,
            env={"DATABASE_URL": url, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def revision(path: Path) -> str:
    """Read the revision of a database."""
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found)


@pytest.mark.parametrize("program", [QUICK, FLASK])
def test_a_new_database_gets_the_schema(run: Ran, path: Path, program: tuple[str, ...]) -> None:
    ran = run(*program)

    assert (ran.returncode, ran.stdout) == (0, "The database has the current schema.\n")
    assert revision(path) == REVISION


@pytest.mark.parametrize("program", [QUICK, FLASK])
def test_an_old_database_is_migrated(
    run: Ran, path: Path, url: str, program: tuple[str, ...]
) -> None:
    give_schema(url)
    migrate.downgrade(url, REPOSITORY_ROOT, "0003")

    ran = run(*program)

    assert (ran.returncode, ran.stdout) == (0, "The database has the current schema.\n")
    assert revision(path) == REVISION
    with closing(sqlite3.connect(path)) as connection:
        (act,) = connection.execute("SELECT act, actor, state_before FROM audit")
    assert act == ("schema.upgrade", command_line_actor().id, '{"revision":"0003"}')


def test_nothing_is_imported_where_nothing_is_to_be_migrated(run: Ran, url: str) -> None:
    give_schema(url)

    ran = run(*IMPORTS)

    modules = ran.stdout.splitlines()[-1].split()
    assert "llm_api.storage.sql.revision" in modules
    assert not {"flask", "sqlalchemy", "alembic"} & set(modules)


def test_a_database_that_cannot_be_used_is_told(run: Ran) -> None:
    ran = run(*QUICK, DATABASE_URL="sqlite:////proc/a.db")

    assert ran.returncode == 1
    assert ran.stderr == "Error: The SQLite file cannot be opened.\n"


def test_wrong_settings_are_told(run: Ran) -> None:
    ran = run(*QUICK, DATABASE_URL="oracle://h")

    assert ran.returncode == 1
    assert "DATABASE_URL must be" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_is_no_database_is_left_to_the_migration(url: str, path: Path) -> None:
    path.write_text("no database")

    assert not has_newest_revision(url, REPOSITORY_ROOT)


def test_a_locked_database_is_left_to_the_migration(url: str, path: Path) -> None:
    give_schema(url)

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        is_current = has_newest_revision(url, REPOSITORY_ROOT)

    assert not is_current
    assert has_newest_revision(url, REPOSITORY_ROOT)


def test_a_migration_that_was_added_is_seen(url: str, tmp_path: Path) -> None:
    give_schema(url)
    root = copy_project(tmp_path / "project")
    was_newest = has_newest_revision(url, root)

    added = root / "migrations" / "versions" / "added.py"
    added.write_text(f'revision = "added"\ndown_revision = "{REVISION}"\n')

    assert was_newest
    assert not has_newest_revision(url, root)


def test_a_file_is_not_made_by_looking_at_it(url: str, path: Path) -> None:
    assert not has_newest_revision(url, REPOSITORY_ROOT)
    assert not path.exists()


@pytest.mark.parametrize(
    "form", ["sqlite:///{}?timeout=1", "postgresql://{}", "sqlite:///:memory:{}"]
)
def test_only_plain_files_are_looked_at(url: str, path: Path, form: str) -> None:
    give_schema(url)

    assert has_newest_revision(url, REPOSITORY_ROOT)
    assert not has_newest_revision(form.format(path), REPOSITORY_ROOT)
