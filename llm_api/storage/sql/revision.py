"""The revision of the schema, and whether a SQLite file has it.

Without SQLAlchemy and Alembic, which take half a second of CPU to import: with nothing to migrate,
as at nearly every start, `make run` needs neither before it starts the service.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

# The migration that creates the schema of `tables`.
REVISION = "0006"
_SQLITE = "sqlite:///"


def has_current_schema(url: str) -> bool:
    """Whether a database is a SQLite file of this revision.

    False for every other database (see DATABASE_URL in `llm_api.settings.definitions`), and for a
    file that cannot be read now: what is wrong with it is learned by migrating it.
    """
    path = url.removeprefix(_SQLITE)
    if not url.startswith(_SQLITE) or "?" in path or not Path(path).is_file():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return found == [(REVISION,)]
