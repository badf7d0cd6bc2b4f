"""The audit in the database of this machine, for `audit` where no service is named."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from llm_api.cli.opening import errors_as_messages, loaded, replica_of, tell_freshness
from llm_api.domain.audit import AuditQuery
from llm_api.services.audit import AuditService, to_dict
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_work_stores
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.rest.audit_schemas import AuditArgumentsSchema


def audit_page(settings: Settings, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return acts as `GET /api/v1/audit` does, for its arguments; raises CommandFailed."""
    query: AuditQuery = loaded(AuditArgumentsSchema(), arguments)
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        replica_of(settings) as replica,
    ):
        of_replica = None if replica is None else (replica.audit, replica.link)
        page = AuditService(Reads(work.audit, StoreThreads(1), of_replica)).page(query)
    tell_freshness(page.freshness)
    cursor = None if page.cursor is None else str(page.cursor)
    return {"acts": [to_dict(act) for act in page.acts], "next_cursor": cursor}
