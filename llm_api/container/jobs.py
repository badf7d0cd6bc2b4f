"""Builds what jobs for pictures and for films share: tasks, reports of their ends, and links."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from llm_api.container.counting import count_ended
from llm_api.container.surroundings import Closable, Surroundings
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.store_health import StoreHealth
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.tasks.webhooks import KIND as WEBHOOK
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.upstream.media.fetching import LinkClient


@dataclass(frozen=True, slots=True)
class JobParts:
    """What all jobs share: who works on them and keeps them, reports their ends, and fetches."""

    engine: TaskEngine
    store: JobStore
    webhooks: Webhooks
    links: LinkClient

    @property
    def closable(self) -> Sequence[Closable]:
        """What has to be closed first when the application ends: it writes rows and files."""
        return [self.engine]


def build_jobs(around: Surroundings) -> JobParts:
    """Build it."""
    settings, stores = around.settings, around.stores
    links = LinkClient(around.watch)
    count = partial(count_ended, stores.metrics)
    engine = TaskEngine(stores.work.tasks, stores.work_threads, around.watch.drain, count=count)
    webhooks = Webhooks(settings.webhooks, engine, links)
    engine.register(WEBHOOK, webhooks.send)
    store = JobStore(
        stores.work.tasks,
        stores.work_threads,
        engine,
        timedelta(days=settings.files.retention_days),
        StoreHealth(),
        stores.lineage.purge,
        stores.work.audit.add,
    )
    return JobParts(engine, store, webhooks, links)
