"""Says what failed in a SQL database."""

import sqlalchemy as sa

from llm_api.storage.sql import mysql

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNDEFINED_TABLE, _LOCK_NOT_AVAILABLE = "42P01", "55P03"


def what_failed(error: sa.exc.SQLAlchemyError) -> str:
    """Say what failed without the statement, its values or the address."""
    cause = getattr(error, "orig", None) or error
    text = str(cause)
    if (
        "no such table" in text
        or getattr(cause, "sqlstate", None) == _UNDEFINED_TABLE
        or mysql.code_of(cause) == mysql.NO_TABLE
    ):
        return "The database lacks a table of this service; run `flask --app wsgi db upgrade`."
    if sentence := mysql.sentence_of(cause):
        return sentence
    if getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
        return "Another transaction held a table for too long; nothing was changed, try again."
    if is_locked(error):
        return "The database is locked by another process."
    return f"The database could not be used ({type(cause).__name__})."


def is_locked(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether another process held a lock on a SQLite file for too long."""
    return "locked" in str(getattr(error, "orig", None) or error)
