"""Builds stores, upstreams and services from the settings; nothing is connected or started yet."""

from collections.abc import Callable
from functools import partial
from typing import TypedDict

from llm_api.container.accounting import build_accounting
from llm_api.container.cache_rules import cache_rules
from llm_api.container.chat_models import build_catalogue, build_upstreams
from llm_api.container.images import known_image_fields
from llm_api.container.judge import JudgeParts, build_judge
from llm_api.container.loops import PictureParts, build_pictures
from llm_api.container.makers import Makers, build_makers
from llm_api.container.operating import build_operating
from llm_api.container.readiness import READ_TIMEOUT_S, build_readiness
from llm_api.container.rewrites import build_rewrites
from llm_api.container.stores import Stores, build_stores
from llm_api.container.surroundings import Closable, Surroundings
from llm_api.domain.key_format import KeySpotter
from llm_api.domain.tracing import Resuming
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.runtime.drain import Drain
from llm_api.services.alerts.alert_service import AlertService
from llm_api.services.audit import AuditService
from llm_api.services.chat import ChatService
from llm_api.services.idempotency import IdempotencyService
from llm_api.services.images import ImageService
from llm_api.services.keys.authenticator import STALE_S, KeyAuthenticator
from llm_api.services.keys.group_service import GroupService
from llm_api.services.keys.service import KeyService
from llm_api.services.keys.session_service import SessionService, SessionStores
from llm_api.services.lineage.lineage_service import LineageService
from llm_api.services.loop import LoopService
from llm_api.services.pricing import PriceList
from llm_api.services.prompt_batches import PromptBatches
from llm_api.services.prompt_chat import PromptChat
from llm_api.services.prompts import Experiment, PromptOptimizer
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.services.quotas.limit_states import LimitReader
from llm_api.services.quotas.rate_counter import RateCounter
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.usage.call_lookup import CallLookup
from llm_api.services.usage.ledger import UsageLedger
from llm_api.services.usage.reports import ReportService
from llm_api.services.videos import VideoService
from llm_api.settings import config_files
from llm_api.settings.settings import Settings
from llm_api.storage.audit_store import AuditStore
from llm_api.storage.factory import open_shared_keys
from llm_api.storage.reads import Reads
from llm_api.storage.spool.waiting_calls import waiting_calls
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.client import UpstreamClient
from llm_api.web.request.context import Services

__all__ = ["Stores", "build_services", "build_sessions", "build_stores"]

# A caller whose key is known waits no longer when the database does not answer.
_KEY_TIMEOUT_S = 2.0


def build_sessions(settings: Settings, stores: Stores) -> SessionService:
    """Build what authenticates API keys, those stored and those of the settings, and browsers."""
    threads = StoreThreads(2, _KEY_TIMEOUT_S)
    static = settings.access.environment_keys
    shared = open_shared_keys(settings.ratelimit_storage_uri, STALE_S)
    authenticator = KeyAuthenticator(stores.keys, threads, static, shared=shared)
    kept = SessionStores(stores.work.sessions, stores.keys, threads)
    return SessionService(authenticator, kept, static)


def build_services(
    settings: Settings,
    stores: Stores,
    sessions: SessionService,
    counter: RateCounter,
    check_limiter: Callable[[], bool],
    traces: Resuming,
) -> Services:
    """Build them; `check_limiter` is whether `counter` has its store. See build_stores."""
    watch, known, upstreams, makers, catalogue, prices = _offered(settings)
    shared, around, ledger = build_accounting(settings, stores, watch, prices, counter, traces)
    judge, optimizer = _judge_and_optimizer(makers, around, catalogue, ledger)
    keys = _keys(settings, stores, sessions, catalogue)
    pictures = build_pictures(makers, around, judge, optimizer, keys)
    asking = (*pictures.closable, optimizer, catalogue, *upstreams.values())
    return Services(
        catalogue=catalogue,
        chat=_chat(catalogue, ledger, optimizer, judge),
        optimizer=optimizer,
        batches=PromptBatches(optimizer, around.batch_quotas),
        **_made(pictures),
        judge=judge.service,
        describer=judge.describer,
        readiness=build_readiness(settings, stores, keys, check_limiter, upstreams, watch.drain),
        idempotency=IdempotencyService(shared[0]),
        cache=cache_rules(settings),
        items=stores.items,
        **build_operating(settings, stores, ledger, upstreams, makers.all_clients),
        **(of_admins := _of_admins(stores, sessions, keys, around)),
        **_readers(settings, stores, keys, of_admins["groups"]),
        files=stores.files,
        watch=watch,
        spotter=KeySpotter(settings.access.secrets),
        is_demo=settings.uses_bundled_model,
        known_parameters=known | known_image_fields(settings),
        closers=_closers(stores, keys, sessions, *asking, *shared, watch),
    )


class _Made(TypedDict):
    images: ImageService
    videos: VideoService
    loops: LoopService
    tasks: TaskEngine
    alerts: AlertService


def _made(parts: PictureParts) -> _Made:
    """Return what makes pictures and films, by the names of Services' fields."""
    return {
        "images": parts.images.service,
        "videos": parts.videos,
        "loops": parts.loops,
        "tasks": parts.images.jobs.engine,
        "alerts": parts.alerts,
    }


def _keys(
    settings: Settings, stores: Stores, sessions: SessionService, catalogue: Catalogue
) -> KeyService:
    return KeyService(
        stores.keys,
        _reads(),
        sessions.forget,
        has_model=catalogue.has,
        requires_key=settings.access.requires_key,
    )


class _OfAdmins(TypedDict):
    keys: KeyService
    sessions: SessionService
    audit: AuditService
    budgets: BudgetReader
    limits: LimitReader
    groups: GroupService


def _of_admins(
    stores: Stores, sessions: SessionService, keys: KeyService, around: Surroundings
) -> _OfAdmins:
    """Return what admins manage, by the names of Services' fields."""
    return {
        "keys": keys,
        "sessions": sessions,
        "audit": AuditService(_audit_reads(stores)),
        "budgets": around.budgets,
        "limits": around.limits,
        "groups": GroupService(stores.work.groups, _reads(), sessions.forget),
    }


def _offered(
    settings: Settings,
) -> tuple[
    DeadlineWatcher, frozenset[str], dict[str, UpstreamClient], Makers, Catalogue, PriceList
]:
    """Build what watches calls, upstreams, the catalogue of models and their prices.

    See `build_upstreams` for the second.
    """
    watch = _watch(settings)
    models, prices = config_files.read_models(settings.config_root)
    known, upstreams = build_upstreams(settings, watch, models)
    makers = build_makers(settings, models, watch)
    catalogue = build_catalogue(settings, models, upstreams, makers)
    return watch, known, upstreams, makers, catalogue, prices


def _closers(
    stores: Stores, keys: KeyService, sessions: SessionService, *calling: Closable | None
) -> list[Callable[[], None]]:
    """Return what ends everything: first what calls, and then what it writes to."""
    more = (stores.work, stores.replica, stores.files, stores.items)
    stored = (stores.usage, keys, sessions, *more)
    return [part.close for part in (*calling, *stored) if part is not None]


def _watch(settings: Settings) -> DeadlineWatcher:
    grace = settings.shutdown_grace
    return DeadlineWatcher(Drain(grace.calls, paid_grace=grace.pictures))


def _audit_reads(stores: Stores) -> Reads[AuditStore]:
    replica = stores.replica
    of_replica = None if replica is None else (replica.audit, replica.link)
    return Reads(stores.work.audit, stores.work_threads, of_replica)


class _Readers(TypedDict):
    reports: ReportService
    lookup: CallLookup
    lineage: LineageService


def _readers(
    settings: Settings, stores: Stores, keys: KeyService, groups: GroupService
) -> _Readers:
    """Return what reads calls, their sums and their lineages, by the names of Services' fields."""
    named = {key.id: key.name for key in settings.access.environment_keys.values()}

    def name_of(key_id: str) -> str | None:
        if key_id in named:
            return named[key_id]
        found = keys.names().get(key_id)
        return None if found is None else str(found)

    # Rows in another store than SQL have no replica.
    replica = None if settings.usage_store else stores.replica
    of_replica = None if replica is None else (replica.usage, replica.link)
    return {
        "reports": ReportService(
            Reads(stores.usage, _reads(), of_replica), keys.names, groups.names
        ),
        "lookup": CallLookup(
            Reads(stores.usage, _reads(), of_replica),
            _reads(),
            partial(waiting_calls, stores.spool_folder),
            name_of,
            groups.names,
        ),
        "lineage": stores.lineage,
    }


def _judge_and_optimizer(
    makers: Makers, around: Surroundings, catalogue: Catalogue, ledger: UsageLedger
) -> tuple[JudgeParts, PromptOptimizer]:
    """Build what sees pictures, and what rewrites prompts and edits of them."""
    settings, stores = around.settings, around.stores
    judge = build_judge(makers, around, catalogue, ledger)
    return judge, PromptOptimizer(
        catalogue,
        ledger,
        config_files.read_targets(settings.config_root),
        Experiment(stores.lineage.late, settings.lineage.control_share, around.prices),
        is_enabled=settings.enable_prompt_optimization,
        kept=build_rewrites(settings, stores, around.watch.drain),
        vision=judge.service,
    )


def _chat(
    catalogue: Catalogue, ledger: UsageLedger, optimizer: PromptOptimizer, judge: JudgeParts
) -> ChatService:
    prompts = PromptChat(catalogue.prompt_models, optimizer, judge.service)
    return ChatService(catalogue, ledger, prompts)


def _reads() -> StoreThreads:
    return StoreThreads(2, READ_TIMEOUT_S, fails_fast=True)
