"""The minute itself: a service under load, its accidents, and what is left when they are over."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.accidents import Killer, database_away
from tests.chaos.books import Books, Row, read_table
from tests.chaos.load import Load, name_of, paced_reply
from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.servers import PostgresServer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

WORKERS = 4
# A minute: with the database, without, and with it again.
WITH_DATABASE, WITHOUT_DATABASE = 15.0, 30.0
# Rows of dead workers are looked for every 30 s; the machine may be busy.
_SETTLING = 90.0
_STOPPING = 40.0
_MANY = 100_000  # more replies than a minute takes


@dataclass(frozen=True)
class Aftermath:
    """What is left: `spooled` are files that no row should need any more."""

    killed: Sequence[int]
    exit_code: int
    books: Books
    sums: Mapping[str, Sequence[Row]]
    spooled: Sequence[Path]


def live_through(
    directory: Path, database: PostgresServer, upstream: ScriptedUpstream, seed: str
) -> Aftermath:
    """Run the service for the minute, let it settle, end it and collect what is left."""
    upstream.script(*[replies.answer_with(paced_reply)] * _MANY)
    env = {
        **fast_upstream(upstream.url),
        "DATABASE_URL": database.new_database(),
        "WEB_CONCURRENCY": str(WORKERS),
        "RATE_LIMIT": "1000000/minute",
    }
    with own_service(directory, env) as service:
        load, killer = Load(service.address, seed), Killer(service, seed)
        with load.running(), killer.running():
            time.sleep(WITH_DATABASE)
            with database_away(database):
                time.sleep(WITHOUT_DATABASE)
            time.sleep(WITH_DATABASE)
        wait_until(lambda: not _orphans(directory, service), _SETTLING, service.log)
        exit_code = service.terminate(_STOPPING)
        return Aftermath(
            killer.killed,
            exit_code,
            Books(load.calls, Counter(map(name_of, upstream.requests)), service.usage_rows()),
            {
                span: read_table(service.env["DATABASE_URL"], f"usage_{span}")
                for span in ("hourly", "daily")
            },
            _spooled(directory),
        )


def _spooled(directory: Path) -> list[Path]:
    return sorted((directory / "project" / "instance" / "spool").glob("*/*.jsonl"))


def _orphans(directory: Path, service: Service) -> list[Path]:
    """List the spool files whose worker is gone; a file's name begins with its number."""
    workers = set(service.worker_pids())
    return [one for one in _spooled(directory) if int(one.name.split("-")[0]) not in workers]
