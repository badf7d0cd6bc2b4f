"""ClickHouse for tests, where `make clickhouse-engine` has installed its engine."""

import os
import sys
from pathlib import Path

import requests

from tests.support import clickhouse_engine
from tests.support.ports import LOOPBACK
from tests.support.processes import Child
from tests.support.servers import LocalServer


class ClickHouseServer(LocalServer):
    """The engine in a process of its own; a restart finds what was stored."""

    _databases = 0

    def new_database(self) -> str:
        """Create an empty database and return its URL, as of USAGE_STORE."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.run(self.url_of("default"), f"CREATE DATABASE {name}")
        return self.url_of(name)

    def run(self, url: str, statement: str) -> str:
        """Run a statement in a database, and return its answer."""
        database = {"database": url.rpartition("/")[2]}
        answer = requests.post(self._address, data=statement, params=database, timeout=30)
        assert answer.ok, answer.text
        return answer.text.strip()

    def url_of(self, database: str) -> str:
        """Return the URL of a database, which need not be there."""
        return f"clickhouse://{LOOPBACK}:{self.port}/{database}"

    @property
    def _address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/"

    def _command(self) -> list[str | Path]:
        return [sys.executable, clickhouse_engine.__file__, str(self.port), self._home / "engine"]

    def _run(self, command: list[str | Path]) -> Child:
        env = {"PATH": os.defpath, "HOME": str(self._home), "TZ": "UTC"}
        return Child(command, log=self._log_path, env=env, cwd=self._home)

    def _is_ready(self) -> bool:
        try:
            return requests.post(self._address, data="SELECT 1", timeout=5).text == "1\n"
        except requests.ConnectionError:
            return False
