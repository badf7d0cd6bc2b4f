"""API keys in a SQL database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.access import ApiKey, Budget, KeyName, Limits
from llm_api.domain.audit import AdminAct
from llm_api.storage import StoreError
from llm_api.storage.key_store import KeyChange, Record
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.compatibility import check_revision
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.group_table import group_of, locked_group
from llm_api.storage.sql.session_table import end_sessions_of
from llm_api.storage.sql.tables import api_key_secrets, api_keys, key_groups

_LIMITS = {field.name for field in fields(Limits)}
_OF_GROUP = "of_group_"  # before the names of columns of a key's group
_WITH_GROUP = sa.select(
    api_keys, *(column.label(f"{_OF_GROUP}{column.name}") for column in key_groups.columns)
).outerjoin(key_groups, key_groups.c.id == api_keys.c.group_id)


class SqlKeyStore:
    """Keeps keys in the tables `api_keys` and `api_key_secrets`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._engine = engine

    def add(self, key: ApiKey, digest: str, act: AdminAct) -> None:
        """See KeyStore."""
        with self._writing() as connection:
            _require_group(connection, key)
            connection.execute(sa.insert(api_keys), _row(key))
            _add_secret(connection, key.id, digest, key.created_at)
            add_act(connection, act)

    def find(self, digest: str, at: datetime) -> ApiKey | None:
        """See KeyStore."""
        ends = api_key_secrets.c.expires_at, api_keys.c.expires_at
        # Expired keys are not even read: the time that takes would distinguish them from unknown
        # ones.
        row = self._first(
            _WITH_GROUP.add_columns(ends[0].label("ends_at"))
            .join(api_key_secrets, api_key_secrets.c.key_id == api_keys.c.id)
            .where(api_key_secrets.c.digest == digest, api_keys.c.disabled_at.is_(None))
            .where(*(end.is_(None) | (end > _naive(at)) for end in ends))
        )
        if row is None:
            return None
        key = _key(row)
        moments = [moment for moment in (key.expires_at, _in_utc(row["ends_at"])) if moment]
        return replace(key, expires_at=min(moments, default=None))

    def get(self, key_id: str) -> ApiKey | None:
        """See KeyStore."""
        row = self._first(_that_is_there(key_id))
        return None if row is None else _key(row)

    def all(self) -> list[ApiKey]:
        """See KeyStore."""
        there = _WITH_GROUP.where(api_keys.c.deleted_at.is_(None))
        statement = there.order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        with self._reading() as connection:
            return [_key(row) for row in connection.execute(statement).mappings()]

    def names(self) -> dict[str, KeyName]:
        """See KeyStore."""
        statement = sa.select(api_keys.c.id, api_keys.c.name, api_keys.c.deleted_at)
        with self._reading() as connection:
            return {
                key_id: KeyName(name, deleted_at is not None)
                for key_id, name, deleted_at in connection.execute(statement)
            }

    def change(self, key_id: str, change: KeyChange) -> ApiKey | None:
        """See KeyStore."""
        with self._writing() as connection:
            before = _locked(connection, key_id)
            if before is None:
                return None
            after = change.alter(before)
            if after != before:
                _require_group(connection, after)
                row = _row(after)
                del row["created_at"]
                connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id), row)
                if after.disabled_at is not None:
                    end_sessions_of(connection, key_id)
                add_act(connection, change.record(before, after))
            return after

    def rotate(
        self, key_id: str, digest: str, *, at: datetime, until: datetime, record: Record
    ) -> ApiKey | None:
        """See KeyStore."""
        secrets = api_key_secrets.c
        ends_later = secrets.expires_at.is_(None) | (secrets.expires_at > _naive(until))
        with self._writing() as connection:
            key = _locked(connection, key_id)
            if key is None:
                return None
            older = sa.update(api_key_secrets).where(secrets.key_id == key_id, ends_later)
            connection.execute(older.values(expires_at=_naive(until)))
            _add_secret(connection, key_id, digest, at)
            end_sessions_of(connection, key_id)
            add_act(connection, record(key))
            return key

    def delete(self, key_id: str, at: datetime, record: Record) -> ApiKey | None:
        """See KeyStore."""
        of_id = api_keys.c.id == key_id
        # Disabled, too: a release that goes back to the schema before must not see it as in use.
        disabled_at = sa.func.coalesce(api_keys.c.disabled_at, _naive(at))
        with self._writing() as connection:
            key = _locked(connection, key_id)
            if key is None:
                return None
            connection.execute(sa.delete(api_key_secrets).where(api_key_secrets.c.key_id == key_id))
            end_sessions_of(connection, key_id)
            gone = sa.update(api_keys).where(of_id)
            connection.execute(gone.values(deleted_at=_naive(at), disabled_at=disabled_at))
            add_act(connection, record(key))
            return key

    def check(self) -> None:
        """See KeyStore."""
        with self._reading() as connection:
            check_revision(connection)

    def close(self) -> None:
        """See KeyStore."""
        self._engine.dispose()

    def _first(self, statement: sa.Select[Any]) -> sa.RowMapping | None:
        with self._reading() as connection:
            return connection.execute(statement).mappings().first()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(**READS) as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error


def _that_is_there(key_id: str) -> sa.Select[Any]:
    return _WITH_GROUP.where(api_keys.c.id == key_id, api_keys.c.deleted_at.is_(None))


def _locked(connection: Connection, key_id: str) -> ApiKey | None:
    """Return a key that nobody else can change until the transaction ends."""
    # PostgreSQL locks no row that an outer join may lack.
    statement = _that_is_there(key_id).with_for_update(of=api_keys)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _key(row)


def _require_group(connection: Connection, key: ApiKey) -> None:
    """Keep the group of a key from being deleted meanwhile; raises StoreError if it was."""
    if key.group is not None and locked_group(connection, key.group.id) is None:
        raise StoreError("The group was deleted meanwhile.")


def _add_secret(connection: Connection, key_id: str, digest: str, at: datetime | None) -> None:
    row = {"digest": digest, "key_id": key_id, "created_at": _naive(at), "expires_at": None}
    connection.execute(sa.insert(api_key_secrets), row)


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "created_at": _naive(key.created_at),
        "expires_at": _naive(key.expires_at),
        "disabled_at": _naive(key.disabled_at),
        "is_admin": key.is_admin,
        "models": None if key.models is None else list(key.models),
        "routes": None if key.routes is None else list(key.routes),
        "limits": asdict(key.limits),
        "budgets": [asdict(budget) for budget in key.budgets],
        "tags": ",".join(key.tags),
        "group_id": key.group_id,
    }


def _key(row: sa.RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        created_at=_in_utc(row["created_at"]),
        expires_at=_in_utc(row["expires_at"]),
        disabled_at=_in_utc(row["disabled_at"]),
        is_admin=row["is_admin"],
        models=_texts(row["models"]),
        routes=_texts(row["routes"]),
        # A later release may have written limits that are unknown here.
        limits=Limits(**{name: row["limits"][name] for name in _LIMITS & row["limits"].keys()}),
        budgets=tuple(Budget(**budget) for budget in row["budgets"]),
        tags=tuple(tag for tag in row["tags"].split(",") if tag),
        group=None if row[f"{_OF_GROUP}id"] is None else group_of(row, _OF_GROUP),
    )


def _texts(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _naive(moment: datetime | None) -> datetime | None:
    # The columns are in UTC.
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
