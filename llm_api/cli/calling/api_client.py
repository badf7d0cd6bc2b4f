"""A client of the HTTP API: requests, answers, streams of events, and errors as exit codes."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from llm_api.cli.calling.exit_codes import (
    FAILED,
    CommandFailed,
    failure_of,
    failure_of_stream,
)
from llm_api.upstream.http.sse import EventParser, EventTooLarge

_END = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: `path` with its query, and a body in JSON, if it has one."""

    method: str
    path: str
    body: bytes | None = None


class Response(Protocol):
    """A response whose body is read piece by piece."""

    status: int

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes in; raises CommandFailed."""

    def close(self) -> None:
        """Read no more of it."""


class Transport(Protocol):
    """A way to a service."""

    def open(self, request: Request) -> Response:
        """Send a request, and return its response once that has begun; raises CommandFailed."""

    def close(self) -> None:
        """Close connections, or finish what an application has begun."""


class ApiClient:
    """Asks a service; every method raises CommandFailed, with the sentence of the service."""

    def __init__(self, transport: Transport) -> None:
        """Ask by a transport, which is closed with the client."""
        self._transport = transport

    def get(self, path: str, query: Mapping[str, str | list[str]] | None = None) -> Any:
        """Return the JSON of a path; empty texts of `query` are left out."""
        return self.send("GET", with_query(path, query or {}))

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request, and return the JSON of its answer."""
        content = self.read(method, path, body)
        try:
            return json.loads(content)
        except ValueError as error:
            raise failure_of(200, None) from error

    def read(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """Send a request, and return the bytes of its answer."""
        with closing(self._opened(method, path, body)) as response:
            return b"".join(response.pieces())

    def download(self, path: str) -> Generator[bytes]:
        """Yield the bytes of a file as they come in."""
        with closing(self._opened("GET", path, None)) as response:
            yield from response.pieces()

    def events(self, path: str, body: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """Send a request for a stream, and yield its events as they come in.

        Raises CommandFailed, also after some of them. Close the iterator to stop the answer.
        """
        with closing(self._opened("POST", path, body)) as response:
            for data in _data_of(response):
                if data == _END:
                    return
                event: dict[str, Any] = json.loads(data)
                if event.get("error"):
                    raise failure_of_stream(event)
                yield event
        raise CommandFailed("The answer has broken off.", FAILED)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def _opened(self, method: str, path: str, body: Mapping[str, Any] | None) -> Response:
        content = None if body is None else json.dumps(body).encode()
        response = self._transport.open(Request(method, path, content))
        if response.status < 300:
            return response
        with closing(response):
            text = b"".join(response.pieces())
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        raise failure_of(response.status, document)


def in_path(name: str) -> str:
    """Write a name as a part of a path."""
    return quote(name, safe="")


def with_query(path: str, query: Mapping[str, str | list[str]]) -> str:
    """Return a path with a query; what is empty is left out."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _data_of(response: Response) -> Iterator[bytes]:
    parser = EventParser()
    try:
        for piece in response.pieces():
            yield from parser.feed(piece)
    except EventTooLarge as error:
        raise CommandFailed("The answer has an event that is too large.", FAILED) from error
    yield from parser.end()
