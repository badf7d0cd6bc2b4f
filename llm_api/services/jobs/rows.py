"""The usage rows of jobs that have ended."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.domain.calls import Attempt
from llm_api.domain.making import MadeUsage
from llm_api.domain.tasks import Task
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError
from llm_api.services.jobs.document import UNKNOWN, JobDocument, Part
from llm_api.services.pricing import MadeCost
from llm_api.services.usage.call_facts import described

_STATUS_BY_CODE = {504: "timeout"}


def usage_of(parts: Sequence[Part]) -> MadeUsage:
    """Add up what the vendor has counted; a sum is None where it is not known of every part."""
    used = [part.usage for part in parts if part.delivered]
    sizes = [area for part in parts for one in part.kept if (area := one.width * one.height)]
    return MadeUsage(
        images=sum(part.delivered for part in parts),
        input_images=sum(one.input_images for one in used),
        pixels=sum(sizes) if sizes else None,
        input_tokens=_sum([one.input_tokens for one in used]),
        output_tokens=_sum([one.output_tokens for one in used]),
        input_image_tokens=_sum([one.input_image_tokens for one in used]),
        seconds=used[0].seconds if len(used) == 1 else None,
        raw=used[0].raw if len(used) == 1 else {"calls": [one.raw for one in used]} if used else {},
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def is_free(parts: Sequence[Part]) -> bool:
    """Whether nothing can have been made that a vendor wants money for."""
    return not any(part.delivered or part.state == UNKNOWN for part in parts)


def row_of(
    task: Task,
    document: JobDocument[Any],
    cost: MadeCost | None,
    error: ApiError | None,
    details: Mapping[str, Any],
) -> UsageRecord:
    """Return the usage row of a job that has ended; `error` where it has made nothing.

    `details` say what was made, beside what is said of all jobs.
    """
    usage, parts, payer = usage_of(document.parts), document.parts, document.payer
    return UsageRecord(
        request_id=task.request_id,
        created_at=task.created_at,
        route=payer.route,
        requested_model=document.requested_model,
        model=document.fitted.model,
        upstream=document.upstream,
        status=_status(document, error),
        reason=None if error is None else error.reason,
        attempts=len(document.attempts),
        **_tokens(usage, is_free=is_free(parts)),
        upstream_ms=sum(part.ms for part in parts),
        total_ms=round((time.time() - task.created_at.timestamp()) * 1000),
        attempts_detail=[described(attempt) for attempt in document.attempts],
        key_id=task.key_id,
        group_id=payer.group_id,
        http_status=200 if error is None else error.status,
        images=usage.images,
        first_token_ms=_first_ms(document.attempts),
        cost_micro=None if cost is None else cost.micro,
        currency=None if cost is None or cost.micro is None else cost.currency,
        tags=payer.tags,
        lineage_id=payer.lineage_id,
        pictures={**details, **_vendors_words(document, usage, cost)},
        shown_id=payer.shown_id,
    )


def _vendors_words(
    document: JobDocument[Any], usage: MadeUsage, cost: MadeCost | None
) -> dict[str, Any]:
    """Return what is said of every job: sizes, by what it is priced, and the vendor's own words."""
    ids = [part.vendor_request_id for part in document.parts if part.vendor_request_id]
    return {
        "sizes": [str(size) for size in document.sizes],
        "price_unit": "+".join(cost.units) if cost is not None else None,
        "vendor": usage.raw,
        "vendor_request_ids": ids,
    }


def _first_ms(attempts: Sequence[Attempt]) -> int | None:
    return round(attempts[-1].seconds * 1000) if attempts else None


def _tokens(usage: MadeUsage, *, is_free: bool) -> dict[str, Any]:
    """Return the tokens of a row, and who has counted them."""
    sent, made = (0, 0) if is_free else (usage.input_tokens, usage.output_tokens)
    if made is not None:  # some vendors count the output alone
        sent = sent or 0
    is_known = sent is not None and made is not None
    return {
        "prompt_tokens": sent,
        "completion_tokens": made,
        "usage_source": "upstream" if is_known else "missing",
    }


def _status(document: JobDocument[Any], error: ApiError | None) -> str:
    if error is None:
        return "ok"
    if any(part.state == UNKNOWN for part in document.parts):
        return "unknown"
    if error.reason == "cancelled":
        return "client_closed"
    return _STATUS_BY_CODE.get(error.status, "upstream_error")
