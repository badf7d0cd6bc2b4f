"""Gives databases the schema: a SQLite file as a copy of one that was migrated before."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from llm_api.settings.settings import PROJECT_ROOT
from llm_api.storage.sql import migrate


def give_schema(url: str) -> None:
    """Bring a database to the current schema.

    A SQLite file that does not exist yet becomes a copy of a migrated one, in a thousandth of the
    time of `flask db upgrade`; every other database is migrated in this process.
    """
    path = _sqlite_file(url)
    if path is None or path.exists():
        migrate.upgrade(url, PROJECT_ROOT)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_migrated_file())


def _sqlite_file(url: str) -> Path | None:
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database or parts.query:
        return None
    return Path(parts.database)


@cache
def _migrated_file() -> bytes:
    """Migrate a file once in each process, and return its content."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{path}", PROJECT_ROOT)
        assert list(path.parent.iterdir()) == [path], "a copy would lack the write-ahead log"
        return path.read_bytes()
