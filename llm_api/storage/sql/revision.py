"""Whether a SQLite file has the newest revision of the schema.

Without SQLAlchemy and Alembic, which take half a second of CPU to import: with nothing to migrate,
as at nearly every start, `make run` needs neither before it starts the service.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

_SQLITE = "sqlite:///"
# As migrations/script.py.mako writes them.
_NAMES = re.compile(r"""^(revision|down_revision) = ["'](\w+)["']$""", re.MULTILINE)


def has_newest_revision(url: str, root: Path) -> bool:
    """Whether a database is a SQLite file to which every migration was applied.

    False for every other database, and for a file that cannot be read now: what is wrong with it
    is learned by migrating it. For `url` and `root` see `llm_api.storage.sql.migrate.upgrade`.
    """
    path = sqlite_file(url)
    if path is None or not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return {revision for (revision,) in found} == _newest(root)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a database; None for every other one, and for one with options."""
    path = url.removeprefix(_SQLITE)
    return Path(path) if url.startswith(_SQLITE) and "?" not in path else None


def _newest(root: Path) -> set[str]:
    """Return the revisions that no migration builds on; there is one."""
    names: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for path in (root / "migrations" / "versions").glob("*.py"):
        for kind, revision in _NAMES.findall(path.read_text("utf-8")):
            names[kind].add(revision)
    return names["revision"] - names["down_revision"]
