"""Builds the stores from the settings, and what works on them in the background."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from llm_api.services.file_retention import FileRetention
from llm_api.services.files import FileService
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage import FileIndex, KeyStore, StoreError, UsageStore
from llm_api.storage.factory import (
    WorkStores,
    open_file_store,
    open_key_store,
    open_store,
    open_work_stores,
)
from llm_api.storage.retention import RetentionJob
from llm_api.storage.spool.spool import Spool
from llm_api.storage.threads import StoreThreads

_ROW_THREADS, _BYTE_THREADS = 4, 8
# A writer may wait 5 s for the others' locks on a SQLite file.
_ROW_TIMEOUT_S = 8.0
# A large picture on its way to a store far away.
_BYTE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Where things are kept, and what works on them in the background."""

    usage: UsageStore
    keys: KeyStore
    spool: Spool
    retention: RetentionJob
    work: WorkStores
    files: FileService
    file_retention: FileRetention


def build_stores(settings: Settings) -> Stores:
    """Build the stores that the settings name; raises SettingsError."""
    folder = settings.root / "instance"
    try:
        usage = open_store(settings.database_url, settings.usage_store, folder)
        keys = open_key_store(settings.database_url)
        work = open_work_stores(settings.database_url)
        files = _file_service(settings, work.files)
    except StoreError as error:
        raise SettingsError([str(error)]) from error
    spool_folder = _spool_folder(settings)
    threads = StoreThreads(2)  # one each; without a time-out, because no client waits
    return Stores(
        usage=usage,
        keys=keys,
        spool=Spool(spool_folder, usage, threads, refuses=settings.refuse_unrecorded_calls),
        retention=RetentionJob(spool_folder, usage, threads, settings.usage_retention_days),
        work=work,
        files=files,
        file_retention=FileRetention(work.tasks, files, StoreThreads(1)),
    )


def _file_service(settings: Settings, index: FileIndex) -> FileService:
    plan = settings.files
    return FileService(
        index,
        open_file_store(plan),
        timedelta(days=plan.retention_days),
        row_threads=StoreThreads(_ROW_THREADS, _ROW_TIMEOUT_S),
        byte_threads=StoreThreads(_BYTE_THREADS, _BYTE_TIMEOUT_S),
    )


def _spool_folder(settings: Settings) -> Path:
    """Return the folder for the rows of one store, so that no other store adopts them."""
    address = urlsplit(settings.database_url)
    sql = f"{address.username}@{address.hostname}:{address.port}{address.path}"
    place = settings.usage_store or sql
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    return settings.root / "instance" / "spool" / name
