"""MariaDB for tests, from the operating system's package: no wheel has it.

Where `mariadbd` is not installed, the tests that need it are skipped; see `missing_programs`.
"""

import os
import secrets
import shutil
import socket
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, make_url, text

from tests.support.ports import LOOPBACK
from tests.support.servers import DatabaseServer

_CREATE_TIMEOUT = 60.0
_PING_TIMEOUT = 1.0
_PATH = os.pathsep.join([os.environ.get("PATH", ""), os.defpath, "/usr/sbin", "/usr/local/sbin"])
_SERVER, _INSTALLER = "mariadbd", "mariadb-install-db"
_USER = "tester"
_SPEED = {
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-doublewrite": "0",
    "performance-schema": "OFF",
}
# What a server may be set to, and the service must not depend on.
_UNKIND_DEFAULTS = {
    "character-set-server": "utf8mb3",
    "collation-server": "utf8mb3_general_ci",
    "default-storage-engine": "Aria",  # it has no transactions
    "default-time-zone": "+05:30",
    "sql-mode": "",  # values that are too long are cut silently
    "transaction-isolation": "REPEATABLE-READ",
}


def missing_programs() -> str:
    """Say why MariaDB cannot be started here; "" where it can."""
    if all(shutil.which(name, path=_PATH) for name in (_SERVER, _INSTALLER)):
        return ""
    return "mariadbd is not installed; on Debian and Ubuntu: apt-get install mariadb-server"


class MariaDbServer(DatabaseServer):
    """MariaDB with data of its own; tables of a new database are utf8mb3 by default."""

    _admin_database = "mysql"

    def new_user(self, url: str, rights: str, password: str = "secret") -> str:  # noqa: S107
        """Create a user with these rights on a database; return the database's URL for it."""
        database = make_url(url)
        name = f"user_{secrets.token_hex(4)}"
        engine = create_engine(self.url, connect_args={"charset": "utf8mb4"}, poolclass=NullPool)
        with engine.connect() as connection:
            who = f"{name}@'{LOOPBACK}'"
            connection.execute(text(f"CREATE USER {who} IDENTIFIED BY :word"), {"word": password})
            connection.execute(text(f"GRANT {rights} ON {database.database}.* TO {who}"))
        url_of_user = database.set(username=name, password=password)
        return url_of_user.render_as_string(hide_password=False)

    @property
    def _options(self) -> list[str]:
        places = {
            "datadir": str(self._data_home / "data"),
            # A server that starts removes the temporary tables of others in the same folder.
            "tmpdir": str(self._data_home),
            "socket": str(self._data_home / "socket"),
            "pid-file": str(self._data_home / "pid"),
        }
        settings = {**places, **_SPEED, **_UNKIND_DEFAULTS}
        return [f"--{name}={value}" for name, value in settings.items()]

    def _url(self, database: str) -> str:
        url = URL.create(
            "mysql+pymysql",
            username=_USER,
            password=self._password,
            host=LOOPBACK,
            port=self.port,
            database=database,
        )
        return url.render_as_string(hide_password=False)

    def _create_data(self) -> None:
        # The server reads it at every start.
        who = f"{_USER}@'{LOOPBACK}'"
        (self._data_home / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO {who} WITH GRANT OPTION;\n"
        )
        if self._user is not None:
            for path in [self._data_home, *self._data_home.iterdir()]:
                os.chown(path, self._user, self._user)
        installer = [_program(_INSTALLER), "--no-defaults", "--skip-test-db", "--skip-name-resolve"]
        self._finish([*installer, *self._options], _CREATE_TIMEOUT)

    def _command(self) -> list[str | Path]:
        network = ["--skip-networking=0", f"--bind-address={LOOPBACK}", f"--port={self.port}"]
        rest = ["--skip-name-resolve", "--skip-log-bin", f"--init-file={self._home / 'init.sql'}"]
        return [_program(_SERVER), "--no-defaults", *self._options, *network, *rest]

    def _is_ready(self) -> bool:
        """Look for the greeting: its fifth byte is the protocol's version, 10."""
        try:
            with socket.create_connection((LOOPBACK, self.port), _PING_TIMEOUT) as connection:
                return connection.recv(5)[4:] == b"\x0a"
        except OSError:
            return False


def _program(name: str) -> str:
    path = shutil.which(name, path=_PATH)
    assert path, missing_programs()
    return path
