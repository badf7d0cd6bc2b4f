"""One `requests` session for one upstream: pooled, bounded, and closed to its surroundings.

The profile: nothing is read from the environment (proxies, netrc, CA bundles), no cookie is kept,
no redirect is followed, TLS is always verified, and the body is read with a byte cap.
The hot path goes through `UpstreamAdapter.send` alone: `Session.request` spends 0.9 ms of CPU
on features that this profile switches off.
"""

import http.cookiejar
import queue
import socket
from http.client import HTTPException
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool  # noqa: TC002  # one import block is enough

from llm_api.domain.upstream_plans import Endpoint, Timeouts
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.connecting import Connector, connection_class
from llm_api.upstream.http.framing import receive_head
from llm_api.upstream.http.resolver import Resolver
from llm_api.upstream.http.response_body import RawBody, UpstreamResponse, read_body

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

    urllib3 owns the pool, connecting, TLS and certificate checks; `framing` and `response_body`
    read the answer. Going through `urlopen` instead costs 0.3 ms of CPU a call, and sends head and
    body apart. Two calls of urllib3 are private (`_new_conn`, `_put_conn`): it has no public way to
    borrow a connection. A test holds them in place.
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
            socket_options=[*HTTPConnection.default_socket_options, *_KEEP_ALIVE, _RECEIVE_BUFFER],
        )
        self._pool: HTTPConnectionPool = manager.connection_from_url(url)
        self._pool.ConnectionCls = connection_class(self._pool.scheme or "http", Resolver())
        self._connector = Connector(watch)

    def send(  # type: ignore[override]  # the signature is requests'; only `timeout` carries more here
        self,
        request: requests.PreparedRequest,  # noqa: ARG002  # requests' signature
        *,
        timeout: UpstreamCall,
        payload: bytes,
        **_: Any,
    ) -> UpstreamResponse:
        """Send the request and return the answer with its body unread.

        `timeout` is the Call, whose deadline is the total time-out. `payload` are the bytes of the
        `request`, which were written once but for the body and its length.
        Raises faults.Fault; the connection goes back with `release`.
        """
        connection = self._borrow()
        try:
            if connection.sock is None:
                limit = min(self._timeouts.connect, timeout.remaining)
                self._connector.connect(connection, limit)
            timeout.watch_socket(connection.sock)
            # At its deadline the watch ends the call; a timer of gevent's would cost 20 µs.
            first_byte = self._timeouts.first_byte
            connection.sock.settimeout(first_byte if first_byte < timeout.remaining else None)
            return self._exchange(connection, payload)
        except BaseException:
            connection.close()
            self._return(connection)
            raise

    def _borrow(self) -> HTTPConnection:
        idle = self._pool.pool
        if idle is None:  # closed, while a task was still at work
            raise faults.Fault(faults.ShuttingDown())
        try:
            connection: HTTPConnection | None = idle.get(block=False)
        except queue.Empty:
            connection = None
        if connection is None:
            return cast("HTTPConnection", self._pool._new_conn())  # noqa: SLF001  # see the class
        if connection.sock is not None and not is_idle(connection.sock):
            connection.close()
        return connection

    def _exchange(self, connection: HTTPConnection, payload: bytes) -> UpstreamResponse:
        upstream_socket = connection.sock
        try:
            # In one piece, which almost always goes out at once; `sendall` would cost 2 µs more.
            sent = upstream_socket.send(payload)
            if sent < len(payload):
                upstream_socket.sendall(memoryview(payload)[sent:])
            head, came = receive_head(upstream_socket)
        except (OSError, HTTPException) as error:
            raise faults.while_waiting(error) from error
        upstream_socket.settimeout(self._timeouts.idle)
        response = UpstreamResponse(head, RawBody(upstream_socket, head, came))
        # requests puts the adapter there, for its own use; here it keeps the connection.
        response.connection = connection  # type: ignore[assignment]
        return response

    def release(self, response: UpstreamResponse) -> None:
        """Give the connection back; one that cannot be used again is closed."""
        connection = cast("HTTPConnection", response.connection)
        if not response.raw.is_reusable:
            connection.close()
        self._return(connection)

    def _return(self, connection: HTTPConnection) -> None:
        self._pool._put_conn(connection)  # noqa: SLF001  # see the class

    def close(self) -> None:
        """Close the idle connections."""
        super().close()
        self._pool.close()


def is_idle(upstream_socket: socket.socket) -> bool:
    """Whether a connection is open and silent, so that it can be used again.

    One that has anything to say was closed, or speaks out of turn. This looks under TLS, and never
    waits; `runtime.deadlines.peek` does the same for any socket and costs 9 µs, because it asks the
    kernel four times what this knows.
    """
    upstream_socket.settimeout(0)
    try:
        socket.socket.recv(upstream_socket, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Lent:
    """An answer that is lent for the duration of a `with`, while its call is watched.

    What the watch did to the call comes first: a shut socket looks like a lost connection.
    """

    __slots__ = ("_adapter", "_call", "_payload", "_request", "_response", "_watch")

    def __init__(
        self,
        adapter: UpstreamAdapter,
        watch: DeadlineWatcher,
        request: requests.PreparedRequest,
        payload: bytes,
        call: UpstreamCall,
    ) -> None:
        """Send the request when the block is entered."""
        self._adapter, self._watch = adapter, watch
        self._request, self._payload, self._call = request, payload, call
        self._response: UpstreamResponse | None = None

    def __enter__(self) -> UpstreamResponse:
        """Send the request and return its answer; raises faults.Fault."""
        self._watch.add(self._call)
        try:
            self._response = self._adapter.send(
                self._request, timeout=self._call, payload=self._payload
            )
        except BaseException as error:
            self._end(error)
            raise
        return self._response

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Give the answer back; raises faults.Fault instead of one that has another reason."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        call = self._call
        self._watch.remove(call)
        call.watch_socket(None)
        if self._response is not None:
            self._adapter.release(self._response)
        if isinstance(error, faults.Fault):
            if (ending := call.ending) is not None:
                raise ending from error
            if call.is_expired:
                raise faults.timed_out() from error


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
        self._templates: dict[str, tuple[requests.PreparedRequest, bytes]] = {}

    def post(self, path: str, body: bytes, call: UpstreamCall) -> Lent:
        """Send one POST and lend its answer; entering raises faults.Fault."""
        return self._lent("POST", path, body, call)

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

    def _lent(self, method: str, path: str, body: bytes | None, call: UpstreamCall) -> Lent:
        """Fill a template: `Session.prepare_request` costs 0.2 ms and always gives the same."""
        template, head = self._templates.get(path) or self._new_template(method, path)
        if body is None:
            payload = head + b"\r\n"
        else:
            payload = b"%b%bContent-Length: %d\r\n\r\n%b" % (head, call.headers(), len(body), body)
        return Lent(self._adapter, self._watch, template, payload, call)

    def _new_template(self, method: str, path: str) -> tuple[requests.PreparedRequest, bytes]:
        url = self._address(path)
        template = self._session.prepare_request(requests.Request(method, url))
        template.headers["Host"] = urlsplit(url).netloc
        template.headers["Content-Type"] = "application/json"
        template.headers.pop("Content-Length", None)
        self._templates[path] = template, _head_of(template)
        return self._templates[path]

    def _address(self, path: str) -> str:
        # llama.cpp's /health stands beside /v1, not below it.
        return self._url.removesuffix("/v1") + path if path == "/health" else self._url + path

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()


def _head_of(request: requests.PreparedRequest) -> bytes:
    """Write the request line and the headers that are the same for every call."""
    lines = [f"{request.method} {request.path_url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _headers(key: str) -> dict[str, str]:
    headers = {
        "User-Agent": "llm_api",
        "Accept": "application/json, text/event-stream",
        # Nothing is gained from compression between two servers, and a bomb needs it.
        "Accept-Encoding": "identity",
    }
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})
