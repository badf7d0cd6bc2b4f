"""Builds what keeps rewrites."""

from datetime import timedelta

from llm_api.container.stores import Stores
from llm_api.runtime.drain import Drain
from llm_api.services.prompts import Keeping, KeptRewrites
from llm_api.settings.settings import Settings
from llm_api.storage.redis.shared_rewrites import RedisRewrites
from llm_api.storage.rewrite_memory import MemoryRewrites
from llm_api.storage.threads import StoreThreads

# A repeat waits no longer for a database that does not answer: then the model is asked.
_TIMEOUT_S = 3.0
_THREADS = 2


def build_rewrites(settings: Settings, stores: Stores, drain: Drain) -> KeptRewrites:
    """Build what keeps rewrites where the settings say."""
    plan = settings.rewrites
    keep = timedelta(days=plan.retention_days)
    must_end = drain.is_expired
    if plan.store == "redis":
        redis = RedisRewrites(settings.ratelimit_storage_uri)
        return KeptRewrites(Keeping(redis, redis, keep, must_end=must_end))
    if plan.store == "sql":
        table, threads = stores.work.rewrites, StoreThreads(_THREADS, _TIMEOUT_S)
        return KeptRewrites(Keeping(table, table, keep, threads.run, must_end))
    store = MemoryRewrites() if plan.store == "memory" else None
    return KeptRewrites(Keeping(store, None, keep, must_end=must_end))
