"""Groups of API keys in a SQL database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.access import Budget, KeyGroup, Limits
from llm_api.domain.audit import AdminAct
from llm_api.storage import StoreError
from llm_api.storage.group_store import GroupChange, GroupInUseError, NameTakenError
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.tables import api_keys, key_groups
from llm_api.storage.sql.transactions import Transactions, aware, naive

_LIMITS = {field.name for field in fields(Limits)}


class SqlGroups:
    """Keeps groups in the table `key_groups`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def add(self, group: KeyGroup, act: AdminAct) -> None:
        """See GroupStore."""

        def add(connection: Connection) -> None:
            _require_free(connection, group)
            connection.execute(sa.insert(key_groups), _row(group))
            add_act(connection, act)

        with _unique_names():
            self._do.write(add)

    def get(self, group_id: str) -> KeyGroup | None:
        """See GroupStore."""
        wanted = sa.select(key_groups).where(key_groups.c.id == group_id)
        row = self._do.read(lambda connection: connection.execute(wanted).mappings().first())
        return None if row is None else group_of(row)

    def all(self) -> list[KeyGroup]:
        """See GroupStore."""
        wanted = sa.select(key_groups).order_by(key_groups.c.name)
        return self._do.read(
            lambda connection: [group_of(row) for row in connection.execute(wanted).mappings()]
        )

    def key_ids(self, group_id: str) -> list[str]:
        """See GroupStore."""
        return self._do.read(lambda connection: _keys_in(connection, group_id))

    def change(self, group_id: str, change: GroupChange) -> KeyGroup | None:
        """See GroupStore."""

        def alter(connection: Connection) -> KeyGroup | None:
            if (before := locked_group(connection, group_id)) is None:
                return None
            after = change.alter(before)
            if after != before:
                _require_free(connection, after)
                changed = sa.update(key_groups).where(key_groups.c.id == group_id)
                connection.execute(changed, _row(after))
                add_act(connection, change.record(before, after))
            return after

        with _unique_names():
            return self._do.write(alter)

    def delete(self, group_id: str, record: Callable[[KeyGroup], AdminAct]) -> KeyGroup | None:
        """See GroupStore."""

        def delete(connection: Connection) -> KeyGroup | None:
            # A key that joins at the same time waits for the lock, and then finds no group.
            if (group := locked_group(connection, group_id)) is None:
                return None
            if key_ids := _keys_in(connection, group_id):
                raise GroupInUseError(key_ids)
            connection.execute(sa.delete(key_groups).where(key_groups.c.id == group_id))
            add_act(connection, record(group))
            return group

        return self._do.write(delete)


@contextmanager
def _unique_names() -> Iterator[None]:
    """Let the block take names: of two that take one at the same time the database refuses one."""
    try:
        yield
    except StoreError as error:
        if isinstance(error.__cause__, sa.exc.IntegrityError):
            raise NameTakenError from error
        raise


def _require_free(connection: Connection, group: KeyGroup) -> None:
    """Raise NameTakenError where another group has its name."""
    columns = key_groups.c
    others = sa.select(columns.id).where(columns.name == group.name, columns.id != group.id)
    if connection.scalar(others) is not None:
        raise NameTakenError


def locked_group(connection: Connection, group_id: str) -> KeyGroup | None:
    """Return a group that nobody else can change or delete until the transaction ends."""
    wanted = sa.select(key_groups).where(key_groups.c.id == group_id).with_for_update()
    row = connection.execute(wanted).mappings().first()
    return None if row is None else group_of(row)


def _keys_in(connection: Connection, group_id: str) -> list[str]:
    in_it = api_keys.c.group_id == group_id, api_keys.c.deleted_at.is_(None)
    return list(connection.scalars(sa.select(api_keys.c.id).where(*in_it).order_by(api_keys.c.id)))


def _row(group: KeyGroup) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "created_at": naive(group.created_at),
        "limits": asdict(group.limits),
        "budgets": [asdict(budget) for budget in group.budgets],
    }


def group_of(row: sa.RowMapping, prefix: str = "") -> KeyGroup:
    """Return the group of a row, whose columns may have a prefix."""
    limits = row[f"{prefix}limits"]
    return KeyGroup(
        id=row[f"{prefix}id"],
        name=row[f"{prefix}name"],
        created_at=aware(row[f"{prefix}created_at"]),
        # A later release may have written limits that are unknown here.
        limits=Limits(**{name: limits[name] for name in _LIMITS & limits.keys()}),
        budgets=tuple(Budget(**budget) for budget in row[f"{prefix}budgets"]),
    )
