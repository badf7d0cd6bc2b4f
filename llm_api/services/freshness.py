"""Where something was read, as JSON."""

from typing import Any

from llm_api.storage.reads import Freshness


def freshness_to_dict(freshness: Freshness | None) -> dict[str, Any]:
    """Return the field that says it; none where there is no replica."""
    if freshness is None:
        return {}
    return {"replica": {"is_used": freshness.is_replica, "lag_seconds": freshness.lag_s}}
