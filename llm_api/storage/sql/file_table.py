"""What is known of files, in a SQL database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from llm_api.domain.files import StoredFile
from llm_api.storage.sql.tables import files
from llm_api.storage.sql.transactions import Transactions, aware, naive


class SqlFiles:
    """Keeps properties of files in the table `files`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def add(self, file: StoredFile) -> None:
        """See FileIndex."""
        self._do.write(lambda connection: connection.execute(sa.insert(files), _row(file)))

    def get(self, file_id: str) -> StoredFile | None:
        """See FileIndex."""
        found = self._files(sa.select(files).where(files.c.id == file_id))
        return next(iter(found), None)

    def of_tasks(self, task_ids: Sequence[str]) -> list[StoredFile]:
        """See FileIndex."""
        of_tasks = sa.select(files).where(files.c.task_id.in_(task_ids))
        return self._files(of_tasks.order_by(files.c.number))

    def expired(self, now: datetime, at_most: int) -> list[StoredFile]:
        """See FileIndex."""
        over = sa.select(files).where(files.c.expires_at <= naive(now))
        return self._files(over.order_by(files.c.expires_at).limit(at_most))

    def delete(self, file_id: str) -> None:
        """See FileIndex."""
        of_id = sa.delete(files).where(files.c.id == file_id)
        self._do.write(lambda connection: connection.execute(of_id))

    def _files(self, statement: sa.Select[Any]) -> list[StoredFile]:
        rows = self._do.read(lambda connection: connection.execute(statement).mappings().all())
        return [_file(row) for row in rows]


def _row(file: StoredFile) -> dict[str, Any]:
    row = {name: getattr(file, name) for name in StoredFile.__slots__}
    moments = {"created_at": naive(file.created_at), "expires_at": naive(file.expires_at)}
    return {**row, **moments}


def _file(row: sa.RowMapping) -> StoredFile:
    values = {name: row[name] for name in StoredFile.__slots__}
    moments = {"created_at": aware(row["created_at"]), "expires_at": aware(row["expires_at"])}
    return StoredFile(**{**values, **moments})
