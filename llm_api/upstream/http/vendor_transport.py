"""Requests of any method and form to one origin, for calls that may cost money each.

What `transport` spares a chat, these may spend: they are few, and take minutes. A call that asks
for something new goes out on a connection of its own. On one that was kept, the other side may hang
up at the same moment, and nobody would know whether it had read the request.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from urllib3.connection import HTTPConnection

from llm_api.domain.upstream_plans import Endpoint, Timeouts
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.runtime.turns import LARGE_WORK
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.framing import receive_head
from llm_api.upstream.http.response_body import RawBody, UpstreamResponse
from llm_api.upstream.http.transport import Lent, Transport, UpstreamAdapter

_SMALL = 65_536  # goes out together with the head
_TARGET = re.compile(r"/[!#-~]*")  # printable, no blanks


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request: its address below the origin, and what is called before its first byte leaves."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    on_sent: Callable[[], None] | None = None

    @property
    def needs_own_connection(self) -> bool:
        """Whether it asks for something new, which must not be asked for twice."""
        return self.method == "POST"


class VendorAdapter(UpstreamAdapter):
    """Sends head and body apart where the body is large, so that it is not copied."""

    def send_once(self, request: Outgoing, head: bytes, call: UpstreamCall) -> UpstreamResponse:
        """Send a request and return the answer with its body unread; see UpstreamAdapter.send."""
        connection = self._borrow()
        try:
            if request.needs_own_connection:
                connection.close()
            if connection.sock is None:
                limit = min(self._timeouts.connect, call.remaining)
                self._connector.connect(connection, limit)
            call.watch_socket(connection.sock)
            first_byte = self._timeouts.first_byte
            connection.sock.settimeout(first_byte if first_byte < call.remaining else None)
            if request.on_sent is not None:
                request.on_sent()
            return self._exchanged(connection, head, request.body)
        except BaseException:
            connection.close()
            self._return(connection)
            raise

    def _exchanged(self, connection: HTTPConnection, head: bytes, body: bytes) -> UpstreamResponse:
        upstream_socket = connection.sock
        try:
            if len(body) <= _SMALL:
                upstream_socket.sendall(head + body)
            else:
                upstream_socket.sendall(head)
                for piece in LARGE_WORK.pieces(body):
                    upstream_socket.sendall(piece)
            answer, came = receive_head(upstream_socket)
        except (OSError, HTTPException) as error:
            raise faults.while_waiting(error) from error
        upstream_socket.settimeout(self._timeouts.idle)
        response = UpstreamResponse(answer, RawBody(upstream_socket, answer, came))
        response.connection = connection  # type: ignore[assignment]  # see UpstreamAdapter
        return response


class LentOnce(Lent):
    """An answer that is lent for the duration of a `with`."""

    __slots__ = ("_outgoing",)

    def __init__(
        self,
        adapter: VendorAdapter,
        watch: DeadlineWatcher,
        outgoing: Outgoing,
        head: bytes,
        call: UpstreamCall,
    ) -> None:
        """Send the request when the block is entered."""
        super().__init__(adapter, watch, requests.PreparedRequest(), head, call)
        self._outgoing = outgoing

    def __enter__(self) -> UpstreamResponse:
        """Send the request and return its answer; raises faults.Fault."""
        self._watch.add(self._call)
        try:
            adapter = cast("VendorAdapter", self._adapter)
            self._response = adapter.send_once(self._outgoing, self._payload, self._call)
        except BaseException as error:
            self._end(error)
            raise
        return self._response


class VendorTransport(Transport):
    """The session of one origin with one key."""

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts, watch: DeadlineWatcher, pool_size: int
    ) -> None:
        """Create the session of an endpoint, without connections; see Transport."""
        super().__init__(endpoint, timeouts, watch, pool_size)
        self._vendor_adapter = VendorAdapter(endpoint.url, timeouts, watch, pool_size)
        self._session.mount(endpoint.url, self._vendor_adapter)
        self._host = urlsplit(endpoint.url).netloc.rpartition("@")[2]

    def send(self, outgoing: Outgoing, call: UpstreamCall) -> LentOnce:
        """Send a request and lend its answer; entering raises faults.Fault."""
        if _TARGET.fullmatch(outgoing.target) is None:
            raise faults.bad_response("an address that cannot be asked")
        head = self._head(outgoing, call)
        return LentOnce(self._vendor_adapter, self._watch, outgoing, head, call)

    def _head(self, outgoing: Outgoing, call: UpstreamCall) -> bytes:
        headers: dict[str, Any] = {**self._session.headers, **outgoing.headers, "Host": self._host}
        if outgoing.body or outgoing.method == "POST":
            headers["Content-Type"] = outgoing.content_type
            headers["Content-Length"] = str(len(outgoing.body))
        lines = [f"{outgoing.method} {outgoing.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return b"%b\r\n%b\r\n" % ("\r\n".join(lines).encode("latin-1"), call.headers())
