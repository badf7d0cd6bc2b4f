"""Usage in the store of this machine, for `usage` where no service elsewhere is named."""

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from llm_api.cli.calling.local_transport import local_app
from llm_api.cli.opening import errors_as_messages, loaded, replica_of, tell_freshness
from llm_api.cli.own.own_groups import group_service
from llm_api.domain.timestamps import utc_text
from llm_api.domain.usage import UsageQuery, UsageSums
from llm_api.services.keys.service import KeyService
from llm_api.services.usage.report_query import ReportRequest
from llm_api.services.usage.reports import ReportService, table_rows, to_dict
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_key_store, open_store
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.request.context import EXTENSION, Services
from llm_api.web.rest.usage_schemas import UsageReportArgumentsSchema


class OwnUsage:
    """See `usage_reports.Usage`."""

    def __init__(self, settings: Settings) -> None:
        """Read from the store that is configured."""
        self._settings = settings

    def report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """See `Usage`."""
        query = _query(arguments)
        return {
            "since": utc_text(query.since),
            "until": utc_text(query.until),
            "group_by": list(query.group_by),
            "groups": [to_dict(sums) for sums in self._groups(query)],
        }

    def table(self, arguments: Mapping[str, Any]) -> str:
        """See `Usage`."""
        query = _query(arguments)
        text = io.StringIO()
        csv.writer(text).writerows(table_rows(self._groups(query), query.group_by))
        return text.getvalue()

    def call(self, request_id: str) -> dict[str, Any]:
        """See `Usage`; calls in progress on this machine are found, too."""
        services: Services = local_app().extensions[EXTENSION]
        with errors_as_messages():
            found = services.lookup.find(request_id, None)
        described: dict[str, Any] = services.lookup.described(found, is_operator=True)
        return described

    def _groups(self, query: UsageQuery) -> Sequence[UsageSums]:
        settings, threads = self._settings, StoreThreads(1)
        with (
            errors_as_messages(),
            closing(
                open_store(settings.database_url, settings.usage_store, settings.instance)
            ) as store,
            closing(open_key_store(settings.database_url)) as keys,
            group_service(settings) as groups,
            replica_of(settings) as replica,
        ):
            of_replica = None
            if replica is not None and not settings.usage_store:
                of_replica = replica.usage, replica.link
            names = KeyService(keys, threads).names
            reads = Reads(store, threads, of_replica)
            found = ReportService(reads, names, groups.names).all(query)
        tell_freshness(found.freshness)
        return found.value


def _query(arguments: Mapping[str, Any]) -> UsageQuery:
    request: ReportRequest = loaded(UsageReportArgumentsSchema(), arguments)
    return request.query
