"""Builds what says whether the service can answer."""

from collections.abc import Callable, Mapping
from functools import partial

from llm_api.container.stores import Stores
from llm_api.errors import Unavailable
from llm_api.runtime.drain import Drain
from llm_api.services.files import FileService
from llm_api.services.keys.service import KeyService
from llm_api.services.readiness import ReadinessService, Seldom
from llm_api.settings.reader import FAST, LOCAL
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.sql.replica import SqlReplica
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.client import UpstreamClient

# A little more than a statement may take: the server's own time-out should end it first.
READ_TIMEOUT_S = 6.0
_FILES, _REPORTS = "files", "reports"
_NOT_SAVED = "rows cannot be saved: is INSTANCE_DIR read-only, or its disk full?"


def fast_upstream(settings: Settings, upstreams: Mapping[str, UpstreamClient]) -> UpstreamClient:
    """Return the upstream of callers who name no model."""
    return upstreams[LOCAL if settings.uses_bundled_model else FAST]


def build_readiness(  # each is asked
    settings: Settings,
    stores: Stores,
    keys: KeyService,
    check_limiter: Callable[[], bool],
    upstreams: Mapping[str, UpstreamClient],
    drain: Drain,
) -> ReadinessService:
    """Build it; `check_limiter` is whether limits have their store."""
    fast = fast_upstream(settings, upstreams)
    checks = _checks(settings, stores, keys, check_limiter, fast)
    return ReadinessService(checks, is_ending=lambda: drain.is_ending, beside=[_FILES, _REPORTS])


def _checks(
    settings: Settings,
    stores: Stores,
    keys: KeyService,
    check_limiter: Callable[[], bool],
    fast: UpstreamClient,
) -> dict[str, Callable[[], str]]:
    checks: dict[str, Callable[[], str]] = {
        "database": partial(
            _check_store, stores.usage, StoreThreads(1, READ_TIMEOUT_S, fails_fast=True)
        ),
        "usage": lambda: "ok" if stores.spool.can_save() else _NOT_SAVED,
        "limiter": lambda: "ok" if check_limiter() else "unreachable",
        "upstream": fast.probe,
        # Chat goes on without it, and pictures are refused then: see `StoreHealth`.
        _FILES: Seldom(partial(_check_files, stores.files)),
    }
    if settings.usage_store and settings.access.requires_key:  # else they are in that database
        checks["keys"] = partial(
            _check_store, keys, StoreThreads(1, READ_TIMEOUT_S, fails_fast=True)
        )
    if stores.replica is not None:  # without it the primary has the reports
        reads = StoreThreads(1, READ_TIMEOUT_S, fails_fast=True)
        checks[_REPORTS] = partial(_check_store, stores.replica, reads)
    return checks


def _check_files(files: FileService) -> str:
    try:
        files.check()
    except Unavailable:
        return "cannot be kept"
    return "ok"


def _check_store(store: UsageStore | KeyService | SqlReplica, threads: StoreThreads) -> str:
    try:
        threads.run(store.check)
    except StoreError as error:
        return str(error)
    return "ok"
