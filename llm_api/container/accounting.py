"""Builds what limits calls and accounts for them."""

from functools import partial

from llm_api.container.readiness import READ_TIMEOUT_S
from llm_api.container.stores import Stores
from llm_api.container.surroundings import Surroundings
from llm_api.domain.tracing import Resuming
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metrics import Metrics
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.alerts.budget_watch import BudgetWatch
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.batch_quotas import BatchQuotas
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.services.quotas.budgets import BudgetService
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.quotas.limit_states import LimitReader
from llm_api.services.quotas.rate_counter import RateCounter
from llm_api.services.usage.ledger import UsageLedger
from llm_api.settings.settings import Settings
from llm_api.storage.factory import budgets_of
from llm_api.storage.redis import is_shared
from llm_api.storage.redis.concurrency import MemoryConcurrency, RedisConcurrency
from llm_api.storage.redis.shared_answers import RedisAnswers
from llm_api.storage.threads import StoreThreads

# Answers for repeats, where there is a Redis, and calls in progress.
Shared = tuple[RedisAnswers | None, MemoryConcurrency | RedisConcurrency]
_TIMEOUT_S = 6.0  # as that of readers
_BUDGET_THREADS = 4


def build_accounting(
    settings: Settings,
    stores: Stores,
    watch: DeadlineWatcher,
    prices: PriceList,
    counter: RateCounter,
    traces: Resuming,
) -> tuple[Shared, Surroundings, UsageLedger]:
    """Build what limits calls and accounts for them, and what processes share for that.

    The limits are among what the rest of the application shares.
    """
    shared = _shared(settings.ratelimit_storage_uri)
    threads = StoreThreads(_BUDGET_THREADS, _TIMEOUT_S)
    store = budgets_of(stores.usage)
    reader = BudgetReader(store, StoreThreads(2, READ_TIMEOUT_S, fails_fast=True))
    watch_of = BudgetWatch(reader) if settings.webhooks.alert_urls else None
    told = None if watch_of is None else watch_of.watch
    budgets = BudgetService(store, prices, threads, watch=told)
    granted = partial(_count_granted, stores.metrics)
    quotas = QuotaEnforcer(counter, shared[1], budgets, settings.limits, granted)
    of_batches = BatchQuotas(counter, budgets, settings.limits)
    limits = LimitReader(counter, shared[1], settings.limits)
    around = Surroundings(
        settings, stores, watch, prices, quotas, of_batches, reader, limits, watch_of, traces
    )
    return shared, around, UsageLedger(stores.sink, prices, quotas)


def _count_granted(metrics: Metrics) -> None:
    metrics.of(catalogue.LIMITS, "all", "granted").inc()


def _shared(storage_uri: str) -> Shared:
    """Build what processes share, if there is a Redis for it."""
    if not is_shared(storage_uri):
        return None, MemoryConcurrency()
    return RedisAnswers(storage_uri), RedisConcurrency(storage_uri)
