"""A program for tests: ClickHouse's engine behind HTTP. No package has a server that is current.

The engine is that of the wheel `chdb-core-lite`, whose own Python code is not used: it wants pandas
and pyarrow, which are larger than the engine. Of the interface there is what the official client
asks: statements with parameters, inserts of blocks in the format Native, and errors with their
codes (https://clickhouse.com/docs/interfaces/http).
"""

import contextlib
import importlib.util
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_PACKAGE = "chdb"
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_INSERT = re.compile(rb"\s*(INSERT INTO .+?)\s+FORMAT Native\n(.*)", re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")


def missing_engine() -> str:
    """Say why the engine cannot be started here; "" where it can."""
    if importlib.util.find_spec(_PACKAGE) is not None:
        return ""
    return "chdb-core-lite is not installed: make clickhouse-engine"


def _engine() -> Any:
    """Import the engine alone, not the package around it."""
    found = importlib.util.find_spec(_PACKAGE)
    assert found is not None, missing_engine()
    [folder] = found.submodule_search_locations or [""]
    spec = importlib.util.spec_from_file_location("_chdb", Path(folder) / "_chdb.abi3.so")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Handler(BaseHTTPRequestHandler):
    """Runs the statements of one connection."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def setup(self) -> None:
        """Open a connection to the engine, as each of HTTP has its own."""
        super().setup()
        self._engine = self.server.connect()

    def finish(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            super().finish()
        self._engine.close()

    def do_POST(self) -> None:
        """Answer a statement."""
        asked = dict(parse_qsl(urlsplit(self.path).query))
        body = b"".join(self._pieces())
        try:
            self._say(200, self._run(asked, body))
        except RuntimeError as error:
            self._say(500, str(error).encode(), code=_CODE.search(str(error)))

    def _pieces(self) -> Iterator[bytes]:
        """Yield the request's body, which is in chunks where it is an insert."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _run(self, asked: dict[str, str], body: bytes) -> bytes:
        if (database := asked.get("database")) is not None:
            self._engine.query(f"USE `{database}`")
        if (insert := _INSERT.fullmatch(body)) is not None:
            return self._insert(insert[1].decode(), insert[2])
        statement = body.decode()
        form = _FORMAT.search(statement)
        statement = statement[: form.start()] if form else statement
        values = {n.removeprefix("param_"): v for n, v in asked.items() if n.startswith("param_")}
        answer: bytes = self._engine.query(
            statement, form[1] if form else "TabSeparated", params=values
        ).bytes()
        return answer

    def _insert(self, statement: str, block: bytes) -> bytes:
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(block)
            file.flush()
            self._engine.query(f"{statement} FROM INFILE '{file.name}' FORMAT Native")
        return b""

    def _say(self, status: int, body: bytes, code: re.Match[str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", code[1])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


class _Server(ThreadingHTTPServer):
    """Has one engine for all connections."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: str) -> None:
        super().__init__(address, _Handler)
        self._module, self._folder = _engine(), folder
        self._lock = threading.Lock()
        self._first = self.connect()  # the engine lives as long as one connection does

    def connect(self) -> Any:
        """Open a connection to the engine."""
        with self._lock:
            return self._module.connect(self._folder)


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    _Server(("127.0.0.1", int(sys.argv[1])), sys.argv[2]).serve_forever()
