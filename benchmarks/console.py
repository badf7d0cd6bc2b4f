"""Measure the console's page of usage with a million rows: `python -m benchmarks.console`.

The pages and a report of the API are asked for in turn, of calls of the last 30 days. Reports read
sums and never the rows, so that it is the sums of a million rows that the store's own code fills
in. The promise is a page in less than 1.5 s on SQLite and PostgreSQL. What is computed is that of
the service: on SQLite with the database's share, on PostgreSQL without.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient

from llm_api.app import create_app
from llm_api.domain.timestamps import utc_text
from llm_api.domain.usage import UsageRecord
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.rollups import add_to_rollups
from tests.support.servers import PostgresServer

_BATCH = 20_000
_SPAN_S = 30 * 86_400
_KEYS, _MODELS = 50, 5
_BY = ("model", "key", "group", "tag", "upstream")
_API = {"API, by day and model": "/api/v1/usage?group_by=day,model&page_size=10000"}


def calls(rows: int) -> Iterator[list[UsageRecord]]:
    """Yield calls of the last 30 days in the order of their times, in batches."""
    chance = random.Random(66)  # noqa: S311  # the same calls at every run
    begin = datetime.now(UTC) - timedelta(seconds=_SPAN_S)
    for start in range(0, rows, _BATCH):
        yield [_call(number, rows, begin, chance) for number in range(start, start + _BATCH)]


def _call(number: int, rows: int, begin: datetime, chance: random.Random) -> UsageRecord:
    key, model, luck = chance.randrange(_KEYS), chance.randrange(_MODELS), chance.random()
    is_well = luck < 0.97  # about as many as a good month has
    return UsageRecord(
        f"req_{number:08}",
        begin + timedelta(seconds=number * _SPAN_S / rows),
        "/v1/chat/completions",
        None,
        f"vendor-model-{model}",
        f"upstream-{model % 2}",
        status="ok" if is_well else "upstream_error",
        reason=None if is_well else "upstream_unavailable",
        attempts=1,
        prompt_tokens=chance.randrange(3_000),
        completion_tokens=chance.randrange(900),
        usage_source="upstream",
        total_ms=int(chance.lognormvariate(7.2, 0.7)),
        first_token_ms=int(chance.lognormvariate(5.8, 0.5)),
        key_id=f"key_{key:016x}",
        cost_micro=chance.randrange(30_000),
        currency="CNY",
        tags=f",app=a{key % 9},team=t{key % 4},",
    )


def fill(url: str, rows: int) -> None:
    """Put the sums of rows into a new database, as the store does with the rows."""
    migrate.upgrade(url, PROJECT_ROOT)
    engine = make_engine(url, statement_timeout=0)
    for batch in calls(rows):
        with engine.begin() as connection:
            add_to_rollups(connection, [row_of(record) for record in batch])
    engine.dispose()


def row_of(record: UsageRecord) -> dict[str, Any]:
    """Return a record as the store writes it."""
    row = {name: getattr(record, name) for name in UsageRecord.__slots__}
    return {**row, "created_at": record.created_at.replace(tzinfo=None)}


@contextmanager
def client_of(url: str) -> Iterator[FlaskClient]:
    """Build the application on a database; it listens nowhere."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "config").symlink_to(PROJECT_ROOT / "config")
        app = create_app(Settings.from_env({"DATABASE_URL": url}, root=root))
        yield app.test_client()
        for name in ("llm_api", "llm_api_spool"):
            app.extensions[name].close()


def paths() -> dict[str, str]:
    """Return what is asked for: pages of each dimension, over the spans that read most, by name."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # As a month in China is read: days, and hours at both ends.
    ends = [(now - timedelta(days=days)).replace(hour=16) for days in (28, 1)]
    spans = {
        "30 days": {"days": "30"},
        "27 days from 16:00": _span(*ends),
        "24 hours": {"days": "1"},
        "72 hours": _span(now - timedelta(hours=72), now),  # the most that is shown by the hour
    }
    return {
        f"page by {by}, {name}": f"/console/usage?{urlencode({'by': by, **span})}"
        for by in _BY
        for name, span in spans.items()
    } | _API


def _span(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": utc_text(since), "until": utc_text(until)}


def seconds_of(act: Callable[[], object]) -> tuple[float, float]:
    """Return how long something takes, and how long this process computes for it."""
    began, computed = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - began, time.process_time() - computed


def measure(name: str, url: str, rows: int, rounds: int) -> None:
    """Fill a database, and print how long the page takes."""
    fill(url, rows)
    print(f"{name}: {rows} rows", flush=True)
    with client_of(url) as client:
        for what, path in paths().items():

            def ask(path: str = path) -> None:
                answer = client.get(path)
                assert answer.status_code == 200, answer.text  # noqa: S101  # of a benchmark

            times, computed = zip(*(seconds_of(ask) for _ in range(rounds)), strict=True)
            print(
                f"  {what}: median {median(times) * 1e3:.0f} ms, longest {max(times) * 1e3:.0f} ms,"
                f" of CPU {median(computed) * 1e3:.0f} ms",
                flush=True,
            )


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "PostgreSQL":
            measure("SQLite", f"sqlite:///{folder}/usage.db", options.rows, options.rounds)
        if options.only != "SQLite":
            (place := Path(folder) / "postgres").mkdir()
            with PostgresServer(place) as server:
                measure("PostgreSQL", server.new_database(), options.rows, options.rounds)


if __name__ == "__main__":
    main()
