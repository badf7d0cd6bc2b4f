"""One `requests` session for one upstream: pooled, bounded, and closed to its surroundings.

The profile: nothing is read from the environment (proxies, netrc, CA bundles), no cookie is kept,
no redirect is followed, TLS is always verified, and the body is read with a byte cap.
The hot path goes through `UpstreamAdapter.send` alone: `Session.request` spends 0.9 ms of CPU
on features that this profile switches off.
"""

import http.client
import http.cookiejar
import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool  # noqa: TC002  # one import block is enough

from llm_api.domain.calls import Endpoint, Timeouts
from llm_api.runtime.deadlines import DeadlineWatcher, peek
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.connecting import Connector, connection_class
from llm_api.upstream.http.resolver import Resolver
from llm_api.upstream.http.response_body import read_body

# What a slow client leaves unread waits at the upstream and not here; Linux would take 6 MB.
_RECEIVE_BUFFER = (socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
# A model that thinks is silent for minutes, and so is a host that is gone: the kernel asks every
# minute, and gives one up that has not answered for two. It also keeps what stands between from
# forgetting the connection. Not every system has all the names.
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in _PROBES.items()
    if hasattr(socket, name)
]


class UpstreamAdapter(HTTPAdapter):
    """Writes a request to, and reads its answer from, a connection of urllib3's pool.

    urllib3 owns the pool, connecting, TLS and certificate checks; http.client reads the answer.
    Going through `urlopen` instead costs 0.3 ms of CPU a call, and sends head and body apart. Two
    calls of urllib3 are private (`_new_conn`, `_put_conn`), because it has no public way to borrow
    a connection; a test holds them in place.
    """

    def __init__(
        self, url: str, timeouts: Timeouts, watch: DeadlineWatcher, pool_size: int
    ) -> None:
        """Keep at most `pool_size` idle connections to the address `url`."""
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=pool_size)
        self._timeouts = timeouts
        manager = urllib3.PoolManager(
            num_pools=1,
            maxsize=pool_size,
            cert_reqs="CERT_REQUIRED",
            ca_certs=DEFAULT_CA_BUNDLE_PATH,
            socket_options=[
                *HTTPConnection.default_socket_options,
                *_KEEP_ALIVE,
                _RECEIVE_BUFFER,
            ],
        )
        self._pool: HTTPConnectionPool = manager.connection_from_url(url)
        self._pool.ConnectionCls = connection_class(self._pool.scheme or "http", Resolver())
        self._connector = Connector(watch)

    def send(  # type: ignore[override]  # the signature is requests'; only `timeout` carries more here
        self, request: requests.PreparedRequest, *, timeout: UpstreamCall, **_: Any
    ) -> requests.Response:
        """Send the request and return the answer with its body unread.

        `timeout` is the Call, whose deadline is the total time-out.
        Raises faults.Fault; the connection goes back with `release`.
        """
        connection = self._borrow()
        try:
            self._connect(connection, timeout)
            return self._exchange(connection, request)
        except BaseException:
            connection.close()
            self._return(connection)
            raise

    def _borrow(self) -> HTTPConnection:
        try:
            connection: HTTPConnection | None = self._pool.pool.get(block=False)  # type: ignore[union-attr]  # None only when closed
        except queue.Empty:
            connection = None
        if connection is None:
            return cast("HTTPConnection", self._pool._new_conn())  # noqa: SLF001  # see the class
        # An idle connection that has anything to say was closed, or speaks out of turn.
        if connection.sock is not None and peek(connection.sock) is not None:
            connection.close()
        return connection

    def _connect(self, connection: HTTPConnection, call: UpstreamCall) -> None:
        if connection.sock is None:
            self._connector.connect(connection, min(self._timeouts.connect, call.remaining))
        call.watch_socket(connection.sock)

    def _exchange(
        self, connection: HTTPConnection, request: requests.PreparedRequest
    ) -> requests.Response:
        upstream_socket = connection.sock
        upstream_socket.settimeout(self._timeouts.first_byte)
        raw = http.client.HTTPResponse(upstream_socket, method=request.method)
        try:
            # In one piece: a second send would wake the upstream for half a request.
            upstream_socket.sendall(_head(request) + cast("bytes", request.body or b""))
            raw.begin()
        except (OSError, http.client.HTTPException) as error:
            raw.close()  # it holds the socket open by its own file object
            raise faults.while_waiting(error) from error
        upstream_socket.settimeout(self._timeouts.idle)
        return _response(raw, connection)

    def release(self, response: requests.Response) -> None:
        """Give the connection back; one that cannot be used again is closed."""
        raw = cast("http.client.HTTPResponse", response.raw)
        connection = cast("HTTPConnection", response.connection)
        if raw.will_close or not raw.isclosed():
            connection.close()
            raw.close()
        self._return(connection)

    def _return(self, connection: HTTPConnection) -> None:
        self._pool._put_conn(connection)  # noqa: SLF001  # see the class

    def close(self) -> None:
        """Close the idle connections."""
        super().close()
        self._pool.close()


def _head(request: requests.PreparedRequest) -> bytes:
    """Write the request line and the headers; none of them has a part that a caller chooses."""
    lines = [f"{request.method} {request.path_url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _response(raw: http.client.HTTPResponse, connection: HTTPConnection) -> requests.Response:
    """Wrap the answer; `Response.connection` holds the connection until `release`."""
    response = requests.Response()
    response.status_code = raw.status
    response.headers = CaseInsensitiveDict(raw.getheaders())
    response.raw = raw
    response.connection = connection  # type: ignore[assignment]  # requests puts the adapter there, for its own use
    return response


class Transport:
    """The session of one upstream."""

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts, watch: DeadlineWatcher, pool_size: int
    ) -> None:
        """Create the session of an endpoint, without connections.

        Args:
            endpoint: address and key.
            timeouts: how long the upstream may take, in seconds.
            watch: ends calls from outside.
            pool_size: idle connections to keep.
        """
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers = CaseInsensitiveDict(_headers(endpoint.key))
        self._adapter = UpstreamAdapter(endpoint.url, timeouts, watch, pool_size)
        self._session.mount(endpoint.url, self._adapter)
        self._url = endpoint.url
        self._timeouts = timeouts
        self._watch = watch
        self._templates: dict[str, requests.PreparedRequest] = {}

    @contextmanager
    def post(self, path: str, body: bytes, call: UpstreamCall) -> Iterator[requests.Response]:
        """Send one POST and lend its answer; raises faults.Fault.

        What the watch did to the call comes first: a shut socket looks like a lost connection.
        """
        with self._lent("POST", path, body, call) as response:
            yield response

    def get_status(self, path: str, *, timeout: float) -> int:
        """Return the status of a GET of `path`, within `timeout` seconds; raises faults.Fault."""
        call = UpstreamCall(total=timeout)
        with self._lent("GET", path, None, call) as response:
            return response.status_code

    def get(self, path: str, *, timeout: float, max_bytes: int) -> tuple[int, bytes]:
        """Return status and body of a GET of `path`, within `timeout` s; raises faults.Fault."""
        call = UpstreamCall(total=timeout)
        with self._lent("GET", path, None, call) as response:
            return response.status_code, read_body(response, max_bytes)

    @contextmanager
    def _lent(
        self, method: str, path: str, body: bytes | None, call: UpstreamCall
    ) -> Iterator[requests.Response]:
        self._watch.add(call)
        response = None
        try:
            response = self._adapter.send(self._prepared(method, path, body), timeout=call)
            yield response
        except faults.Fault as fault:
            if (ending := call.ending) is not None:
                raise ending from fault
            if call.is_expired:
                raise faults.timed_out() from fault
            raise
        finally:
            self._watch.remove(call)
            call.watch_socket(None)
            if response is not None:
                self._adapter.release(response)

    def _prepared(self, method: str, path: str, body: bytes | None) -> requests.PreparedRequest:
        """Fill a template: `Session.prepare_request` costs 0.2 ms and always gives the same."""
        template = self._templates.get(path) or self._new_template(method, path)
        request = requests.PreparedRequest()
        request.method, request.url = method, template.url
        request.headers = template.headers.copy()
        if body is not None:
            request.body = body
            request.headers["Content-Length"] = str(len(body))
        return request

    def _new_template(self, method: str, path: str) -> requests.PreparedRequest:
        url = self._address(path)
        template = self._session.prepare_request(requests.Request(method, url))
        template.headers["Host"] = urlsplit(url).netloc
        template.headers["Content-Type"] = "application/json"
        template.headers.pop("Content-Length", None)
        self._templates[path] = template
        return template

    def _address(self, path: str) -> str:
        # llama.cpp's /health stands beside /v1, not below it.
        return self._url.removesuffix("/v1") + path if path == "/health" else self._url + path

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()


def _headers(key: str) -> dict[str, str]:
    headers = {
        "User-Agent": "llm_api",
        "Accept": "application/json, text/event-stream",
        # Nothing is gained from compression between two servers, and a bomb needs it.
        "Accept-Encoding": "identity",
    }
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})
