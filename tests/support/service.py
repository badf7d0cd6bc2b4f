"""The service as an operator runs it: migrated, under gunicorn, in a process of its own."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import MetaData, NullPool, Table, create_engine, func, select, table

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Child, children_of
from tests.support.schema import give_schema
from tests.support.waiting import wait_until

Schema = Literal["copied", "migrated", "none"]

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
_GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
_MIGRATION = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
# Four workers import the service at once, on two cores that run three more tests: 30 s were too few
# in CI. It is the harness's patience, no promise of the service.
_START_TIMEOUT = 60.0
_PROBE_TIMEOUT = 2.0
_STOP_TIMEOUT = 5.0
# Lines are written up to 50 ms after the first that waits (observability/log_queue.py).
_LOG_DELAY_S = 0.15


class ServiceStartError(Exception):
    """The migration or the service ended in place of getting ready."""

    def __init__(self, exit_code: int, log: str) -> None:
        """Keep what the process ended with and said."""
        super().__init__(f"exit code {exit_code}\n{log}")
        self.exit_code = exit_code
        self.log = log


class Service:
    """A gunicorn on a free loopback port, with an environment built from nothing.

    The database is a SQLite file in ``directory`` unless ``env`` names another; it has the schema
    before the first start. Port, database and log outlive a restart: ``terminate`` and ``start``
    may follow each other.
    """

    def __init__(
        self,
        directory: Path,
        env: Mapping[str, str] | None = None,
        *,
        root: Path = REPOSITORY_ROOT,
        schema: Schema = "copied",
        through: Sequence[str] = (),
    ) -> None:
        """Prepare without starting.

        Args:
            directory: where the log is written, and the database.
            env: environment variables; nothing is inherited but PATH.
            root: where wsgi.py and gunicorn.conf.py are.
            schema: how the database gets it: once, as tests do it ("copied"), or from
                `flask db upgrade` at every start ("migrated"), or not at all ("none").
            through: a command that runs the one behind it, in its own place.
        """
        self._through = through
        self._directory = directory
        self.root = root
        self._schema = schema
        self.env = {
            "PATH": os.pathsep.join(os.get_exec_path()),
            "HOME": str(directory),
            "BIND": f"{LOOPBACK}:{free_port()}",
            "DATABASE_URL": f"sqlite:///{directory / 'service.db'}",
            **(env or {}),
        }

    def __enter__(self) -> Self:
        """Start, and wait until the service answers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the service; a test of its orderly end calls ``terminate``."""
        self._child.end(signal.SIGKILL, _STOP_TIMEOUT)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.env["BIND"].rpartition(":")
        return host, int(port)

    @property
    def url(self) -> str:
        """The root URL, without a slash at its end."""
        return "http://{}:{}".format(*self.address)

    @property
    def pid(self) -> int:
        """The process id of gunicorn's master."""
        return self._child.pid

    def worker_pids(self) -> list[int]:
        """Return the process ids of the living workers."""
        return [child.pid for child in children_of(self.pid)]

    def start(self) -> None:
        """Migrate, start, and wait for /healthz; ServiceStartError when a process ends instead."""
        if self._schema == "migrated":
            self._migrate()
        if self._schema == "copied":
            give_schema(self.env["DATABASE_URL"])
            self._schema = "none"
        self._child = self.run_program()
        try:
            self._wait_for_health()
        except BaseException:
            self._child.end(signal.SIGKILL, _STOP_TIMEOUT)
            raise

    def run_program(self) -> Child:
        """Start what serves."""
        command = [*self._through, *_GUNICORN]
        return Child(command, log=self.log_path, env=self.env, cwd=self.root)

    def terminate(self, timeout: float) -> int:
        """Send SIGTERM to the master and return its exit code; AssertionError after the time."""
        self._child.send(signal.SIGTERM)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            message = f"the service still runs {timeout} s after SIGTERM\n{self.log()}"
            raise AssertionError(message) from error

    def kill(self) -> None:
        """Kill the master with SIGKILL and nothing else: its workers are to notice."""
        self._child.send(signal.SIGKILL)
        self._child.wait(_STOP_TIMEOUT)

    def is_healthy(self) -> bool:
        """Tell whether GET /healthz answers 200 now."""
        connection = http.client.HTTPConnection(*self.address, timeout=_PROBE_TIMEOUT)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def log(self) -> str:
        """Return what migration and service wrote to stdout and stderr so far."""
        time.sleep(_LOG_DELAY_S)
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_records(self) -> list[dict[str, Any]]:
        """Return the lines of the log that are JSON objects."""
        lines = (line for line in self.log().splitlines() if line.startswith("{"))
        return [json.loads(line) for line in lines]

    def usage_rows(self) -> list[dict[str, Any]]:
        """Read the table ``usage`` by primary key, whichever database it is in."""
        engine = create_engine(self.env["DATABASE_URL"], poolclass=NullPool)
        usage = Table("usage", MetaData(), autoload_with=engine)
        with engine.connect() as connection:
            rows = connection.execute(select(usage).order_by(*usage.primary_key)).mappings()
            return [dict(row) for row in rows]

    def usage_count(self) -> int:
        """Count the rows of the table ``usage``: for whoever asks again and again."""
        engine = create_engine(self.env["DATABASE_URL"], poolclass=NullPool)
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(table("usage"))).scalar_one()

    @property
    def log_path(self) -> Path:
        """Where migration and service write to."""
        return self._directory / "service.log"

    def _migrate(self) -> None:
        command = [*self._through, *_MIGRATION]
        child = Child(command, log=self.log_path, env=self.env, cwd=self.root)
        try:
            exit_code = child.wait(_START_TIMEOUT)
        finally:
            child.end(signal.SIGKILL, _STOP_TIMEOUT)
        if exit_code != 0:
            raise ServiceStartError(exit_code, self.log())

    def _wait_for_health(self) -> None:
        wait_until(
            lambda: self._child.exit_code is not None or self.is_healthy(),
            _START_TIMEOUT,
            lambda: f"the service answers GET /healthz with 200\n{self.log()}",
        )
        if self._child.exit_code is not None:
            raise ServiceStartError(self._child.exit_code, self.log())
