"""What errors of SQL databases mean: one table for log messages, readiness and the doctor.

Explanations are fixed sentences: what a driver says may quote values, addresses and credentials.

Sources of the codes:
    PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
    MySQL: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
    MySQL clients: https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html
"""

import re
from typing import NamedTuple

import sqlalchemy as sa

from llm_api.runtime.installation import COMMAND
from llm_api.storage.sql.mysql import code_of

# Connecting failed, or the connection was lost: only the text says why. SQLite, and psycopg while
# it connects, give no code at all.
_VAGUE_CODES = {"", "2003", "2013"}


class Explanation(NamedTuple):
    """What an error means, and what the operator can do; one sentence each."""

    sentence: str
    advice: str


class _Row(NamedTuple):
    """`codes` are SQLSTATEs and MySQL's numbers; `words` are looked for where a code is vague."""

    codes: str
    words: str
    sentence: str
    advice: str


# The first match counts.
_TABLE = (
    _Row("42P01 42703 1146 1054", "no such table|no such column|has no column named",
         f"The database lacks a table of this release; run `{COMMAND} db upgrade`.",
         f"Run `{COMMAND} db upgrade`."),
    _Row("55P03", "",
         "Another transaction held a table for too long; nothing was changed, try again.",
         "Run it again when less is going on."),
    _Row("1205", "is locked", "The database is locked by another process.",
         "Find and end it: SHOW ENGINE INNODB STATUS names it on MySQL; on SQLite it is a process"
         " that keeps the file open for writing."),
    _Row("1213 40P01", "", "The database ended a transaction that deadlocked with another.",
         "Run it again."),
    _Row("2061", "", "The server has no TLS, and no log-in that works without it.",
         "Let the server offer TLS, or give the user another way to log in."),
    _Row("1665", "", "The server's binary log does not take the service's transactions.",
         "Set its binlog_format to ROW or MIXED."),
    _Row("1046", "", "DATABASE_URL names no database on the server.",
         "Add its name: mysql://user:password@host/name."),
    _Row("28P01 28000 1045 1698",
         "password authentication|no password supplied|role .* does not exist",
         "The database refused the user or the password.",
         "Correct user and password in DATABASE_URL; special characters are written as %XX."),
    _Row("1129 1130", "pg_hba", "The database does not accept connections from this machine.",
         "Allow the user from this machine: in pg_hba.conf of PostgreSQL, by CREATE USER of MySQL,"
         " whose FLUSH HOSTS ends a block."),
    _Row("3D000 1049", 'database ".*" does not exist', "The server has no database of that name.",
         "Create the database, or correct its name in DATABASE_URL."),
    _Row("", "resolve host|translate host|name or service",
         "The database cannot be reached: the host name in DATABASE_URL does not resolve.",
         "Correct the host in DATABASE_URL."),
    _Row("", "refused", "The database cannot be reached: nothing listens at DATABASE_URL.",
         "Start the database, or correct host and port in DATABASE_URL."),
    _Row("", "connections are in use", "All database connections of this worker are in use.",
         "See whether the database is overloaded."),
    _Row("57014 1969 3024", "timeout|timed out", "The database did not answer in time.",
         "See whether it hangs, is overloaded, or stands behind a firewall."),
    _Row("53300 1040 1203", "too many (clients|connections)",
         "The database has no free connection.",
         "Raise its max_connections, or lower WEB_CONCURRENCY."),
    _Row("25006 1290 1836", "readonly|read-only", "The database can be read, and not written.",
         "Let the service's user write, or name the primary in DATABASE_URL."),
    _Row("42501 1044 1142 1143", "", "The database's user lacks a privilege on the tables.",
         "Grant it SELECT, INSERT, UPDATE and DELETE on all of the service's tables."),
    _Row("53100 1021 1114", "disk is full|no space", "The database's disk is full.",
         "Make room on it."),
    _Row("", "not a database|malformed", "The file of DATABASE_URL is no intact SQLite database.",
         "Name another file, or put a backup in its place."),
    _Row("2006 2013 57P01 08006", "closed the connection unexpectedly",
         "The connection to the database broke off.",
         "See in its log why; it may have been restarted."),
    _Row("2003", "", "The database cannot be reached.",
         "Correct host and port in DATABASE_URL, and see whether a firewall stands in between."),
    _Row("", "unable to open|PermissionError", "The SQLite file cannot be opened.",
         "Give the service's user access to the file and its folder."),
)  # fmt: skip


def explain(error: Exception) -> Explanation:
    """Explain an error of SQLAlchemy or of a driver, without anything that its text quotes."""
    cause = getattr(error, "orig", None) or error
    code = str(code_of(cause) or getattr(cause, "sqlstate", None) or "")
    text = f"{cause} {type(cause).__name__}" if code in _VAGUE_CODES else ""
    for row in _TABLE:
        is_in_text = row.words and re.search(row.words, text, re.IGNORECASE)
        if is_in_text or (code and code in row.codes.split()):
            return Explanation(row.sentence, row.advice)
    return Explanation(
        f"The database could not be used ({type(cause).__name__}).",
        "See whether DATABASE_URL is correct, and look into the database's log.",
    )


def what_failed(error: sa.exc.SQLAlchemyError) -> str:
    """Return the sentence of `explain`."""
    return explain(error).sentence


def is_locked(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether another process held a lock on a SQLite file for too long."""
    return "locked" in str(getattr(error, "orig", None) or error)
