"""The way into the application in this process: what a request would do, without a server.

A command on the machine of the service has its database and its upstreams' keys: it needs no key.
"""

import logging
from collections.abc import Iterator
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.test import EnvironBuilder, run_wsgi_app

from llm_api.cli.calling.api_client import Request
from llm_api.web.access.authentication import OPERATOR
from llm_api.web.request.context import EXTENSION, Services

# Of requests, and of calls that no request waits for: a command says itself what it does.
_LOGS = ("llm_api.web.lifecycle", "llm_api.services.usage.call_log")


def local_app() -> Flask:
    """Return the application of the command that runs; raises SettingsError."""
    return click.get_current_context().ensure_object(ScriptInfo).load_app()


class LocalTransport:
    """Sends requests into an application."""

    def __init__(self, app: Flask) -> None:
        """Send to `app`, which logs no requests and calls until the end."""
        self._app = app
        self._levels = {name: logging.getLogger(name).level for name in _LOGS}
        for name in _LOGS:
            logging.getLogger(name).setLevel(logging.WARNING)

    def open(self, request: Request) -> "LocalResponse":
        """Send a request, and return its response once that has begun."""
        builder = EnvironBuilder(
            request.path, method=request.method, data=request.body, environ_base={OPERATOR: True}
        )
        if request.body is not None:
            builder.content_type = "application/json"
        pieces, status, _ = run_wsgi_app(self._app.wsgi_app, builder.get_environ())
        return LocalResponse(pieces, int(status.split()[0]))

    def close(self) -> None:
        """Finish what requests have begun: usage rows and lineages are written here.

        Jobs that still run are left to the service's workers.
        """
        services: Services = self._app.extensions[EXTENSION]
        services.tasks.close()
        self._app.extensions["llm_api_spool"].close()
        services.lineage.late.close()
        self._app.extensions["llm_api_lineage_spool"].close()
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)


class LocalResponse:
    """A response of the application."""

    def __init__(self, pieces: Any, status: int) -> None:
        """Read the `pieces` of a body, which may have a method `close`."""
        self._pieces = pieces
        self.status = status

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it is written."""
        yield from self._pieces

    def close(self) -> None:
        """Read no more of it."""
        if (close := getattr(self._pieces, "close", None)) is not None:
            close()
