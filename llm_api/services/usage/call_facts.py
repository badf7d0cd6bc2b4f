"""What rows and log lines say of calls that have ended."""

from collections.abc import Sequence
from typing import Any

from llm_api.domain.calls import Attempt
from llm_api.domain.usage import UsageRecord

_LOGGED_SUMS = ("attempts", "prompt_tokens", "completion_tokens", "images", "upstream_ms")
_SAID = {"status": "upstream_status", "said": "upstream_said"}


def described(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as a usage row has it; what the upstream did not say is left out."""
    known: dict[str, Any] = {
        "upstream": attempt.endpoint,
        "model": attempt.model,
        "reason": attempt.reason,
        "ms": round(attempt.seconds * 1000),
    }
    if attempt.status is not None:
        known["status"] = attempt.status
    if attempt.said:
        known["said"] = attempt.said
    return known


def call_fields(rows: Sequence[UsageRecord]) -> dict[str, object]:
    """Return what a log line says of calls that have ended, by the names of their columns.

    What is not known is left out. Of several calls, as a request with many prompts makes them,
    there are their number and sums, and all else of the last; `cost` is by currency, and `causes`
    are those of the attempts that failed.
    """
    last = rows[-1]
    fields: dict[str, object] = {"model": last.model, "upstream": last.upstream}
    if last.requested_model not in {None, last.model}:
        fields["requested_model"] = last.requested_model
    if len(rows) > 1:
        fields["calls"] = len(rows)
    for name in _LOGGED_SUMS:
        known = [count for row in rows if (count := getattr(row, name)) is not None]
        if known:
            fields[name] = sum(known)
    if last.first_token_ms is not None:
        fields["first_token_ms"] = last.first_token_ms
    if cost := _cost(rows):
        fields["cost"] = cost
    if last.status != "ok" or last.attempts > 1 or len(rows) > 1:
        fields.update(_failures(rows))
    return fields


def _cost(rows: Sequence[UsageRecord]) -> dict[str, float]:
    costs: dict[str, int] = {}
    for row in rows:
        if row.currency is not None and row.cost_micro is not None:
            costs[row.currency] = costs.get(row.currency, 0) + row.cost_micro
    return {currency: micro / 1_000_000 for currency, micro in costs.items()}


def _failures(rows: Sequence[UsageRecord]) -> dict[str, object]:
    failed = [one for row in rows for one in row.attempts_detail if one["reason"]]
    if not failed:
        return {}
    said = {_SAID[name]: failed[-1][name] for name in _SAID if name in failed[-1]}
    return {"causes": [one["reason"] for one in failed], **said}
