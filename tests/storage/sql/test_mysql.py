"""What is special about MySQL and MariaDB: a server set up unkindly, silent, or in the way."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Barrier

import pytest
import sqlalchemy as sa

from llm_api.storage import StoreError
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.tables import metadata, usage
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.records import ended, stored_rows
from tests.support.mariadb import MariaDbServer
from tests.support.service import REPOSITORY_ROOT

SESSION = """SELECT @@time_zone, @@sql_mode, @@character_set_connection, @@default_storage_engine,
@@tx_isolation, @@max_statement_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout"""
TABLES = """SELECT table_name, engine, table_collation FROM information_schema.tables
WHERE table_schema = database() AND table_name <> 'alembic_version'"""


@pytest.fixture
def store(mariadb_database: str) -> Iterator[SqlUsageStore]:
    """Open the store."""
    opened = SqlUsageStore(make_engine(mariadb_database))
    yield opened
    opened.close()


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    """Ask on a connection as the service has it."""
    engine = make_engine(url)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(question))]


@contextmanager
def transaction(url: str, *statements: str) -> Iterator[None]:
    """Hold a transaction open in which the statements were run."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        yield


def test_the_session_is_the_service_s_own_whatever_the_server_is_set_to(
    mariadb_database: str,
) -> None:
    assert ask(mariadb_database, SESSION) == [(
        "+00:00", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "utf8mb4", "InnoDB",
        "READ-COMMITTED", 5, 4, 4,
    )]  # fmt: skip


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_tables_hold_any_character_on_a_server_set_to_utf8mb3(
    scheme: str, mariadb: MariaDbServer
) -> None:
    url = mariadb.new_database().replace("mysql+pymysql", scheme)
    migrate.upgrade(url, REPOSITORY_ROOT)

    names = {table.name: ("InnoDB", "utf8mb4_nopad_bin") for table in metadata.sorted_tables}
    assert {name: tuple(rest) for name, *rest in ask(url, TABLES)} == names
    assert ask(url, "SELECT @@character_set_database") == [("utf8mb3",)]


def test_a_row_of_four_byte_characters_comes_back(
    store: SqlUsageStore, mariadb_database: str
) -> None:
    record = ended(
        "req_🙂", model="𠮷🙂" * 128, requested_model="👨‍👩‍👧", tags=",🏷️,𠮷,", key_id="🔑"
    )

    store.add([record])

    (row,) = stored_rows(mariadb_database)
    kept = [row[name] for name in ("request_id", "model", "requested_model", "tags", "key_id")]
    assert kept == [record.request_id, record.model, "👨‍👩‍👧", ",🏷️,𠮷,", "🔑"]


def test_moments_keep_their_microseconds(store: SqlUsageStore, mariadb_database: str) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 0, 999_999, tzinfo=UTC)  # no such time in Berlin

    store.add([ended(created_at=moment)])

    assert stored_rows(mariadb_database)[0]["created_at"] == moment.replace(tzinfo=None)


@pytest.mark.parametrize("value", ["m" * 257, None])
def test_what_does_not_fit_is_refused_and_not_cut(
    value: str | None, store: SqlUsageStore, mariadb_database: str
) -> None:
    store.add([ended()])
    engine = make_engine(mariadb_database)

    with pytest.raises(sa.exc.DBAPIError), engine.begin() as connection:
        connection.execute(sa.update(usage).values(model=value))

    assert stored_rows(mariadb_database)[0]["model"] == "scripted"


def test_any_password_can_be_used(mariadb: MariaDbServer, mariadb_database: str) -> None:
    url = mariadb.new_user(mariadb_database, "ALL", password="密码 🙂/@:%é")

    SqlUsageStore(make_engine(url)).check()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "hunter2"}, "The database refused the user or the password."),
        ({"database": "canary"}, "The server has no database of that name."),
        ({"database": ""}, "DATABASE_URL names no database on the server."),
        (
            {"host": "db.invalid"},
            "The database cannot be reached: the host name in DATABASE_URL does not resolve.",
        ),
    ],
)
def test_an_address_that_is_wrong_is_told_in_words(
    change: dict[str, str], said: str, mariadb: MariaDbServer
) -> None:
    url = sa.make_url(mariadb.url).set(**change)
    store = SqlUsageStore(make_engine(url.render_as_string(hide_password=False)))

    with pytest.raises(StoreError) as caught:
        store.check()

    assert str(caught.value) == said


def test_a_user_without_rights_is_told_in_words(
    mariadb: MariaDbServer, mariadb_database: str
) -> None:
    store = SqlUsageStore(make_engine(mariadb.new_user(mariadb_database, "SELECT")))

    with pytest.raises(StoreError, match="lacks a privilege on the tables"):
        store.add([ended()])


def test_rows_that_another_transaction_holds_are_told_in_time(mariadb_database: str) -> None:
    store = SqlUsageStore(make_engine(mariadb_database, statement_timeout=2))
    store.add([ended()])

    with (
        transaction(mariadb_database, "UPDATE usage_hourly SET calls = 5"),
        pytest.raises(StoreError, match="locked by another process"),
    ):
        store.add([ended("req_2")])

    assert [row["request_id"] for row in stored_rows(mariadb_database)] == ["req_1"]
    store.add([ended("req_2")])


def test_a_deadlock_is_told_in_words(store: SqlUsageStore, mariadb_database: str) -> None:
    store.add([ended("req_1"), ended("req_2")])
    engine = make_engine(mariadb_database)
    both = Barrier(2)

    def take(*order: str) -> str:
        try:
            with engine.begin() as connection:
                for request_id in order:
                    where = usage.c.request_id == request_id
                    connection.execute(sa.update(usage).where(where).values(attempts=2))
                    if request_id == order[0]:
                        both.wait(10)
        except sa.exc.DBAPIError as error:
            return what_failed(error)
        return ""

    with ThreadPoolExecutor() as pool:
        told = list(pool.map(take, ("req_1", "req_2"), ("req_2", "req_1")))

    assert sorted(told) == [
        "", "The database ended a transaction that deadlocked with another.",
    ]  # fmt: skip


def test_a_statement_that_takes_too_long_is_ended(mariadb_database: str) -> None:
    engine = make_engine(mariadb_database, statement_timeout=1)
    started = time.monotonic()

    with pytest.raises(sa.exc.DBAPIError) as caught, engine.connect() as connection:
        connection.execute(sa.text("SELECT SLEEP(30) FROM information_schema.tables"))

    assert what_failed(caught.value) == "The database did not answer in time."
    assert time.monotonic() - started < 3


def test_a_server_that_falls_silent_holds_nobody_for_long(
    mariadb: MariaDbServer, mariadb_database: str
) -> None:
    store = SqlUsageStore(make_engine(mariadb_database, statement_timeout=1))
    store.add([ended()])
    mariadb.freeze()
    started = time.monotonic()
    try:
        with pytest.raises(StoreError, match="did not answer in time"):
            store.add([ended("req_2")])
        took = time.monotonic() - started
    finally:
        mariadb.thaw()

    assert took < 5
    store.add([ended("req_2")])
    assert len(stored_rows(mariadb_database)) == 2


def test_a_server_that_comes_back_is_used_again(
    mariadb: MariaDbServer, mariadb_database: str
) -> None:
    store = SqlUsageStore(make_engine(mariadb_database))
    store.add([ended()])

    mariadb.stop()
    with pytest.raises(StoreError, match="cannot be reached"):
        store.add([ended("req_2")])
    mariadb.start()

    store.add([ended("req_2")])
    assert len(stored_rows(mariadb_database)) == 2
