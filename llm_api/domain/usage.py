"""Accounting: the record of a call, and reports about many."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llm_api.domain.call_times import TIMES


# Not frozen: a call makes three, of 25 fields, and each took 2 µs more.
@dataclass(slots=True)
class UsageRecord:
    """One call that made at least one attempt at an upstream; holds no prompt, completion or key.

    Attributes:
        created_at: start of the call, UTC.
        requested_model: model named by the caller; None where the caller named none.
        model, upstream: those of the last attempt.
        status: `ok`, `upstream_error`, `timeout`, `client_closed`, `aborted_shutdown` (the service
            stopped before the response was complete), `error` (internal error), `killed` (the
            worker died during the call; its outcome is unknown) or `unknown` (pictures may have
            been made, and nobody can say).
        reason: stable word for the error; None for `ok`.
        usage_source: where token counts come from: `upstream`, `estimated` or `missing`.
        upstream_ms, first_token_ms, total_ms: milliseconds spent waiting for upstreams, until the
            first token, and in all.
        overhead_ms: milliseconds spent neither in the queue nor waiting for upstreams.
        attempts_detail: one mapping an attempt: `upstream`, `model`, `reason` (None for success)
            and `ms`; of an upstream's error also its `status`, and what it `said`, scrubbed.
        key_id: API key of the caller; None for anonymous calls.
        http_status: status sent to the caller.
        cost_micro: millionths of `currency` (ISO 4217); None where a price is unknown.
        tags: labels, as written by `joined_tags`.
        lineage_id: shared by calls that belong together.
        pictures: of a call for pictures, what was made and what its price counts: `sizes`,
            `pixels`, `input_images`, `quality`, `price_unit`, `vendor` (what the vendor counted).
        shown_id: what the response called the request, where that is another id than `request_id`:
            one that a client has sent, perhaps several times, or that of a request with more calls.
    """

    request_id: str
    created_at: datetime
    route: str
    requested_model: str | None
    model: str
    upstream: str
    status: str = "killed"
    reason: str | None = None
    attempts: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage_source: str = "missing"
    upstream_ms: int | None = None
    total_ms: int | None = None
    attempts_detail: Sequence[Mapping[str, Any]] = field(default_factory=list)
    key_id: str | None = None
    http_status: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    images: int | None = None
    first_token_ms: int | None = None
    overhead_ms: int | None = None
    cost_micro: int | None = None
    currency: str | None = None
    tags: str = ""
    lineage_id: str | None = None
    pictures: Mapping[str, Any] | None = None
    group_id: str | None = None
    shown_id: str | None = None


def joined_tags(tags: Iterable[str]) -> str:
    """Join tags to one text, in which each is between two commas; no tags are an empty text."""
    names = sorted(set(tags))
    return f",{','.join(names)}," if names else ""


def parted_tags(text: str) -> list[str]:
    """Return the tags that `joined_tags` has joined; of no tags an empty one, to be a group."""
    return text.strip(",").split(",")


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A usage report to build.

    Attributes:
        since, until: whole hours, timezone-aware; `until` is excluded.
        group_by: names of `USAGE_DIMENSIONS`, and `hour` or `day`; or `tags`, which are all tags of
            a call, joined: so each call is in one group.
        filters: required values of dimensions, by name.
        has_times: whether times are wanted, which are the larger part of what is read.
    """

    since: datetime
    until: datetime
    group_by: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    has_times: bool = True


TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
USAGE_DIMENSIONS = ("key", "route", "model", "upstream", "tag", "status", "group", "reason")


@dataclass(slots=True)
class UsageSums:
    """Sums of a group of calls; measured and estimated tokens are never added up.

    Attributes:
        group: the value of each dimension of the report.
        errors: calls whose status is not `ok`.
        measured_calls, estimated_calls, uncounted_calls: calls by where their token counts come
            from; those of the last are unknown.
        measured, estimated: tokens by the names in `TOKENS`.
        cost_micro: millionths by currency, and `priced_images` the images that they are for.
        unpriced: calls of unknown cost.
        total_ms: milliseconds of all calls together.
        times: for each of `TIMES`, calls by the bucket of the time that they took; those that were
            counted by releases that kept no times are missing.
    """

    group: Mapping[str, str]
    calls: int = 0
    errors: int = 0
    attempts: int = 0
    measured_calls: int = 0
    estimated_calls: int = 0
    uncounted_calls: int = 0
    measured: Counter[str] = field(default_factory=Counter)
    estimated: Counter[str] = field(default_factory=Counter)
    images: int = 0
    cost_micro: Counter[str] = field(default_factory=Counter)
    priced_images: Counter[str] = field(default_factory=Counter)
    unpriced: int = 0
    total_ms: int = 0
    times: dict[str, Counter[int]] = field(default_factory=lambda: {t: Counter() for t in TIMES})

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the sums of a row, which has them by the names of their columns; not its times."""
        calls, source = int(row["calls"]), row["usage_source"]
        self.calls += calls
        self.errors += calls if row["status"] != "ok" else 0
        self.attempts += int(row["attempts"])
        self.images += int(row["images"])
        self.total_ms += int(row["total_ms"])
        if source == "upstream":
            self.measured_calls += calls
            self.measured.update({name: int(row[name]) for name in TOKENS})
        elif source == "estimated":
            self.estimated_calls += calls
            self.estimated.update({name: int(row[name]) for name in TOKENS})
        else:
            self.uncounted_calls += calls
        if row["currency"]:
            self.cost_micro[row["currency"]] += int(row["cost_micro"])
            self.priced_images[row["currency"]] += int(row["images"])
        else:
            self.unpriced += calls

    def add_times(self, times: Mapping[str, Mapping[Any, int]]) -> None:
        """Add calls by bucket, for names of `TIMES`; buckets may be texts, as JSON has them."""
        for name, counts in times.items():
            calls_by = self.times[name]
            for bucket, calls in counts.items():  # Counter.update takes twice as long for a few
                calls_by[int(bucket)] += calls

    def add_sums(self, other: "UsageSums") -> None:
        """Add the sums and times of other calls."""
        for name in _COUNTS:
            if amount := getattr(other, name):
                setattr(self, name, getattr(self, name) + amount)
        for name in _COUNTERS:
            if amounts := getattr(other, name):
                getattr(self, name).update(amounts)
        self.add_times(other.times)


_COUNTS = (
    *("calls", "errors", "attempts", "measured_calls", "estimated_calls", "uncounted_calls"),
    *("images", "unpriced", "total_ms"),
)
_COUNTERS = ("measured", "estimated", "cost_micro", "priced_images")
