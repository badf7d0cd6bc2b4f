"""An upstream that falls ill on demand, and the calls that the benchmark steers it with.

Like `benchmarks.harness.upstream` it answers every request with the same chat completion while it
is well.
It keeps the time of every request, on the clock that all processes of the machine share.
"""

import argparse
import asyncio
import dataclasses
import http.client
import json
import time
from typing import Any

from benchmarks.harness.event_stream import EventStreams
from benchmarks.harness.upstream import Connection, fixed_answer

WELL = "well"
UNAVAILABLE = "503"  # it answers every request with 503
HANGING_UP = "hang-up"  # it reads a request and closes the connection
SILENT = "silent"  # it answers once it is well again
STEERING_TIMEOUT = 5.0


def json_answer(status: str, document: object) -> bytes:
    """Return a whole HTTP/1.1 answer; it leaves the connection open."""
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


REFUSAL = json_answer("503 Service Unavailable", {"error": {"message": "out of order"}})


@dataclasses.dataclass
class Health:
    """How the upstream is, when it was asked, and who waits for its answer."""

    state: str = WELL
    hits: list[float] = dataclasses.field(default_factory=list)
    waiting: list[asyncio.Transport] = dataclasses.field(default_factory=list)

    def become(self, state: str) -> None:
        """Be well or ill; whoever waits is answered when it is well again."""
        self.state = state
        if state == WELL:
            for transport in self.waiting:
                transport.write(fixed_answer())
            self.waiting.clear()

    def report(self) -> dict[str, Any]:
        """Return what the benchmark asks for."""
        waiting = sum(1 for transport in self.waiting if not transport.is_closing())
        return {"hits": self.hits, "waiting": waiting}


class IllConnection(Connection):
    """A connection that answers as the upstream's health allows."""

    def __init__(self, health: Health) -> None:
        """Keep the health that all connections share; there are no streams."""
        super().__init__(fixed_answer(), EventStreams(1.0))
        self._health = health

    def _reply(self, transport: asyncio.Transport, request: bytes) -> None:
        method, path, _ = request.split(b" ", 2)
        if method == b"PUT":
            self._health.become(path.decode().removeprefix("/"))
        if method != b"POST":
            transport.write(json_answer("200 OK", self._health.report()))
            return
        self._health.hits.append(time.monotonic())
        if self._health.state == WELL:
            super()._reply(transport, request)
        elif self._health.state == UNAVAILABLE:
            transport.write(REFUSAL)
        elif self._health.state == SILENT:
            self._health.waiting.append(transport)
        else:
            transport.abort()


def ask(port: int, method: str, path: str) -> dict[str, Any]:
    """Send the upstream a request that is no call, and return its report."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STEERING_TIMEOUT)
    try:
        connection.request(method, path)
        report: dict[str, Any] = json.loads(connection.getresponse().read())
        return report
    finally:
        connection.close()


def become(port: int, state: str) -> float:
    """Make the upstream on a port well or ill, and return since when it is so."""
    since = time.monotonic()
    ask(port, "PUT", f"/{state}")
    return since


def hits(port: int) -> list[float]:
    """Return when the upstream on a port was asked."""
    return [float(at) for at in ask(port, "GET", "/")["hits"]]


def waiting(port: int) -> int:
    """Return how many calls wait for the upstream on a port."""
    return int(ask(port, "GET", "/")["waiting"])


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    health = Health()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: IllConnection(health), host="127.0.0.1", port=port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.harness.ill_upstream", description=__doc__)
    parser.add_argument("port", type=int)
    asyncio.run(serve(parser.parse_args().port))
