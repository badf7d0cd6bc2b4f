"""The usage store in SQL: what is in its tables, and its errors, on every database.

What every usage store promises is in contract.py.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.crowd import in_processes
from tests.storage.records import begun, ended, stored_rows
from tests.storage.sqlite_writers import count_up, keep_1000_rows
from tests.support.ports import closed_port
from tests.support.servers import PostgresServer


def test_a_row_comes_back_as_it_was_kept(store: SqlUsageStore, database: str) -> None:
    record = ended(requested_model="gpt-9", reason="r", upstream_ms=12, total_ms=15, attempts=2)

    store.add([record])

    naive = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC).replace(tzinfo=None)
    assert stored_rows(database) == [{**asdict(record), "created_at": naive}]


def test_unknown_token_counts_stay_unknown(store: SqlUsageStore, database: str) -> None:
    store.add([ended(prompt_tokens=None, completion_tokens=None, usage_source="missing")])

    (row,) = stored_rows(database)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (None, None)


def test_a_second_copy_of_a_row_changes_nothing(store: SqlUsageStore, database: str) -> None:
    store.add([ended("req_1", status="ok")])

    store.add([ended("req_1", status="killed"), ended("req_2")])

    rows = [(row["request_id"], row["status"]) for row in stored_rows(database)]
    assert rows == [("req_1", "ok"), ("req_2", "ok")]


def test_two_copies_in_one_batch_are_kept_once(store: SqlUsageStore, database: str) -> None:
    store.add([ended("req_1"), ended("req_1")])

    assert len(stored_rows(database)) == 1


def test_a_batch_with_a_bad_row_keeps_none(store: SqlUsageStore, database: str) -> None:
    bad = ended("req_2", upstream=None)

    with pytest.raises(StoreError):
        store.add([ended("req_1"), bad, ended("req_3")])

    assert stored_rows(database) == []


def test_a_batch_after_a_failed_one_is_kept(store: SqlUsageStore, database: str) -> None:
    with pytest.raises(StoreError):
        store.add([ended("req_1", upstream=None)])

    store.add([ended("req_2")])

    assert [row["request_id"] for row in stored_rows(database)] == ["req_2"]


def test_token_counts_beyond_32_bits_are_kept(store: SqlUsageStore, database: str) -> None:
    store.add([ended(prompt_tokens=2**31, completion_tokens=2**62)])

    (row,) = stored_rows(database)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (2**31, 2**62)


def test_a_model_name_is_cut_to_what_the_column_holds(store: SqlUsageStore, database: str) -> None:
    store.add([ended(model="m" * 300, requested_model="模" * 300)])

    (row,) = stored_rows(database)
    assert (row["model"], row["requested_model"]) == ("m" * 256, "模" * 256)


def test_a_database_with_the_schema_passes_the_check(store: SqlUsageStore) -> None:
    store.check()


@pytest.mark.parametrize("act", [SqlUsageStore.check, lambda store: store.add([begun()])])
def test_a_database_without_the_schema_names_the_command(act: Any, empty_database: str) -> None:
    store = SqlUsageStore(make_engine(empty_database))

    with pytest.raises(StoreError, match="run `flask --app wsgi db upgrade`") as caught:
        act(store)

    assert "SELECT" not in str(caught.value)
    store.close()


def test_an_error_message_holds_no_value_of_a_row(store: SqlUsageStore) -> None:
    with pytest.raises(StoreError) as caught:
        store.add([ended("req_canary", upstream=None)])

    assert "canary" not in str(caught.value)
    assert "INSERT" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_an_unreachable_database_is_an_error_without_credentials(scheme: str) -> None:
    with closed_port() as port:
        store = SqlUsageStore(make_engine(f"{scheme}://who:hunter2@127.0.0.1:{port}/rows"))

        with pytest.raises(StoreError) as caught:
            store.check()

    assert not any(word in str(caught.value) for word in ("hunter2", "who", str(port)))


def test_a_wrong_password_is_an_error_without_credentials(postgres: PostgresServer) -> None:
    url = sa.make_url(postgres.url).set(password="hunter2")
    store = SqlUsageStore(make_engine(url.render_as_string(hide_password=False)))

    with pytest.raises(StoreError) as caught:
        store.check()

    assert not any(word in str(caught.value) for word in ("hunter2", str(postgres.port)))


def test_an_absent_database_is_not_taken_for_an_absent_table(postgres: PostgresServer) -> None:
    url = sa.make_url(postgres.url).set(database="nowhere")
    store = SqlUsageStore(make_engine(url.render_as_string(hide_password=False)))

    with pytest.raises(StoreError) as caught:
        store.check()

    assert "usage table" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+nonsense://h/d",
        "mysql+nonsense://h/d",
        "sqlite+nonsense://",
        "sqlite:////dev/null/usage.db",
    ],
)
def test_a_database_that_cannot_be_used_is_a_store_error(url: str) -> None:
    with pytest.raises(StoreError):
        SqlUsageStore(make_engine(url)).check()


def test_a_postgres_that_comes_back_is_used_again(postgres: PostgresServer) -> None:
    store = SqlUsageStore(make_engine(postgres.url))
    with pytest.raises(StoreError, match="lacks a table"):
        store.check()

    postgres.stop()
    postgres.start()

    with pytest.raises(StoreError, match="lacks a table"):
        store.check()
    store.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 500)],
)
def test_every_sqlite_connection_is_configured(pragma: str, value: object, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'usage.db'}")
    connections = [engine.raw_connection() for _ in range(3)]

    answers = [one.cursor().execute(f"PRAGMA {pragma}").fetchone() for one in connections]

    assert answers == [(value,)] * 3
    for connection in connections:
        connection.close()
    engine.dispose()


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a' / 'b' / 'usage.db'}")

    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))

    assert (tmp_path / "a" / "b" / "usage.db").exists()
    engine.dispose()


def test_a_locked_sqlite_file_is_named_as_such(sqlite_database: str) -> None:
    store = SqlUsageStore(make_engine(sqlite_database))
    other = make_engine(sqlite_database)

    with other.begin(), pytest.raises(StoreError, match="locked by another process"):
        store.add([ended()])

    store.close()
    other.dispose()


def test_processes_that_read_and_then_write_do_not_lock_each_other_out(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'counter.db'}"
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(sa.text("INSERT INTO counter VALUES (0)"))

    in_processes(count_up, [(url,)] * 6)

    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT n FROM counter")).scalar_one() == 300
    engine.dispose()


def test_four_processes_keep_all_of_4000_rows(sqlite_database: str) -> None:
    in_processes(keep_1000_rows, [(sqlite_database, one) for one in range(4)])

    assert len(stored_rows(sqlite_database)) == 4_000
