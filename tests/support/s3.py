"""An S3 server for tests, in this process: moto's."""

import http.client
import itertools
import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK


class S3Server:
    """A server whose buckets live as long as it."""

    def __init__(self) -> None:
        """Start it on a free port."""
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  # takes a second to import

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        """Wait until it listens."""
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """End it."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Its address, for FILES_ENDPOINT."""
        return f"http://{LOOPBACK}:{self.port}"

    def new_bucket(self) -> "Bucket":
        """Make a bucket."""
        bucket = Bucket(self, f"bucket-{next(self._numbers)}")
        bucket.ask("PUT")
        return bucket


@dataclass(frozen=True)
class Bucket:
    """A bucket, looked at past what is tested."""

    server: S3Server
    name: str

    def ask(self, method: str, query: str = "") -> str:
        """Send a request, which this server takes without a signature."""
        connection = http.client.HTTPConnection(LOOPBACK, self.server.port, timeout=10)
        connection.request(method, f"/{self.name}{query}", headers={"Content-Length": "0"})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        assert response.status < 300, text
        return text

    def names(self) -> list[str]:
        """Return the names of all objects, and of uploads that have not ended."""
        listed = self.ask("GET") + self.ask("GET", "?uploads")
        return [part.partition("</Key>")[0] for part in listed.split("<Key>")[1:]]
