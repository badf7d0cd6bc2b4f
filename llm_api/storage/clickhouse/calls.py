"""The usage store in ClickHouse.

Each native thread has a client of its own. A connection that gevent waits for belongs to the loop
of the thread that opened it, and so does a lock of the client's pool; see
`llm_api.runtime.native_threads`.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver import httputil
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, OperationalError
from gevent.monkey import get_original

from llm_api.domain.call_times import TIMES
from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums
from llm_api.storage import RefusedError, StoreError
from llm_api.storage.clickhouse.call_columns import (
    AMOUNTS,
    CALL_COLUMNS,
    CALLS,
    COUNT_COLUMNS,
    COUNTS,
    TABLES,
    call_row,
    count_row,
    record_of,
)
from llm_api.storage.sums import COLUMNS, DIMENSIONS, SumsReader

_CONNECT_S, _ANSWER_S = 3, 30
_SUMS = ", ".join(f"sum({name})" for name in AMOUNTS)
_ALWAYS_READ = frozenset({"status", "usage_source", "currency"})
_SPANS: Mapping[str, str] = MappingProxyType(
    {"hour": "starts_at", "day": "toDateTime(toStartOfDay(starts_at, 'UTC'), 'UTC')"}
)
_MOMENT = "DateTime64(6, 'UTC')"


def connect(url: str) -> Any:
    """Make a client of a server, which it asks at once; raises ClickHouseError.

    Args:
        url: clickhouse://user:password@host:8123/database, or clickhouses:// for TLS.
    """
    parts = urlsplit(url)
    is_tls = parts.scheme == "clickhouses"
    return clickhouse_connect.get_client(
        host=parts.hostname,
        port=parts.port or (8443 if is_tls else 8123),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
        secure=is_tls,
        connect_timeout=_CONNECT_S,
        send_receive_timeout=_ANSWER_S,
        query_retries=0,
        compress=False,  # of some hundred rows it saves less than it costs
        # A session of the server is of no use to single statements.
        autogenerate_session_id=False,
        pool_mgr=httputil.get_pool_manager(),  # by default all clients share one
    )


class ClickHouseUsage:
    """Keeps calls in two tables, which it creates."""

    def __init__(self, make_client: Callable[[], Any]) -> None:
        """Connect to nothing yet; `make_client` is as `connect`, of one server."""
        self._make_client = make_client
        self._own = get_original("threading", "local")()
        self._clients: deque[Any] = deque()
        self._has_tables = False

    def add(self, records: Sequence[UsageRecord]) -> None:
        """See UsageStore.

        Where only the counts were stored, the same records come again, and are counted once.
        """
        now = time.time_ns()
        rows = {record.request_id: call_row(record, now) for record in records}
        counts = {record.request_id: count_row(record, now) for record in records}
        if rows:
            with self._asking() as client:
                for table, columns, data in (
                    (COUNTS, COUNT_COLUMNS, counts),
                    (CALLS, CALL_COLUMNS, rows),
                ):
                    client.insert(
                        table,
                        list(data.values()),
                        column_names=list(columns),
                        column_type_names=list(columns.values()),
                    )

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """See UsageStore."""
        reader, by = SumsReader(query), _told_apart(query)
        listed = ", ".join(by.values())
        where, values = _filters_of(query)
        source = f"FROM {COUNTS} FINAL WHERE {where}"
        for row in self._rows(
            f"SELECT {listed}, count(), {_SUMS} {source} GROUP BY {listed}", values
        ):
            reader.add(dict(zip([*by, "calls", *AMOUNTS], row, strict=True)))
        for name in TIMES if query.has_times else ():
            bucket = f"{name}_bucket"
            for row in self._rows(
                f"SELECT {listed}, {bucket}, count() {source} AND {bucket} IS NOT NULL"
                f" GROUP BY {listed}, {bucket}",
                values,
            ):
                counted = {"times": {name: {row[-2]: row[-1]}}}
                reader.add_times(dict(zip(by, row, strict=False)) | counted)
        return reader.groups()

    def find(self, request_id: str, key_id: str | None, at_most: int) -> list[UsageRecord]:
        """See UsageStore."""
        found = self._rows(
            f"SELECT {', '.join(UsageRecord.__slots__)} FROM {CALLS} FINAL"  # noqa: S608  # values are parameters
            " WHERE (request_id = {id:String} OR shown_id = {id:String})"
            f"{'' if key_id is None else ' AND key_id = {key:String}'}"
            " ORDER BY created_at DESC, request_id LIMIT {most:UInt32}",
            {"id": request_id, "key": key_id or "", "most": at_most},
        )
        return [record_of(row) for row in found]

    def prune(self, before: datetime, at_most: int) -> int:
        """See UsageStore."""
        [(count, last)] = self._rows(
            "SELECT count(), max(place) FROM (SELECT (created_at, request_id) AS place"  # noqa: S608  # the same
            f" FROM {CALLS} FINAL WHERE created_at < {{before:{_MOMENT}}}"
            " ORDER BY place LIMIT {most:UInt32})",
            {"before": _written(before), "most": at_most},
        )
        if count:
            with self._asking() as client:
                client.command(
                    f"DELETE FROM {CALLS} WHERE (created_at, request_id)"  # noqa: S608  # the same
                    f" <= ({{at:{_MOMENT}}}, {{id:String}})",
                    parameters={"at": _written(last[0]), "id": last[1]},
                )
        return int(count)

    def check(self) -> None:
        """See UsageStore."""
        for table in (CALLS, COUNTS):
            self._rows(f"SELECT version FROM {table} LIMIT 0", {})  # noqa: S608  # there are no values

    def close(self) -> None:
        """See UsageStore."""
        while self._clients:
            self._clients.pop().close()

    def _rows(self, statement: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        with self._asking() as client:
            found: Sequence[Sequence[Any]] = client.query(statement, parameters=values).result_rows
            return found

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """Lend the client; raises StoreError where the server is away, or refuses."""
        try:
            yield self._connected()
        except DataError as error:
            raise RefusedError("ClickHouse cannot hold a value of a row.") from error
        except OperationalError as error:
            raise StoreError("ClickHouse does not answer.") from error
        except ClickHouseError as error:
            code = re.search(r"[Cc]ode:? (\d+)", str(error))
            what = f" ({code[1]} of its error codes)" if code else ""
            raise StoreError(f"ClickHouse refused a statement{what}.") from error

    def _connected(self) -> Any:
        client = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self._make_client()
            self._clients.append(client)
        if not self._has_tables:
            for name, statement in TABLES.items():
                # Who may create nothing can use tables that somebody else has created.
                if not client.command(f"EXISTS TABLE {name}"):
                    client.command(statement)
            self._has_tables = True
        return client


def _told_apart(query: UsageQuery) -> dict[str, str]:
    """Return what the rows of a report are grouped by: expressions, by the column of the sums."""
    columns = _ALWAYS_READ | {COLUMNS[name] for name in query.group_by}
    by = {name: name for name in DIMENSIONS if name in columns}
    span = next((_SPANS[name] for name in query.group_by if name in _SPANS), None)
    return by if span is None else {**by, "starts_at": span}


def _filters_of(query: UsageQuery) -> tuple[str, dict[str, Any]]:
    """Return the condition of a report, and its parameters."""
    conditions = ["starts_at >= {since:DateTime('UTC')}", "starts_at < {until:DateTime('UTC')}"]
    values: dict[str, Any] = {
        "since": f"{query.since.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "until": f"{query.until.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }
    for name, value in query.filters.items():
        if name == "tag":
            conditions.append("position(tags, {tag:String}) > 0")
        else:
            conditions.append(f"{COLUMNS[name]} = {{{name}:String}}")
        values[name] = f",{value}," if name == "tag" else value
    return " AND ".join(conditions), values


def _written(moment: datetime) -> str:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{aware:%Y-%m-%d %H:%M:%S.%f}"
