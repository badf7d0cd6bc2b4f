"""The doctor's look at a MariaDB that is set up wrongly."""

import pytest
from sqlalchemy import NullPool, create_engine

from llm_api.diagnostics.database import DatabaseChecks
from tests.diagnostics.checking import run_sql, said_of_database
from tests.support.mariadb import MariaDbServer
from tests.support.service import REPOSITORY_ROOT


def test_a_mariadb_is_named(mariadb_database: str) -> None:
    found = DatabaseChecks(mariadb_database, REPOSITORY_ROOT).reachable().found

    assert found == "MariaDB accepts the connection."


def test_an_address_of_mariadb_without_a_database_is_told(mariadb: MariaDbServer) -> None:
    assert "Add its name" in said_of_database(mariadb.url.removesuffix("mysql"))


def test_a_mariadb_that_can_only_be_read_is_told(
    mariadb: MariaDbServer, mariadb_database: str
) -> None:
    reader = mariadb.new_user(mariadb_database, "SELECT, INSERT, UPDATE, DELETE")
    run_sql(mariadb.url, "SET GLOBAL read_only = ON")
    try:
        assert "name the primary" in said_of_database(reader)
    finally:
        run_sql(mariadb.url, "SET GLOBAL read_only = OFF")


@pytest.mark.parametrize("rights", ["SELECT", "SELECT, INSERT"])
def test_a_user_of_mariadb_without_rights_is_told(
    rights: str, mariadb: MariaDbServer, mariadb_database: str
) -> None:
    url = mariadb.new_user(mariadb_database, rights)

    assert "Grant it SELECT, INSERT, UPDATE and DELETE" in said_of_database(url)


def test_a_locked_table_of_mariadb_is_told(mariadb_database: str) -> None:
    engine = create_engine(mariadb_database, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLES usage_daily WRITE")

        assert "locked by another process" in said_of_database(mariadb_database)
