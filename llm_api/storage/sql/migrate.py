"""Migrates a database, with the migrations in `migrations/`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from llm_api.domain.audit import Actor
from llm_api.storage import StoreError
from llm_api.storage.sql.compatibility import check_revision, has_later_revision
from llm_api.storage.sql.engine import READS, make_engine
from llm_api.storage.sql.errors import what_failed


def upgrade(url: str, root: Path, by: Actor | None = None) -> bool:
    """Apply every missing migration; several processes may do so at once.

    Returns False where the database has the schema of a later release, with which this one works:
    it stays as it is.

    Args:
        url: see DATABASE_URL in `llm_api.settings.definitions`.
        root: folder of the installation, with `migrations/`.
        by: who does it, for the audit; None records nothing.

    Raises:
        StoreError: the database failed, or has a schema that this release does not work with;
            except on MySQL and MariaDB nothing was changed.
    """
    try:
        config = _config(url, root)
        config.attributes["by"] = by
        command.upgrade(config, "head")
    except CommandError:
        if not _works_with_later(url):
            raise
        return False
    except SQLAlchemyError as error:
        raise StoreError(what_failed(error)) from error
    return True


def _works_with_later(url: str) -> bool:
    """Whether the database has a later release's schema; StoreError where this one does not fit."""
    engine = make_engine(url)
    try:
        with engine.connect().execution_options(**READS) as connection:
            check_revision(connection)
            return has_later_revision(connection)
    except SQLAlchemyError as error:
        raise StoreError(what_failed(error)) from error
    finally:
        engine.dispose()


def downgrade(url: str, root: Path, revision: str) -> None:
    """Go back to a revision, such as `0002`; `base` is the empty database.

    Columns and tables of later revisions are lost. For url and root see `upgrade`.
    """
    command.downgrade(_config(url, root), revision)


def _config(url: str, root: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(root / "migrations").replace("%", "%%"))
    # As an attribute and not an option: options are interpolated, and passwords may hold a %.
    config.attributes["url"] = url
    return config
