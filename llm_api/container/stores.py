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

_WORK_THREADS, _BYTE_THREADS = 6, 8
# A writer may wait 5 s for the others' locks on a SQLite file.
_WORK_TIMEOUT_S = 8.0
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
    work_threads: StoreThreads
    files: FileService
    file_retention: FileRetention


def build_stores(settings: Settings) -> Stores:
    """Build the stores that the settings name; raises SettingsError."""
    folder = settings.root / "instance"
    try:
        usage = open_store(settings.database_url, settings.usage_store, folder)
        keys = open_key_store(settings.database_url)
        work = open_work_stores(settings.database_url)
        # Of all that works on tasks and files: an idle worker then has one of them.
        work_threads = StoreThreads(_WORK_THREADS, _WORK_TIMEOUT_S)
        files = _file_service(settings, work.files, work_threads)
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
        work_threads=work_threads,
        files=files,
        file_retention=FileRetention(work.tasks, files, work_threads),
    )


def _file_service(settings: Settings, index: FileIndex, rows: StoreThreads) -> FileService:
    plan = settings.files
    return FileService(
        index,
        open_file_store(plan),
        timedelta(days=plan.retention_days),
        row_threads=rows,
        byte_threads=StoreThreads(_BYTE_THREADS, _BYTE_TIMEOUT_S),
    )


def _spool_folder(settings: Settings) -> Path:
    """Return the folder for the rows of one store, so that no other store adopts them."""
    address = urlsplit(settings.database_url)
    sql = f"{address.username}@{address.hostname}:{address.port}{address.path}"
    place = settings.usage_store or sql
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    return settings.root / "instance" / "spool" / name
