"""What is learned, of the database of this machine, for `lineage report`."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from llm_api.cli.opening import errors_as_messages, loaded, replica_of
from llm_api.services.lineage.lineage_reports import LearningQuery, LearningReports
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_work_stores
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.rest.lineage.learning_schemas import LearningArgumentsSchema


def learning_report(settings: Settings, values: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the report as `GET /api/v1/reports` does; raises CommandFailed."""
    query: LearningQuery = loaded(LearningArgumentsSchema(), values)
    threads = StoreThreads(1)
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        replica_of(settings) as replica,
    ):
        of_replica = None if replica is None else (replica.lineages, replica.link_of(threads))
        return LearningReports(Reads(work.lineages, threads, of_replica)).report(query)
