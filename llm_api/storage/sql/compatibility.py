"""Whether a release works with the schema that a database has: with its own, and with later ones.

A migration only adds, wherever it can, so that the release before it goes on while it is run, and
is there to go back to. The table `schema_compatibility` names the oldest schema whose release works
with the present one; a migration that takes something away from releases writes its own number.
"""

import re

import sqlalchemy as sa

from llm_api.runtime.installation import COMMAND
from llm_api.storage import StoreError
from llm_api.storage.sql.tables import REVISION, schema_compatibility

# Alembic's own table.
_VERSION = sa.table("alembic_version", sa.column("version_num"))
_NUMBER = re.compile(r"\d{4}")  # of a migration of ours, which their order is


def check_revision(connection: sa.Connection) -> None:
    """Raise StoreError where the database has a schema that this release does not work with."""
    revisions = _revisions_of(connection)
    if revisions == {REVISION}:
        return
    found = ", ".join(sorted(revisions)) or "none"
    if not _is_later(revisions):
        raise StoreError(
            f"The database has the schema {found}, and this release needs {REVISION};"
            f" run `{COMMAND} db upgrade`."
        )
    oldest = connection.scalar(sa.select(sa.func.max(schema_compatibility.c.oldest)))
    if oldest is None or oldest > REVISION:
        raise StoreError(
            f"The database has the schema {found} of a later release, with which this one"
            f" ({REVISION}) does not work; start that release, or restore the backup from before"
            " its migration."
        )


def has_later_revision(connection: sa.Connection) -> bool:
    """Whether the database has the schema of a later release."""
    return _is_later(_revisions_of(connection))


def _revisions_of(connection: sa.Connection) -> set[str]:
    return set(connection.scalars(sa.select(_VERSION.c.version_num)))


def _is_later(revisions: set[str]) -> bool:
    return len(revisions) == 1 and all(
        _NUMBER.fullmatch(revision) and revision > REVISION for revision in revisions
    )
