"""The doctor's looks at database, limiter store and disk, each at a real one that is broken."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import NullPool, create_engine, func, make_url, select, text

from llm_api.diagnostics.redis import LimiterChecks
from llm_api.diagnostics.spool import spool_folder, spool_space
from llm_api.storage.sql.migrate import upgrade
from llm_api.storage.sql.tables import metadata, schema_compatibility
from tests.diagnostics.checking import run_sql, said_of_database, said_of_limiter
from tests.storage.checkout import BEING_WRITTEN
from tests.support.ports import LOOPBACK, closed_port
from tests.support.schema import give_schema
from tests.support.servers import PostgresServer, ValkeyServer
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until


def with_password(url: str, password: str) -> str:
    """Change the password of an address."""
    return make_url(url).set(password=password).render_as_string(hide_password=False)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run a Valkey that the test may break."""
    with ValkeyServer(tmp_path) as server:
        yield server


def test_a_good_database_is_ok_and_stays_empty(database: str) -> None:
    assert said_of_database(database) == "ok"

    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:  # `usage` is a word of MySQL: a text would need quotes
            rows = 1 if table is schema_compatibility else 0
            assert connection.scalar(select(func.count()).select_from(table)) == rows


def test_a_database_that_lacks_a_migration_is_to_be_upgraded(database: str, tmp_path: Path) -> None:
    migrations = tmp_path / "root" / "migrations"
    shutil.copytree(REPOSITORY_ROOT / "migrations", migrations, ignore=BEING_WRITTEN)
    versions = migrations / "versions"
    revision = max(versions.glob("0*.py")).stem.split("_", 1)[0]
    (versions / "9999_next.py").write_text(f'revision = "9999"\ndown_revision = "{revision}"\n')

    text_ = said_of_database(database, tmp_path / "root")

    assert text_.startswith("FAIL The schema is behind")
    assert "flask --app wsgi db upgrade" in text_


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_a_database_without_tables_is_to_be_upgraded(
    server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server).new_database()

    assert "Run `flask --app wsgi db upgrade`" in said_of_database(url)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_keep_every_text_works_and_is_told(
    encoding: str, postgres: PostgresServer
) -> None:
    name = f"in_{encoding.lower()}"
    options = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    engine = create_engine(postgres.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {options}"))
    url = make_url(postgres.url).set(database=name).render_as_string(hide_password=False)

    upgrade(url, REPOSITORY_ROOT)

    said = said_of_database(url)
    assert said.startswith(f"FAIL The database's encoding is {encoding}")
    assert "ENCODING 'UTF8'" in said


def test_a_database_of_a_later_version_is_told(database: str) -> None:
    run_sql(database, "UPDATE alembic_version SET version_num = 'later'")

    assert "newer than this version" in said_of_database(database)


def test_a_database_of_a_later_version_that_works_with_this_one_is_ok(database: str) -> None:
    run_sql(database, "UPDATE alembic_version SET version_num = '9999'")
    works = said_of_database(database)
    run_sql(database, "UPDATE schema_compatibility SET oldest = '9999'")

    assert works == "ok"
    assert "newer than this version" in said_of_database(database)


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"

    assert "not there yet" in said_of_database(f"sqlite:///{path}")
    assert not path.exists()


def test_a_missing_folder_that_the_first_start_makes_is_not_made(tmp_path: Path) -> None:
    text_ = said_of_database(f"sqlite:///{tmp_path}/instance/sub/usage.db")

    assert "not there yet" in text_
    assert "db upgrade" in text_
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    text_ = said_of_database(f"sqlite:///{tmp_path / 'file' / 'sub' / 'usage.db'}")

    assert "cannot be made" in text_
    assert str(tmp_path) not in text_


@pytest.mark.parametrize(
    ("url", "hint"),
    [("sqlite:///{}", "Name a file"), ("sqlite://", "in memory")],
    ids=["folder", "memory"],
)
def test_a_sqlite_address_without_a_file_is_told(url: str, hint: str, tmp_path: Path) -> None:
    assert hint in said_of_database(url.format(tmp_path))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    path.write_bytes(b"no database, " * 1000)

    assert "no intact SQLite database" in said_of_database(f"sqlite:///{path}")


def test_a_sqlite_file_that_can_only_be_read_is_told(sqlite_database: str) -> None:
    path = make_url(sqlite_database).database

    text_ = said_of_database(f"sqlite:///file:{path}?mode=ro&uri=true")

    assert "can be read, and not written" in text_


def test_a_locked_sqlite_file_is_told(sqlite_database: str) -> None:
    engine = create_engine(sqlite_database, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

        assert "locked" in said_of_database(sqlite_database)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_told(scheme: str) -> None:
    with closed_port() as port:
        url = f"{scheme}://user:canary@{LOOPBACK}:{port}/usage"

        assert "Start the database" in said_of_database(url)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_database_host_that_nobody_knows_is_told(scheme: str) -> None:
    text_ = said_of_database(f"{scheme}://user:canary@db.invalid/usage")

    assert "Correct the host in DATABASE_URL" in text_


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_a_wrong_password_of_a_database_is_told(
    server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server).url

    text_ = said_of_database(with_password(url, "canary"))

    assert "Correct user and password" in text_
    assert "canary" not in text_


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_a_missing_database_is_told(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server).url

    assert "Create the database" in said_of_database(f"{url}_missing")


def test_a_postgresql_that_can_only_be_read_is_told(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    give_schema(url)
    name = make_url(url).database
    run_sql(postgres.url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    assert "name the primary" in said_of_database(url)


@pytest.mark.parametrize("name", ["postgres", "mariadb"])
def test_a_silent_database_is_told(name: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    server.freeze()
    try:
        assert "did not answer in time" in said_of_database(server.url)
    finally:
        server.thaw()


def test_a_good_limiter_store_is_ok_and_stays_empty(valkey: ValkeyServer) -> None:
    assert said_of_limiter(valkey.url) == "ok"

    with redis.Redis.from_url(valkey.url) as client:
        assert client.dbsize() == 0


def test_a_silent_limiter_store_is_told(valkey: ValkeyServer) -> None:
    valkey.freeze()

    assert "did not answer within" in said_of_limiter(valkey.url)


BROKEN_BY = {
    "needs a password": (["CONFIG", "SET", "requirepass", "canary"], "requires a password"),
    "is a replica": (["REPLICAOF", LOOPBACK, "1"], "Name the primary"),
    "is full": (["CONFIG", "SET", "maxmemory", "1"], "Raise its maxmemory"),
    "may not be written": (
        ["ACL", "SETUSER", "default", "-@write"], "Allow it GET, SET",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_BY)
def test_a_broken_limiter_store_is_told(case: str, valkey: ValkeyServer) -> None:
    command, hint = BROKEN_BY[case]
    with redis.Redis.from_url(valkey.url) as client:
        client.execute_command(*command)

    text_ = said_of_limiter(valkey.url)

    assert text_.startswith("FAIL")
    assert hint in text_


@pytest.mark.parametrize("limit", ["0", "1"])  # of memory: none, and none left
def test_a_check_leaves_no_connection_to_the_limiter_store(
    limit: str, valkey: ValkeyServer
) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory", limit)
    checks = LimiterChecks(valkey.url)

    states = [checks.reachable().state, checks.writable().state]

    assert states == ["ok", "ok" if limit == "0" else "FAIL"]
    wait_until(lambda: valkey.open_connections() == 0, 20, "a connection stayed open")


def test_a_wrong_password_of_the_limiter_store_is_told(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("requirepass", "right")

    text_ = said_of_limiter(valkey.url.replace("redis://", "redis://:canary@"))

    assert "Correct user and password" in text_
    assert "canary" not in text_


def test_a_limiter_store_without_tls_is_told(valkey: ValkeyServer) -> None:
    assert "rediss://" in said_of_limiter(valkey.url.replace("redis://", "rediss://"))


def test_a_limiter_store_that_hangs_up_is_told() -> None:
    with ScriptedUpstream() as no_store:
        assert "requires TLS" in said_of_limiter(f"redis://{LOOPBACK}:{no_store.port}/0")


def test_a_limiter_host_that_nobody_knows_is_told() -> None:
    assert "could not be resolved" in said_of_limiter("redis://store.invalid:6379/0")


def test_rows_that_wait_are_told(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with (tmp_path / "one" / "1.jsonl").open("wb") as file:
        file.truncate(100 << 20)

    assert spool_folder(tmp_path).state == "WARN"
    assert "100 MB" in spool_folder(tmp_path).found


def test_a_spool_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "instance" / "spool"

    assert spool_folder(folder).state == "ok"
    assert "free" in spool_space(folder).found
    assert not folder.parent.exists()
