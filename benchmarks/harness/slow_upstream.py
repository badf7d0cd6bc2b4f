"""An upstream that takes the same time for every answer, however many calls it has."""

import argparse
import asyncio

from benchmarks.harness.event_stream import EventStreams
from benchmarks.harness.upstream import Connection, fixed_answer


class SlowConnection(Connection):
    """A connection whose answers to a POST come after a fixed time."""

    def __init__(self, service_seconds: float) -> None:
        """Keep the time; there are no streams."""
        super().__init__(fixed_answer(), EventStreams(1.0))
        self._service_seconds = service_seconds

    def _reply(self, transport: asyncio.Transport, request: bytes) -> None:
        if not request.startswith(b"POST"):
            super()._reply(transport, request)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._service_seconds, transport.write, fixed_answer())


async def serve(port: int, service_seconds: float) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SlowConnection(service_seconds), host="127.0.0.1", port=port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.harness.slow_upstream", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("service_seconds", type=float)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.service_seconds))
