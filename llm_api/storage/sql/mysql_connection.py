"""Connections to MySQL and MariaDB: the only place that knows PyMySQL."""

import ssl
from typing import Any

import pymysql
from pymysql.constants import CR, ER


class _Connection(pymysql.connections.Connection):  # type: ignore[misc]  # it ships no types
    """A connection that shares its TLS context: creating one takes 20 ms, all else 1 ms."""

    _contexts: dict[str, ssl.SSLContext] = {}  # noqa: RUF012  # shared on purpose

    def _create_ssl_ctx(self, options: Any) -> ssl.SSLContext:
        known = repr(options)
        if known not in self._contexts:
            self._contexts[known] = super()._create_ssl_ctx(options)
        return self._contexts[known]


def connect(_dialect: object, _record: object, _args: object, options: dict[str, Any]) -> Any:
    """Connect to MySQL, as a listener for SQLAlchemy's event `do_connect`."""
    if not options.get("database"):
        raise pymysql.err.OperationalError(ER.NO_DB_ERROR, "no database")
    password = options.pop("password", "")
    try:
        # As bytes: PyMySQL encodes a text as Latin-1.
        return _Connection(**options, password=password.encode())
    except RuntimeError as error:  # the package for log-ins of MySQL without TLS is not installed
        raise pymysql.err.OperationalError(CR.CR_AUTH_PLUGIN_ERR, "no TLS") from error
