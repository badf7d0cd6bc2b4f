"""Usage rows by the million: kinds of calls, and how often each comes in every hour of a year.

Rows of one kind differ in id and time only, so that a kind is encoded for a database once, and
the sums of an hour are counts times the sums of one call. What one call adds to the sums comes from
the store's own code.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from llm_api.domain.usage import UsageRecord, joined_tags
from llm_api.storage.sql.rollups import add_to_rollups
from llm_api.storage.sql.tables import metadata, usage_hourly
from llm_api.storage.sums import DIMENSIONS, SUMS

SEED = 20_261_122
HOUR = timedelta(hours=1)
KEYS = [f"key_{number}" for number in range(5)]
ROUTES = ["/v1/chat/completions", "/api/v1/llm/chat", "/api/v1/llm/optimize-prompt"]
UPSTREAMS = ["fast", "judge", "reserve", "local"]
MODELS = [f"vendor-model-{number}" for number in range(20)]
TAGS = [joined_tags([f"team={n % 6}", f"project={n}", f"env={n % 3}"]) for n in range(30)]
STATUSES = {
    "ok": 960,
    "upstream_error": 14,
    "client_closed": 10,
    "timeout": 8,
    "error": 1,
    "killed": 1,
    "refused": 4,
    "cut": 2,
}
FALLBACK_SHARE = 0.02

Sums = tuple[str | int, ...]
# Of a table of sums, without the first: when the span starts.
_COLUMNS = [column.name for column in usage_hourly.columns][1:]


@dataclass(frozen=True)
class Kinds:
    """Kinds of calls, which differ in more than id and time.

    `sums` is what one call of each kind adds: digest, dimensions and sums, as in the rollup tables.
    """

    records: Sequence[UsageRecord]
    cumulative_weights: Sequence[float]
    sums: Sequence[Sums]


@dataclass(frozen=True)
class Hour:
    """The calls of an hour: the microsecond, the id and the kind of each, in order."""

    starts_at: datetime
    calls: Sequence[tuple[int, str, int]]

    def records(self, kinds: Kinds) -> list[UsageRecord]:
        """Return the usage records of the calls."""
        return [
            replace(
                kinds.records[kind],
                request_id=request_id,
                created_at=self.starts_at + timedelta(microseconds=microsecond),
            )
            for microsecond, request_id, kind in self.calls
        ]


def year() -> tuple[datetime, datetime]:
    """Return start and end of the last twelve whole months."""
    end = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return end.replace(year=end.year - 1), end


def last_month() -> tuple[datetime, datetime]:
    """Return start and end of the last whole month."""
    end = year()[1]
    return (end - timedelta(days=1)).replace(day=1), end


def make_kinds(*, scattered: bool) -> Kinds:
    """Return the kinds of calls.

    Usually a key has fixed tags, a model has one upstream, and most calls succeed. `scattered` is
    the worst case, in which all combinations are equally likely.
    """
    chance = random.Random(SEED)  # noqa: S311  # a simulation
    pairs = list(_scattered() if scattered else _usual())
    records = [_record(chance, *values) for _, values in pairs]
    weights = itertools.accumulate(weight for weight, _ in pairs)
    return Kinds(records, list(weights), _sums_of_one(records))


def _usual() -> Iterator[tuple[float, tuple[str, ...]]]:
    for (k, key), (r, route), (m, model) in itertools.product(
        enumerate(KEYS), enumerate(ROUTES), enumerate(MODELS)
    ):
        own, other = UPSTREAMS[m % 4], UPSTREAMS[(m + 1) % 4]
        upstreams = ((own, 1 - FALLBACK_SHARE), (other, FALLBACK_SHARE))
        popularity = 1 / (k + 1) / (r + 1) ** 2 / ((m + 3 * k) % len(MODELS) + 1)
        for tags, (upstream, share), (status, often) in itertools.product(
            TAGS[k * 6 : k * 6 + 6], upstreams, STATUSES.items()
        ):
            yield popularity * share * often, (key, route, model, upstream, status, tags)


def _scattered() -> Iterator[tuple[float, tuple[str, ...]]]:
    for values in itertools.product(KEYS, ROUTES, MODELS, UPSTREAMS, STATUSES, TAGS):
        yield 1.0, values


def _record(chance: random.Random, *values: str) -> UsageRecord:
    key, route, model, upstream, status, tags = values
    is_counted, is_priced = status != "killed", not model.endswith("7")
    prompt, completion = chance.randrange(20, 4_000), chance.randrange(1, 1_500)
    ms = chance.randrange(80, 20_000)
    return UsageRecord(
        request_id="",
        created_at=datetime.min,  # noqa: DTZ901  # every call has its own
        route=route,
        requested_model=model,
        model=model,
        upstream=upstream,
        status=status,
        reason=None if status == "ok" else status,
        attempts=1,
        prompt_tokens=prompt if is_counted else None,
        completion_tokens=completion if is_counted else None,
        usage_source=_source(status),
        upstream_ms=ms,
        total_ms=ms + 2,
        attempts_detail=[{"upstream": upstream, "model": model, "reason": None, "ms": ms}],
        key_id=key,
        http_status=200 if status == "ok" else 502,
        cached_tokens=prompt // 2 if is_counted else None,
        reasoning_tokens=0,
        first_token_ms=ms // 3,
        overhead_ms=2,
        cost_micro=prompt + 4 * completion if is_counted and is_priced else None,
        currency="USD" if is_counted and is_priced else None,
        tags=tags,
        lineage_id="lineage",
    )


def _source(status: str) -> str:
    return {"ok": "upstream", "killed": "missing"}.get(status, "estimated")


def _sums_of_one(records: Sequence[UsageRecord]) -> list[Sums]:
    """Return the store's sums of one call of each kind, in the order of the kinds."""
    names = (*DIMENSIONS, *SUMS[1:], "first_token_ms")
    start = datetime(2026, 1, 1)  # noqa: DTZ001  # the store's times are UTC by definition
    rows = [
        {name: getattr(record, name) for name in names} | {"created_at": start}
        for record in records
    ]
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        add_to_rollups(connection, rows)
        found = connection.execute(sa.select(usage_hourly)).mappings().all()
    by_dimensions = {
        tuple(row[name] for name in DIMENSIONS): tuple(row[name] for name in _COLUMNS)
        for row in found
    }
    engine.dispose()
    if len(by_dimensions) != len(records):
        raise ValueError("two kinds of calls have the same dimensions")
    return [by_dimensions[tuple(row[name] or "" for name in DIMENSIONS)] for row in rows]


def hours(kinds: Kinds, rows: int) -> Iterator[Hour]:
    """Yield a number of calls, distributed evenly over the hours of a year."""
    chance = random.Random(SEED)  # noqa: S311  # a simulation
    start, end = year()
    count = (end - start) // HOUR
    for number in range(count):
        size = rows * (number + 1) // count - rows * number // count
        yield Hour(start + number * HOUR, list(_calls(chance, kinds, size)))


def _calls(chance: random.Random, kinds: Kinds, size: int) -> Iterator[tuple[int, str, int]]:
    step = HOUR // timedelta(microseconds=1) // max(1, size)
    chosen = chance.choices(range(len(kinds.records)), cum_weights=kinds.cumulative_weights, k=size)
    for number, kind in enumerate(chosen):
        yield number * step, f"req_{chance.getrandbits(128):032x}", kind


def summed(kinds: Kinds, counts: Counter[int]) -> Iterator[Sums]:
    """Yield digest, dimensions and sums of the calls of each kind, by their counts."""
    for kind, count in counts.items():
        yield tuple(
            int(value) * count if name in SUMS else value
            for name, value in zip(_COLUMNS, kinds.sums[kind], strict=True)
        )
