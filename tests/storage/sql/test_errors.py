"""Errors of databases are explained in fixed sentences, by code or, without one, by their text."""

import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from llm_api.storage.sql.errors import explain


def of_mysql(code: int, text: str = "canary") -> sa.exc.DBAPIError:
    """Make an error as PyMySQL raises it."""
    return sa.exc.DBAPIError("SELECT", {}, pymysql.err.OperationalError(code, text))


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        (1146, "", "lacks a table of this release"),
        (1054, "", "lacks a table of this release"),
        (1040, "", "no free connection"),
        (1290, "", "can be read, and not written"),
        (1665, "", "binary log"),
        (2006, "", "broke off"),
        (2013, "Lost connection", "broke off"),
        (2013, "(timed out)", "did not answer in time"),
        (2003, "(timed out)", "did not answer in time"),
        (2003, "([Errno 111] Connection refused)", "nothing listens"),
        (2003, "(no route to host)", "cannot be reached."),
        (2061, "", "no TLS"),
    ],
)
def test_a_code_of_mysql_is_explained(code: int, text: str, words: str) -> None:
    explanation = explain(of_mysql(code, text))

    assert words in explanation.sentence
    assert explanation.advice.endswith(".")


def test_words_that_a_clear_code_quotes_do_not_count() -> None:
    explanation = explain(of_mysql(1142, "INSERT denied for table `timeout refused`"))

    assert "lacks a privilege" in explanation.sentence


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.UndefinedTable("x"), "lacks a table of this release"),
        (psycopg.errors.UndefinedColumn("x"), "lacks a table of this release"),
        (psycopg.errors.LockNotAvailable("x"), "try again"),
        (psycopg.errors.QueryCanceled("x"), "did not answer in time"),
        (psycopg.errors.DiskFull("x"), "disk is full"),
        (psycopg.errors.AdminShutdown("x"), "broke off"),
        (psycopg.OperationalError("connection timeout expired"), "did not answer in time"),
        (psycopg.OperationalError('FATAL:  role "canary" does not exist'), "refused the user"),
    ],
    ids=range(8),
)
def test_an_error_of_postgresql_is_explained(error: psycopg.Error, words: str) -> None:
    assert words in explain(sa.exc.DBAPIError("SELECT", {}, error)).sentence


def test_an_unknown_error_is_named_by_its_class_alone() -> None:
    explanation = explain(of_mysql(4_999, "hunter2 at 10.0.0.1"))

    assert explanation.sentence == "The database could not be used (OperationalError)."
    assert "DATABASE_URL" in explanation.advice
