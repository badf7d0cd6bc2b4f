"""What a usage store holds, asked through `UsageStore` alone."""

from datetime import UTC, datetime, timedelta

from llm_api.domain.usage import UsageQuery, UsageSums
from llm_api.storage import UsageStore

DAY = datetime(2026, 11, 22, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)


def sums_of(
    store: UsageStore,
    *group_by: str,
    since: datetime = DAY,
    until: datetime = DAY + timedelta(days=1),
    **filters: str,
) -> list[UsageSums]:
    """Ask for the report of a day, unless told otherwise."""
    return store.report(UsageQuery(since, until, group_by, filters))


def calls_by(store: UsageStore, *group_by: str, **asked: object) -> dict[str, int]:
    """Return how many calls each group has; a group's name is its values with `/` in between."""
    found = sums_of(store, *group_by, **asked)  # type: ignore[arg-type]
    return {"/".join(sums.group[name] for name in group_by): sums.calls for sums in found}


def total_of(store: UsageStore) -> UsageSums:
    """Return the one group that all calls are in."""
    (total,) = sums_of(store)
    return total


def kept_count(store: UsageStore) -> int:
    """Count the records that are there, by removing them."""
    return store.prune(NEVER, 1_000_000)
