"""Builds the stores from the settings, and what works on them in the background."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from llm_api.container.counting import build_spool
from llm_api.domain.lineage import LineageEvent
from llm_api.observability.metrics import Metrics
from llm_api.services.file_retention import FileRetention
from llm_api.services.files import FileService
from llm_api.services.lineage.lineage_reports import LearningReports
from llm_api.services.lineage.lineage_service import Keeping, LineageService, LineageStores
from llm_api.services.usage.lineage_counts import count_event
from llm_api.services.usage.metered_sink import MeteredSink
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage import FileIndex, LineageStore, StoreError, UsageStore
from llm_api.storage.factory import (
    WorkStores,
    months_of,
    open_file_store,
    open_items,
    open_key_store,
    open_replica,
    open_store,
    open_work_stores,
)
from llm_api.storage.kept_items import ItemStore
from llm_api.storage.key_store import KeyStore
from llm_api.storage.reads import Reads
from llm_api.storage.retention import RetentionJob
from llm_api.storage.spool.event_spool import EventSpool
from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql.replica import SqlReplica
from llm_api.storage.threads import StoreThreads

_WORK_THREADS, _BYTE_THREADS = 6, 8
# A writer may wait 5 s for the others' locks on a SQLite file.
_WORK_TIMEOUT_S = 8.0
# A large picture on its way to a store far away.
_BYTE_TIMEOUT_S = 120.0
# A million events, which are read page by page.
_REPORT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Where things are kept, what works on them in the background, and what counts them.

    Usage rows go to `sink`, which counts their calls and hands them on to `spool`.
    """

    metrics: Metrics
    sink: MeteredSink
    usage: UsageStore
    keys: KeyStore
    spool: Spool
    spool_folder: Path
    retention: RetentionJob
    work: WorkStores
    work_threads: StoreThreads
    replica: SqlReplica | None
    files: FileService
    file_retention: FileRetention
    lineage: LineageService
    lineage_spool: EventSpool
    items: ItemStore


def build_stores(settings: Settings) -> Stores:
    """Build the stores that the settings name; raises SettingsError."""
    folder, metrics = settings.instance, Metrics()
    try:
        usage = open_store(settings.database_url, settings.usage_store, folder)
        keys = open_key_store(settings.database_url)
        work = open_work_stores(settings.database_url)
        replica = open_replica(settings.reports_database_url)
        # Of all that works on tasks and files: an idle worker then has one of them.
        work_threads = StoreThreads(_WORK_THREADS, _WORK_TIMEOUT_S)
        files = _file_service(settings, work.files, work_threads)
    except StoreError as error:
        raise SettingsError([str(error)]) from error
    spool_folder = _spool_folder(settings)
    threads = StoreThreads(2)  # one each; without a time-out, because no client waits
    events = EventSpool(_event_folder(settings), work.lineages, threads)
    stored = LineageStores(work.lineages, work.tasks, files, work_threads)
    reads = _lineage_reads(work.lineages, replica)
    lineage = _lineage(settings, stored, events, reads, count=partial(count_event, metrics))
    spool, sink = build_spool(settings, spool_folder, usage, threads, metrics)
    return Stores(
        metrics=metrics,
        sink=sink,
        usage=usage,
        keys=keys,
        spool=spool,
        spool_folder=spool_folder,
        retention=_retention(settings, spool_folder, usage, threads),
        work=work,
        work_threads=work_threads,
        replica=replica,
        files=files,
        file_retention=_file_retention(settings, lineage, work, work_threads, files),
        lineage=lineage,
        lineage_spool=events,
        items=open_items(settings.ratelimit_storage_uri),
    )


def _retention(
    settings: Settings, folder: Path, usage: UsageStore, threads: StoreThreads
) -> RetentionJob:
    days = settings.usage_retention_days
    return RetentionJob(folder, usage, threads, days, months=months_of(usage))


def _file_retention(
    settings: Settings,
    lineage: LineageService,
    work: WorkStores,
    threads: StoreThreads,
    files: FileService,
) -> FileRetention:
    forget = _forgetting(settings, lineage, work, threads)
    return FileRetention(work.tasks, files, threads, forget=forget)


def _forgetting(
    settings: Settings, lineage: LineageService, work: WorkStores, threads: StoreThreads
) -> Callable[[int], int]:
    """Return what deletes some of what is kept of lineages, rewrites, admins' acts and sessions."""
    days = settings.audit_retention_days

    def forget(at_most: int) -> int:
        now = datetime.now(UTC)
        count = lineage.forget(at_most) + threads.run(partial(work.rewrites.prune, now, at_most))
        if days:
            before = now - timedelta(days=days)
            count += threads.run(partial(work.audit.prune, before, at_most))
        return count + threads.run(partial(work.sessions.prune, now, at_most))

    return forget


def _file_service(settings: Settings, index: FileIndex, rows: StoreThreads) -> FileService:
    plan = settings.files
    return FileService(
        index,
        open_file_store(plan),
        timedelta(days=plan.retention_days),
        row_threads=rows,
        byte_threads=StoreThreads(_BYTE_THREADS, _BYTE_TIMEOUT_S),
    )


def _lineage(
    settings: Settings,
    stores: LineageStores,
    events: EventSpool,
    reads: Reads[LineageStore],
    *,
    count: Callable[[LineageEvent], None],
) -> LineageService:
    days = settings.usage_retention_days
    plan = Keeping(
        keeps_texts=settings.lineage.keeps_texts,
        keep=timedelta(days=days) if days else None,
        keep_texts=timedelta(days=settings.files.retention_days),
    )
    return LineageService(stores, events, plan, LearningReports(reads), count=count)


def _lineage_reads(store: LineageStore, replica: SqlReplica | None) -> Reads[LineageStore]:
    of_replica = None
    if replica is not None:
        of_replica = replica.lineages, replica.link_of(StoreThreads(1, _REPORT_TIMEOUT_S))
    return Reads(store, StoreThreads(1, _REPORT_TIMEOUT_S), of_replica)


def _spool_folder(settings: Settings) -> Path:
    """Return the folder for the rows of one store, so that no other store adopts them."""
    place = settings.usage_store or settings.database_url
    return settings.instance / "spool" / _name_of(_address_of(place) if "://" in place else place)


def _event_folder(settings: Settings) -> Path:
    """Return the folder for the events of one database; they are always in SQL."""
    return settings.instance / "lineage" / _name_of(_address_of(settings.database_url))


def _address_of(url: str) -> str:
    """Return an address without its password, which may change."""
    address = urlsplit(url)
    return f"{address.username}@{address.hostname}:{address.port}{address.path}"


def _name_of(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()[:16]
