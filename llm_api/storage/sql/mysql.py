"""What MySQL and MariaDB need: engines, table options and error codes.

PyMySQL is known to `mysql_connection` alone, which is imported with the first engine for MySQL: no
other installation needs it, and it is 0.7 MiB of every worker.
"""

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from llm_api.storage.sql.json_text import json_text
from llm_api.storage.sql.pool import UnpooledThreads

NAMES = ("mysql", "mariadb")
# In the session of every connection, whatever the server's settings: times are UTC, values that do
# not fit are refused and not cut, and tables have transactions.
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
    " default_storage_engine = InnoDB"
)
# Waits for a lock time out first, so that the error names the lock. Of the version comments MariaDB
# runs the first, which bounds every statement, MySQL the second, which bounds reads.
_BOUNDS = (
    ", innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}"
    " /*M!100101 , max_statement_time = {s} */ /*!50708 , max_execution_time = {ms} */"
)


def make_mysql_engine(url: sa.URL, *, connect_timeout: int, statement_timeout: int) -> Engine:
    """Create an engine for MySQL or MariaDB.

    Args:
        url: with any driver name of NAMES; PyMySQL is used.
        connect_timeout: seconds.
        statement_timeout: seconds; 0: no bound.

    Nothing is pooled: under gevent PyMySQL's socket works only in the thread that opened it, and
    calls come from several. A connection takes 1 ms beside a batch every half second.
    """
    from llm_api.storage.sql.mysql_connection import connect  # noqa: PLC0415  # see the top

    session = _SESSION
    if statement_timeout:
        lock = max(1, statement_timeout - 1)
        session += _BOUNDS.format(lock=lock, s=statement_timeout, ms=statement_timeout * 1000)
    # Later than the server's own bound, whose error is clearer; for servers that hang or are gone.
    socket_timeout = statement_timeout + 1 if statement_timeout else None
    engine = sa.create_engine(
        # SQLAlchemy has two dialect names; table options are given for this one.
        url.set(drivername="mysql+pymysql"),
        poolclass=UnpooledThreads,
        isolation_level="READ COMMITTED",
        json_serializer=json_text,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": connect_timeout,
            "read_timeout": socket_timeout,
            "write_timeout": socket_timeout,
            "init_command": session,
        },
    )
    event.listen(engine, "do_connect", connect)
    return engine


def table_options(connection: Connection) -> dict[str, str]:
    """Return options for `create_table`: any characters, compared code point by code point.

    `utf8mb4_bin`, which both databases have, ignores trailing spaces.
    """
    if connection.dialect.name not in NAMES:
        return {}
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
    return {"mysql_charset": "utf8mb4", "mysql_collate": collation}


def code_of(cause: BaseException) -> int | None:
    """Return the number of an error of MySQL; None for errors of other databases."""
    is_of_driver = type(cause).__module__ == "pymysql.err"
    if is_of_driver and cause.args and isinstance(cause.args[0], int):
        return cause.args[0]
    return None
