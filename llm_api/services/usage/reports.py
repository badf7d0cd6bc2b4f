"""Usage reports: what was called, by whom it was asked for, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm_api.domain.usage import TOKENS, UsageQuery, UsageSums
from llm_api.errors import Unavailable
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.threads import StoreThreads

_MICRO = 1_000_000
_KINDS = ("measured", "estimated")
# The columns of counts in a table.
_COUNTS = (
    *("calls", "errors", "attempts", "measured_calls", "estimated_calls", "uncounted_calls"),
    *(f"{kind}_{name}" for kind in _KINDS for name in TOKENS),
    *("images", "unpriced_calls", "mean_ms"),
)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Some of the groups of a report; `total` is how many there are."""

    groups: Sequence[UsageSums]
    total: int


class ReportService:
    """Asks the store."""

    def __init__(self, store: UsageStore, threads: StoreThreads) -> None:
        """Take where the sums are, and what runs a look at them where it stops nobody else."""
        self._store = store
        self._threads = threads

    def page(self, query: UsageQuery, *, page: int, page_size: int) -> ReportPage:
        """Return a page of a report, the first is 1; raises Unavailable."""
        groups = self.all(query)
        start = (page - 1) * page_size
        return ReportPage(groups[start : start + page_size], len(groups))

    def all(self, query: UsageQuery) -> list[UsageSums]:
        """Return all groups of a report; raises Unavailable."""
        try:
            return self._threads.run(lambda: self._store.report(query))
        except StoreError as error:
            message = "The usage store cannot be read at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def described(sums: UsageSums) -> dict[str, Any]:
    """Write a group as JSON: measured and estimated tokens apart, cost exact and by currency."""
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
            {"currency": currency, "micro": micro, "amount": amount(micro)}
            for currency, micro in sorted(sums.cost_micro.items())
        ],
        "unpriced_calls": sums.unpriced,
        "mean_ms": round(sums.total_ms / sums.calls) if sums.calls else 0,
    }


def _tokens(counts: Any) -> dict[str, int]:
    return {name: counts[name] for name in TOKENS}


def amount(micro: int) -> str:
    """Write millionths as a decimal number, exactly."""
    whole, rest = divmod(micro, _MICRO)
    return f"{whole}.{rest:06d}"


def as_rows(groups: Sequence[UsageSums], names: Sequence[str]) -> list[list[str]]:
    """Write groups as a table with a line of headings: a line for each group and currency."""
    rows = [[*names, *_COUNTS, "currency", "cost_micro", "cost"]]
    for sums in groups:
        group = [sums.group[name] for name in names]
        values = _counts(sums)
        # A group with two currencies has two lines, and its counts in the first.
        for money in _money(sums):
            rows.append([_harmless(str(value)) for value in (*group, *values, *money)])
            values = [""] * len(values)
    return rows


def _counts(sums: UsageSums) -> list[Any]:
    shown = described(sums)
    tokens = [shown[kind][name] for kind in _KINDS for name in TOKENS]
    return [
        sums.calls,
        sums.errors,
        sums.attempts,
        sums.measured_calls,
        sums.estimated_calls,
        sums.uncounted_calls,
        *tokens,
        sums.images,
        sums.unpriced,
        shown["mean_ms"],
    ]


def _money(sums: UsageSums) -> list[tuple[Any, ...]]:
    costs = [(name, micro, amount(micro)) for name, micro in sorted(sums.cost_micro.items())]
    return costs or [("", "", "")]


def _harmless(cell: str) -> str:
    """Keep a name that a caller chose from being a formula in a spreadsheet."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
