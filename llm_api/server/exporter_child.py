"""The exporter: serves `/metrics` on a socket that it inherits, from the files of the workers.

`python -m llm_api.server.exporter_child DESCRIPTOR FOLDER`; it ends with its standard input.
"""

import os
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from llm_api.observability.metric_exposition import exposed

_CLIENT_TIMEOUT_S = 10.0


class _Server(ThreadingHTTPServer):
    """Serves on a socket that listens already, a thread each client."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, folder: Path) -> None:
        super().__init__(listening.getsockname()[:2], _Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.folder = folder
        self.adding_up = threading.Lock()  # one scrape at a time


class _Answer(BaseHTTPRequestHandler):
    """Answers one client."""

    server: _Server
    timeout = _CLIENT_TIMEOUT_S
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "llm_api", ""

    def do_GET(self) -> None:  # the base class asks for this name
        """Answer with the metrics, or that there is nothing else."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"Only /metrics is here.\n", "text/plain")
            return
        with self.server.adding_up:
            body, content_type = exposed(self.server.folder, self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, body, content_type)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing of a request: it is Prometheus, every few seconds."""


def main() -> None:
    """Serve until the standard input ends."""
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    server = _Server(socket.socket(fileno=descriptor), folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
