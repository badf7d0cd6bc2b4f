"""The books of a service: its usage rows and their sums, against what clients and upstream saw."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import MetaData, NullPool, Table, create_engine, select

from tests.chaos.load import ANSWERED, CUT, LEFT, UpstreamCall

Row = Mapping[str, Any]
_DIMENSIONS = ("key_id", "route", "model", "upstream", "status", "usage_source", "currency", "tags")
_SUMS = (
    "attempts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "images",
    "cost_micro",
    "total_ms",
)
# The ends that a client can have seen of a call with a row of this status. A client whose worker
# died sees the same cut whatever the row says, and one that leaves does not know who came first.
_ENDS_OF_STATUS = {
    "ok": {ANSWERED, LEFT, CUT},
    "client_closed": {LEFT},
    "killed": {LEFT, CUT},
}


def read_table(url: str, name: str) -> list[Row]:
    """Read a table."""
    engine = create_engine(url, poolclass=NullPool)
    table = Table(name, MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


@dataclass(frozen=True)
class Books:
    """What the clients remember, the calls that the upstream saw, and the rows."""

    calls: Sequence[UpstreamCall]
    upstream: Counter[str]
    rows: Sequence[Row]

    @property
    def unsent(self) -> list[Row]:
        """Return the rows of calls that the upstream did not see."""
        return [row for row in self.rows if row["lineage_id"] not in self.upstream]

    def wrong_ends(self) -> Iterator[str]:
        """Yield the calls that went wrong by themselves."""
        return (f"{call}" for call in self.calls if call.end not in {ANSWERED, LEFT, CUT})

    def wrong_counts(self) -> Iterator[str]:
        """Yield the calls that have not exactly one request and one row."""
        rows = Counter(row["lineage_id"] for row in self.rows)
        yield from (f"{name}: no row" for name in self.upstream if name not in rows)
        yield from (f"{name}: {count} rows" for name, count in rows.items() if count > 1)
        yield from (f"{name}: {hits} requests" for name, hits in self.upstream.items() if hits > 1)
        served = (call for call in self.calls if call.end in {ANSWERED, LEFT})
        yield from (f"{call}: no request" for call in served if call.name not in self.upstream)
        # A row `killed` may be unsent: the worker died between the note and the call.
        yield from (f"{row}: no request" for row in self.unsent if row["status"] != "killed")

    def wrong_rows(self) -> Iterator[str]:
        """Yield the rows that do not say what the client and the upstream saw."""
        calls = {call.name: call for call in self.calls}
        for row in self.rows:
            call, status = calls.get(row["lineage_id"]), row["status"]
            if call is None:
                yield f"{row}: no client made this call"
            elif call.end not in _ENDS_OF_STATUS.get(status, set()):
                yield f"{call}: its row says {status}, {row['reason']}"
            # The row of a call that was killed dates from before the first attempt.
            if row["attempts"] != (0 if status == "killed" else 1):
                yield f"{call}: its row says {status}, {row['attempts']} attempts"

    def summary(self) -> str:
        """Count what there was."""
        ends = Counter(f"{call.kind} {call.end.partition(':')[0]}" for call in self.calls)
        statuses = Counter(row["status"] for row in self.rows)
        return (
            f"{len(self.calls)} calls: {dict(ends)}; {self.upstream.total()} upstream requests;"
            f" rows: {dict(statuses)}; killed before they were sent: {len(self.unsent)}"
        )


def wrong_sums(rows: Sequence[Row], sums: Sequence[Row], **start: int) -> list[str]:
    """Compare a table of sums with the rows; `start` is what a time of its span begins with."""
    expected: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    for row in rows:
        group = expected[_group(row, row["created_at"].replace(**start))]
        group.update({name: row[name] or 0 for name in _SUMS}, calls=1)
    found = {_group(row, row["starts_at"]): row for row in sums}
    wrongs = [f"{len(sums)} sums of {len(expected)} groups"] if len(sums) != len(expected) else []
    for key in expected.keys() | found.keys():
        is_, should_be = found.get(key, {}), expected.get(key, {})
        names = [name for name in ("calls", *_SUMS) if is_.get(name) != should_be.get(name)]
        wrongs += [f"{key}: {name} is {is_.get(name)}, not {should_be.get(name)}" for name in names]
    return wrongs


def _group(row: Row, starts_at: datetime) -> tuple[object, ...]:
    return (starts_at, *(row[name] or "" for name in _DIMENSIONS))
