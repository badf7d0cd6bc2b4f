"""Fetches what links lead to: results of vendors, and pictures that callers name.

The host of a link is looked up once a connection, its addresses are vetted, and the connection goes
to one of these: a name that is public when it is asked for the first time and private the second
leads nowhere. Redirects are followed by the same rules. Nothing is read from the environment.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any, BinaryIO, Self, cast
from urllib.parse import urljoin

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import create_urllib3_context

from llm_api.errors import ApiError, Gone, UpstreamFault
from llm_api.runtime.deadlines import Deadline, DeadlineWatcher
from llm_api.runtime.turns import LARGE_WORK
from llm_api.upstream import faults
from llm_api.upstream.http.connecting import Connector, connection_class
from llm_api.upstream.http.framing import ResponseHead, receive_head
from llm_api.upstream.http.large_body import body_pieces
from llm_api.upstream.http.resolver import Address, Resolver
from llm_api.upstream.http.response_body import RawBody, UpstreamResponse
from llm_api.upstream.media.links import (
    Link,
    LinkFailed,
    LinkPolicy,
    is_public,
    vetted_addresses,
    vetted_link,
)

MAX_REDIRECTS = 3
PAUSES_S = (0.5, 2.0)  # before each repeat
_CONNECT_TIMEOUT_S = 5.0
_IDLE_TIMEOUT_S = 30.0
_REDIRECTS = {301, 302, 303, 307, 308}
_GONE = {403, 404, 410}  # what stores of objects answer where a signature has expired
_PASSING = {408, 425, 429}
_USUAL = {"User-Agent": "llm_api", "Accept": "*/*", "Accept-Encoding": "identity"}


class _PassingError(LinkFailed):
    """Another attempt may succeed."""


class LinkClient:
    """Fetches links, each with connections of its own."""

    def __init__(
        self,
        watch: DeadlineWatcher,
        *,
        resolver: Resolver | None = None,
        ca_file: str = DEFAULT_CA_BUNDLE_PATH,
        reaches: Callable[[str], bool] = is_public,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect to nothing yet.

        Args:
            watch: ends waits from outside, at their deadline or with the process.
            resolver: looks up names.
            ca_file: certificates of those who sign servers' certificates, in PEM.
            reaches: whether an IP address is one of the Internet.
            sleep: waits between attempts.
        """
        self._watch, self._connector = watch, Connector(watch)
        self._resolver = Resolver() if resolver is None else resolver
        self._reaches, self._sleep = reaches, sleep
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    def fetch(self, url: str, policy: LinkPolicy) -> bytes:
        """Return the body of a link; see `fetch_into`."""
        whole = io.BytesIO()  # which holds the bytes once, and gives them out without a copy
        self.fetch_into(url, policy, whole)
        return whole.getvalue()

    def fetch_into(self, url: str, policy: LinkPolicy, file: BinaryIO) -> None:
        """Write the body of a link to a file, repeated where that may help.

        Raises LinkFailed; or OSError where the file takes no more.
        """
        deadline = Deadline(
            total=policy.timeout, must_end=self._watch.drain.is_expired, how=socket.SHUT_RDWR
        )
        pauses = iter(PAUSES_S)
        while True:
            try:
                self._follow(url, policy, deadline, file)
            except _PassingError as error:
                pause = next(pauses, None)
                file.seek(0)
                file.truncate()
                if deadline.is_expired or not deadline.remaining:
                    raise LinkFailed("could not be fetched in time.") from error
                if pause is None or deadline.is_shut_down or deadline.remaining <= pause:
                    raise LinkFailed(error.problem) from error
                self._sleep(pause)
            else:
                return

    def post(self, url: str, body: bytes, headers: Mapping[str, str], policy: LinkPolicy) -> int:
        """Send one POST, and return the status of its answer; raises LinkFailed.

        No redirect is followed, and the answer's body is not read.
        """
        link = vetted_link(url, policy)
        deadline = Deadline(total=policy.timeout, how=socket.SHUT_RDWR)
        fields = {**headers, "Content-Length": str(len(body))}
        with _Exchange(self, link, policy, deadline) as exchange:
            return exchange.ask("POST", fields, body).status

    def _follow(self, url: str, policy: LinkPolicy, deadline: Deadline, file: BinaryIO) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            link = vetted_link(url, policy)
            with _Exchange(self, link, policy, deadline) as exchange:
                head = exchange.ask("GET", {}, b"")
                if head.status not in _REDIRECTS:
                    exchange.body(head, file)
                    return
            url = urljoin(url, _location(head))
        raise LinkFailed("redirects too often.")

    def connect(self, link: Link, policy: LinkPolicy, timeout: float) -> HTTPConnection:
        """Connect to the host of a link within `timeout` seconds; raises LinkFailed."""
        resolver = _Vetting(self._resolver, link, policy, self._reaches)
        options: dict[str, Any] = {}
        if link.scheme == "https":
            options = {"ssl_context": self._tls(), "cert_reqs": "CERT_REQUIRED"}
        connection = connection_class(link.scheme, resolver)(link.host, link.port, **options)
        try:
            self._connector.connect(connection, min(timeout, _CONNECT_TIMEOUT_S))
        except faults.Fault as fault:
            connection.close()
            raise _failed(fault) from fault
        return connection

    def _tls(self) -> ssl.SSLContext:
        """Return what TLS needs, which takes 20 ms to read."""
        if self._context is None:
            context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
            context.load_verify_locations(self._ca_file)
            self._context = context
        return self._context

    @property
    def watch(self) -> DeadlineWatcher:
        """What ends waits from outside."""
        return self._watch


class _Vetting(Resolver):
    """Looks up the host of one link, and returns those of its addresses that may be reached."""

    def __init__(
        self, resolver: Resolver, link: Link, policy: LinkPolicy, reaches: Callable[[str], bool]
    ) -> None:
        super().__init__()
        self._resolver, self._link, self._policy = resolver, link, policy
        self._reaches = reaches

    def addresses(self, host: str, port: int, timeout: float) -> list[Address]:
        """Return them; raises LinkFailed where there is none."""
        found = [str(one[0]) for one in self._resolver.addresses(host, port, timeout)]
        vetted = vetted_addresses(self._link, self._policy, found, self._reaches)
        return [(address, port) for address in vetted]


class _Exchange:
    """One request and its answer, on a connection that is closed at the end."""

    def __init__(
        self, client: LinkClient, link: Link, policy: LinkPolicy, deadline: Deadline
    ) -> None:
        self._client, self._link, self._policy = client, link, policy
        self._deadline = deadline
        self._connection: HTTPConnection | None = None
        self._came = b""

    def __enter__(self) -> Self:
        self._client.watch.add(self._deadline)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.watch.remove(self._deadline)
        self._deadline.watch_socket(None)
        if self._connection is not None:
            self._connection.close()

    def ask(self, method: str, headers: Mapping[str, str], body: bytes) -> ResponseHead:
        """Send the request, and return the head of its answer; raises LinkFailed."""
        remaining = self._deadline.remaining
        self._connection = self._client.connect(self._link, self._policy, remaining)
        connected = self._socket()
        self._deadline.watch_socket(connected)
        connected.settimeout(min(_IDLE_TIMEOUT_S, self._deadline.remaining + 1))
        fields = {"Host": self._link.authority, **_USUAL, **headers, "Connection": "close"}
        lines = [f"{method} {self._link.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        try:
            connected.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            head, self._came = receive_head(connected)
        except (OSError, HTTPException) as error:
            raise _PassingError("could not be fetched: its server hung up.") from error
        return head

    def body(self, head: ResponseHead, file: BinaryIO) -> None:
        """Write the body of a good answer to a file; raises LinkFailed, or OSError of the file."""
        _check(head)
        if (head.length or 0) > self._policy.max_bytes:
            raise _too_large(self._policy)
        file.writelines(self._pieces(head))

    def _pieces(self, head: ResponseHead) -> Iterator[bytes]:
        """Yield the body as it comes; raises LinkFailed."""
        raw = RawBody(self._socket(), head, self._came)
        try:
            if head.is_compressed:
                yield from body_pieces(UpstreamResponse(head, raw), self._policy.max_bytes)
            else:
                yield from self._received(raw)
        except faults.Fault as fault:
            is_large = fault.error.reason == "upstream_too_large"
            raise (_too_large(self._policy) if is_large else _failed(fault)) from fault
        except (OSError, HTTPException) as error:
            raise _PassingError("could not be fetched: its server broke off.") from error

    def _received(self, raw: RawBody) -> Iterator[bytes]:
        size, pause_at = 0, LARGE_WORK.piece_bytes
        while piece := raw.receive():
            size += len(piece)
            if size > self._policy.max_bytes:
                raise _too_large(self._policy)
            yield piece
            # A fast server fills the socket again at once: others must get their turn.
            if size >= pause_at:
                pause_at += LARGE_WORK.piece_bytes
                LARGE_WORK.wait()

    def _socket(self) -> socket.socket:
        return cast("socket.socket", cast("HTTPConnection", self._connection).sock)


def _location(head: ResponseHead) -> str:
    for name, value in head.fields:
        if name == b"location":
            return value.decode("latin-1")
    raise LinkFailed("redirects to nowhere.")


def _check(head: ResponseHead) -> None:
    """Raise LinkFailed unless an answer has what was asked for."""
    status = head.status
    if status in _GONE:
        raise LinkFailed(f"leads to nothing: its server answered {status}.", "gone")
    if status >= 500 or status in _PASSING:
        raise _PassingError(f"could not be fetched: its server answered {status}.")
    if status != 200:
        raise LinkFailed(f"could not be fetched: its server answered {status}.")


def _failed(fault: faults.Fault) -> LinkFailed:
    words = {
        "upstream_dns": "could not be fetched: its host is not known.",
        "upstream_tls": "could not be fetched: its server's certificate is not valid.",
    }
    kind = _PassingError if fault.is_repeatable else LinkFailed
    return kind(words.get(fault.error.reason, "could not be fetched: its server is not reached."))


def _too_large(policy: LinkPolicy) -> LinkFailed:
    return LinkFailed(f"must lead to at most {policy.max_bytes >> 20} MiB.", "too_large")


def result_error(failed: LinkFailed, noun: str = "picture") -> ApiError:
    """Return the error of what a vendor has made, and that cannot be copied any more.

    Its `retries_exhausted` says that another look at the link would not help.
    """
    if failed.defect == "gone":
        gone = Gone(
            f"The {noun} was made, and the vendor's link to it has expired before it was copied.",
            reason="result_expired",
        )
        return gone.replaced(may_have_charged=True, retries_exhausted=True)
    lost = UpstreamFault(
        f"The {noun} was made, and could not be copied from the vendor.",
        reason="result_download_failed",
    )
    is_over = failed.defect in {"refused", "too_large"}
    return lost.replaced(may_have_charged=True, retries_exhausted=is_over)
