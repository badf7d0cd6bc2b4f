"""Usage reports: calls, tokens and cost in groups, as JSON and as a table."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.access import ENVIRONMENT, GROUP_PREFIX, KeyName
from llm_api.domain.call_times import percentile
from llm_api.domain.money import decimal_text
from llm_api.domain.usage import TOKENS, UsageQuery, UsageSums
from llm_api.errors import Unavailable
from llm_api.services.keys.service import ambiguous
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.reads import Freshness, Reading, Reads

# Of what has an id and a name: what the name is called beside the dimension.
NAMES = {"key": "key_name", "group": "group_name"}
_IS_ID = re.compile(f"{ENVIRONMENT}|key_[0-9a-f]{{16}}$|$")
_IS_GROUP_ID = re.compile(f"{GROUP_PREFIX}[0-9a-f]{{16}}$|$")
_SOURCES = ("measured", "estimated")
_FIRST_COUNTS = ("calls", "errors", "attempts")
_CALLS_BY_SOURCE = ("measured_calls", "estimated_calls", "uncounted_calls")
_LAST_COUNTS = ("images", "unpriced_calls", "mean_ms")
# Of the calls whose times are known, and of those that gave a first token.
_TIMES = {"latency": "total_ms", "first_token": "first_token_ms"}
PERCENTS = (50, 95, 99)
_COUNT_COLUMNS = (
    *_FIRST_COUNTS,
    *_CALLS_BY_SOURCE,
    *(f"{source}_{name}" for source in _SOURCES for name in TOKENS),
    *_LAST_COUNTS,
    *(
        f"{name}_{figure}"
        for name in _TIMES
        for figure in ("calls", *map("p{}_ms".format, PERCENTS))
    ),
)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Some of the groups of a report; `total` is how many there are."""

    groups: Sequence[UsageSums]
    total: int
    freshness: Freshness | None = None


class ReportService:
    """Reads reports from the usage store, and the names of keys and groups from theirs."""

    def __init__(
        self,
        reads: Reads[UsageStore],
        names: Callable[[], Mapping[str, KeyName]],
        group_names: Callable[[], Mapping[str, str]],
    ) -> None:
        """Use readers of sums, and of the names of keys and groups, by their ids."""
        self._reads = reads
        self._names, self._group_names = names, group_names

    def page(self, query: UsageQuery, *, page: int, page_size: int) -> ReportPage:
        """Return a page of a report, counted from 1; raises as `all` does."""
        found = self.all(query)
        groups, start = found.value, (page - 1) * page_size
        return ReportPage(groups[start : start + page_size], len(groups), found.freshness)

    def all(self, query: UsageQuery) -> Reading[list[UsageSums]]:
        """Return all groups of a report, with the names of keys and of their groups.

        A group of keys can be filtered by its name, and a key if no other key has it.

        Raises:
            InvalidRequest: several have that name.
            Unavailable: a store cannot be read at the moment.
        """
        by_id, keys, groups = self._by_ids(query)
        try:
            found = self._reads.read(lambda store: store.report(by_id))
        except StoreError as error:
            message = "The usage store cannot be read at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error
        return replace(found, value=[_named(one, keys, groups) for one in found.value])

    def _by_ids(
        self, query: UsageQuery
    ) -> tuple[UsageQuery, Mapping[str, KeyName], Mapping[str, str]]:
        """Return a query whose filters name ids, and the names that its groups need."""
        filters = dict(query.filters)
        key, group = filters.get("key"), filters.get("group")
        key_by_name = key is not None and not _IS_ID.match(key)
        group_by_name = group is not None and not _IS_GROUP_ID.match(group)
        keys = self._names() if key_by_name or "key" in query.group_by else {}
        groups = self._group_names() if group_by_name or "group" in query.group_by else {}
        if key is not None and key_by_name:
            filters["key"] = _id_of(key, keys)
        if group is not None and group_by_name:
            filters["group"] = next((one for one, name in groups.items() if name == group), group)
        return replace(query, filters=filters), keys, groups


def _id_of(named: str, names: Mapping[str, KeyName]) -> str:
    """Return the id of the key that has a name, or had it; what none has is in no row, either."""
    all_ids = [key_id for key_id, name in names.items() if name.name == named]
    found = [key_id for key_id in all_ids if not names[key_id].is_deleted] or all_ids
    if len(found) > 1:
        raise ambiguous(found)
    return found[0] if found else named


def _named(sums: UsageSums, keys: Mapping[str, KeyName], groups: Mapping[str, str]) -> UsageSums:
    names = {}
    if (key_id := sums.group.get("key")) is not None:
        known = keys.get(key_id)
        names[NAMES["key"]] = str(known or key_id.partition(ENVIRONMENT)[2])
    if (group_id := sums.group.get("group")) is not None:
        names[NAMES["group"]] = groups.get(group_id, "")
    return replace(sums, group={**sums.group, **names}) if names else sums


def to_dict(sums: UsageSums) -> dict[str, Any]:
    """Return a group as JSON: measured and estimated tokens apart, cost exact and by currency."""
    return {
        **sums.group,
        "calls": sums.calls,
        "errors": sums.errors,
        "attempts": sums.attempts,
        "measured": {"calls": sums.measured_calls, **_tokens(sums.measured)},
        "estimated": {"calls": sums.estimated_calls, **_tokens(sums.estimated)},
        "uncounted_calls": sums.uncounted_calls,
        "images": sums.images,
        "cost": [
            {
                "currency": currency,
                "micro": micro,
                "amount": decimal_text(micro),
                **_each(sums, currency),
            }
            for currency, micro in sorted(sums.cost_micro.items())
        ],
        "unpriced_calls": sums.unpriced,
        "mean_ms": round(sums.total_ms / sums.calls) if sums.calls else 0,
        **{name: _percentiles(sums.times[time]) for name, time in _TIMES.items()},
    }


def _percentiles(counts: Counter[int]) -> dict[str, int | None]:
    figures = {f"p{percent}_ms": percentile(counts, percent) for percent in PERCENTS}
    return {"calls": counts.total(), **figures}


def _each(sums: UsageSums, currency: str) -> dict[str, str]:
    text = per_image(sums, currency)
    return {"per_image": text} if text else {}


def per_image(sums: UsageSums, currency: str) -> str:
    """Return what an image of a model has cost, of those whose cost is known; empty without any."""
    images = sums.priced_images[currency]
    is_known = "model" in sums.group and images
    return decimal_text(round(sums.cost_micro[currency] / images)) if is_known else ""


def _tokens(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in TOKENS}


def table_rows(groups: Sequence[UsageSums], names: Sequence[str]) -> list[list[str]]:
    """Return groups as rows of cells below a row of headings, one row a group and currency.

    Args:
        groups: groups of a report.
        names: its dimensions, the first columns; the names of keys and groups are the last.
    """
    more = [NAMES[name] for name in names if name in NAMES]
    rows = [[*names, *_COUNT_COLUMNS, "currency", "cost_micro", "cost", "cost_per_image", *more]]
    for sums in groups:
        dimensions = [sums.group[name] for name in names]
        counts = _counts(sums)
        # A group with two currencies has two rows, and its counts in the first.
        called = [sums.group[name] for name in more]
        for cost in _costs(sums):
            rows.append([_harmless(str(cell)) for cell in (*dimensions, *counts, *cost, *called)])
            counts = [""] * len(counts)
    return rows


def _counts(sums: UsageSums) -> list[Any]:
    group = to_dict(sums)
    return [
        *(group[name] for name in _FIRST_COUNTS),
        *(getattr(sums, name) for name in _CALLS_BY_SOURCE),
        *(group[source][name] for source in _SOURCES for name in TOKENS),
        *(group[name] for name in _LAST_COUNTS),
        *("" if value is None else value for name in _TIMES for value in group[name].values()),
    ]


def _costs(sums: UsageSums) -> list[tuple[Any, ...]]:
    costs = [
        (name, micro, decimal_text(micro), per_image(sums, name))
        for name, micro in sorted(sums.cost_micro.items())
    ]
    return costs or [("", "", "", "")]


def _harmless(cell: str) -> str:
    """Keep a name chosen by a caller from being a formula in a spreadsheet.

    The characters are those of https://owasp.org/www-community/attacks/CSV_Injection.
    """
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
