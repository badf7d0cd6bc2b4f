"""Migrates a database, with the migrations in `migrations/`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from llm_api.storage import StoreError
from llm_api.storage.sql.errors import what_failed


def upgrade(url: str, root: Path) -> None:
    """Apply every missing migration; several processes may do so at once.

    Args:
        url: see DATABASE_URL in `llm_api.settings.definitions`.
        root: folder of the installation, with `migrations/`.

    Raises:
        StoreError: the database failed; except on MySQL and MariaDB nothing was changed.
    """
    try:
        command.upgrade(_config(url, root), "head")
    except SQLAlchemyError as error:
        raise StoreError(what_failed(error)) from error


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
