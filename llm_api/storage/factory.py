"""Opens the stores of an installation."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from llm_api.domain.files import FilesPlan
from llm_api.storage import (
    FileIndex,
    FileStore,
    LineageStore,
    StoreError,
    TaskStore,
    UsageStore,
)
from llm_api.storage.audit_store import AuditStore
from llm_api.storage.budget_store import BudgetStore
from llm_api.storage.files.folder import FolderFiles
from llm_api.storage.group_store import GroupStore
from llm_api.storage.item_memory import MemoryItems
from llm_api.storage.kept_items import ItemStore
from llm_api.storage.key_store import KeyStore
from llm_api.storage.redis import is_shared
from llm_api.storage.redis.shared_items import RedisItems
from llm_api.storage.redis.shared_keys import RedisKeys
from llm_api.storage.retention import Months
from llm_api.storage.session_store import SessionStore
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.file_table import SqlFiles
from llm_api.storage.sql.group_table import SqlGroups
from llm_api.storage.sql.keys import SqlKeyStore
from llm_api.storage.sql.lineage_table import SqlLineages
from llm_api.storage.sql.replica import SqlReplica
from llm_api.storage.sql.rewrite_table import SqlRewrites
from llm_api.storage.sql.session_table import SqlSessions
from llm_api.storage.sql.task_table import SqlTasks
from llm_api.storage.sql.usage import SqlUsageStore


@dataclass(frozen=True, slots=True)
class WorkStores:
    """Where tasks are kept, their files and lineages, rewrites, the audit, groups and sessions.

    `close` closes all connections.
    """

    tasks: TaskStore
    files: FileIndex
    lineages: LineageStore
    rewrites: SqlRewrites
    audit: AuditStore
    groups: GroupStore
    sessions: SessionStore
    close: Callable[[], None]


def open_store(database_url: str, foreign: str | None, folder: Path) -> UsageStore:
    """Open the usage store of an installation.

    Args:
        database_url: SQL database; see DATABASE_URL in `llm_api.settings.definitions`.
        foreign: clickhouse:// or clickhouses://, or `package.module:function` of another store,
            whose function is called with `folder`; None: SQL.
        folder: where the installation keeps files, INSTANCE_DIR.

    Raises:
        StoreError: the URL or the name cannot be used. A database that is down is no error here.
    """
    if foreign is None:
        return SqlUsageStore(make_engine(database_url))
    if "://" in foreign:
        return _open_clickhouse(foreign)
    module, _, name = foreign.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StoreError(f"USAGE_STORE names {foreign}, which cannot be imported.") from error
    return cast("UsageStore", make(folder))


def _open_clickhouse(url: str) -> UsageStore:
    try:
        from llm_api.storage.clickhouse.calls import ClickHouseUsage, connect  # noqa: PLC0415  # only for those who have one
    except ImportError as error:
        raise StoreError(
            "USAGE_STORE names ClickHouse, and the packages of requirements/clickhouse.txt are not"
            " installed. `make clickhouse` installs them."
        ) from error
    return ClickHouseUsage(partial(connect, url))


def budgets_of(store: UsageStore) -> BudgetStore | None:
    """Return the budgets beside a usage store, which settles them; None where it is not SQL."""
    return SqlBudgets(store.engine) if isinstance(store, SqlUsageStore) else None


def open_replica(database_url: str | None) -> SqlReplica | None:
    """Open a replica of the database of `open_store`; raises StoreError for an unusable URL."""
    return None if database_url is None else SqlReplica(make_engine(database_url))


def months_of(store: UsageStore) -> Months | None:
    """Return the partitions that a usage store may have; None where it is not on PostgreSQL."""
    if not isinstance(store, SqlUsageStore) or store.engine.dialect.name != "postgresql":
        return None
    from llm_api.storage.sql.months import UsageMonths  # noqa: PLC0415  # no other worker's business

    return UsageMonths(store.engine)


def open_key_store(database_url: str) -> KeyStore:
    """Open the key store, which is always SQL; raises StoreError for an unusable URL."""
    return SqlKeyStore(make_engine(database_url))


def open_work_stores(database_url: str) -> WorkStores:
    """Open the stores of work in SQL, which share connections.

    Raises StoreError for a wrong URL.
    """
    engine = make_engine(database_url)
    return WorkStores(
        SqlTasks(engine),
        SqlFiles(engine),
        SqlLineages(engine),
        SqlRewrites(engine),
        SqlAudit(engine),
        SqlGroups(engine),
        SqlSessions(engine),
        engine.dispose,
    )


def open_shared_keys(storage_uri: str, keep_s: float) -> RedisKeys | None:
    """Open what shares keys between processes for `keep_s` seconds; None where there is no Redis.

    `storage_uri` is RATELIMIT_STORAGE_URI.
    """
    return RedisKeys(storage_uri, keep_s) if is_shared(storage_uri) else None


def open_items(storage_uri: str) -> ItemStore:
    """Open what keeps items of answers: in Redis, or in memory where there is none."""
    return RedisItems(storage_uri) if is_shared(storage_uri) else MemoryItems()


def open_file_store(plan: FilesPlan) -> FileStore:
    """Open where files are kept; raises StoreError for an address that cannot be used."""
    if plan.url.startswith("file:"):
        return FolderFiles(Path(unquote(urlsplit(plan.url).path)))
    from llm_api.storage.files.s3 import S3Files  # noqa: PLC0415  # 7 MiB of every worker

    return S3Files(plan)
