"""The log line of a call that no request waits for: of jobs, and of the steps of loops."""

import logging

from llm_api.domain.usage import UsageRecord
from llm_api.services.usage.call_facts import call_fields

logger = logging.getLogger(__name__)


def log_call(row: UsageRecord, traceparent: str = "") -> None:
    """Log a call that has ended; the line of a request has that of its own calls.

    `traceparent` is where its spans belong, as W3C's header names it; "" where nothing is traced.
    """
    about: dict[str, object] = {"route": row.route, "outcome": row.status}
    if row.key_id is not None:
        about["key"] = row.key_id
    if row.reason is not None:
        about["reason"] = row.reason
    if traceparent:
        about["trace_id"] = traceparent.split("-")[1]
    logger.info("call", extra={**about, **call_fields([row]), "ms": row.total_ms})
