"""Changes of a database past the stores."""

from collections.abc import Sequence

import sqlalchemy as sa

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import metadata


def empty_tables(url: str) -> None:
    """Remove all rows and sums."""
    change(url, [sa.delete(table) for table in metadata.sorted_tables])


def change(url: str, statements: Sequence[sa.Executable]) -> None:
    """Run statements in one transaction."""
    engine = make_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()
