"""Checks of the way to an upstream: settings, address, DNS, TCP and TLS."""

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.domain.upstream_plans import Endpoint, Timeouts
from llm_api.upstream.vendors.error_rules import ErrorRule

MAX_CONNECT_S = 4.0
_PLACEHOLDER = re.compile(
    r"(sk-)?(\.{2,}|…|[x*]{3,}|<.*>|your.*key.*|change.?me|replace.?me|todo)",
    re.IGNORECASE,
)
_ROUTE_AT_END = re.compile(r"/((chat/)?completions|embeddings|models|responses)$")
_VERSION = re.compile(r"/v\d")
# Where the API of a vendor begins, by its host names. Sources: the vendors' pages on OpenAI
# compatibility, as quoted in `config/example.env`.
_VENDOR_PATHS = (
    (re.compile(r"dashscope[\w-]*\.aliyuncs\.com$"), "/compatible-mode/v1"),
    (re.compile(r"ark\.[\w-]+\.(volces|bytepluses)\.com$"), "/api/v3"),
    (re.compile(r"api\.openai\.com$"), "/v1"),
)
_PRIVATE_NAME = re.compile(r"\.(local|internal|intranet|lan|home\.arpa|localhost|svc|svc\..*)$")
_SSL_NAMES = {18: "own", 19: "own", 20: "own", 21: "own", 10: "expired", 9: "early", 62: "name"}
_SSL_NAMES[64] = "name"  # the form for IP addresses; all are X509_V_ERR_* of OpenSSL


@dataclass(frozen=True, slots=True)
class CheckedUpstream:
    """An upstream to check, the names of the settings it comes from, and what its errors mean."""

    endpoint: Endpoint
    timeouts: Timeouts
    url_setting: str
    key_setting: str
    model_setting: str
    ca_bundle: str = DEFAULT_CA_BUNDLE_PATH
    rules: Sequence[ErrorRule] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.endpoint.url).hostname or ""

    @property
    def is_encrypted(self) -> bool:
        """Whether the address says https."""
        return urlsplit(self.endpoint.url).scheme == "https"

    @property
    def port(self) -> int:
        """The port, also where the address leaves it out."""
        return urlsplit(self.endpoint.url).port or (443 if self.is_encrypted else 80)

    @property
    def connect_timeout(self) -> float:
        """Seconds that connecting may take here."""
        return min(self.timeouts.connect, MAX_CONNECT_S)


class RouteChecks:
    """The checks of one upstream from its settings to the TLS handshake; none sends the key."""

    def __init__(self, upstream: CheckedUpstream) -> None:
        """Check `upstream`; nothing is connected yet."""
        self._upstream = upstream
        self._addresses: list[Any] = []

    def settings(self) -> CheckResult:
        """Check that key and model are no placeholders."""
        upstream = self._upstream
        key, model = upstream.endpoint.key, upstream.endpoint.model
        if _PLACEHOLDER.fullmatch(key):
            return fail(
                f"{upstream.key_setting} is a placeholder.",
                f"Put the upstream's real key into {upstream.key_setting}.",
            )
        if key[:1] in {'"', "'"} or key.lower().startswith("bearer"):
            return fail(
                f"{upstream.key_setting} has something around the key.",
                f"Write the key alone into {upstream.key_setting}, without quotes or 'Bearer'.",
            )
        if model.startswith("sk-") or (key and key in model) or _PLACEHOLDER.fullmatch(model):
            return fail(
                f"{upstream.model_setting} is a placeholder or a key.",
                f"Put the name of a model of the upstream into {upstream.model_setting}.",
            )
        return ok("Key and model are set." if key else "A model is set, and no key.")

    def address(self) -> CheckResult:
        """Check that the address can be the base of an OpenAI-compatible API."""
        upstream = self._upstream
        setting, path = upstream.url_setting, urlsplit(upstream.endpoint.url).path
        if route := _ROUTE_AT_END.search(path):
            return fail(
                f"{setting} ends with the path of one route.",
                f"Cut {route.group()} off {setting}; the service adds it itself.",
            )
        for host, expected in _VENDOR_PATHS:
            if host.match(upstream.host) and path != expected:
                return fail(
                    f"{setting} lacks the path at which {upstream.host} serves this API.",
                    f"Write https://{upstream.host}{expected} into {setting}.",
                )
        if not upstream.is_encrypted and _is_public(upstream.host):
            return warn(
                f"{setting} sends key and prompts unencrypted to {upstream.host}.",
                f"Write https:// into {setting}, unless the host is in your own network.",
            )
        if not _VERSION.search(path):
            return warn(
                f"{setting} has no version in its path.",
                f"If a check below fails, put /v1 at the end of {setting}.",
            )
        scheme = "https" if upstream.is_encrypted else "http"
        return ok(f"{scheme} to {upstream.host}, port {upstream.port}.")

    def dns(self) -> CheckResult:
        """Check that the host name resolves."""
        upstream = self._upstream
        found = _resolved(upstream.host, upstream.port, upstream.connect_timeout)
        if isinstance(found, list):
            self._addresses = found
            return ok(f"{upstream.host} has {_counted(len(found), 'address', 'es')}.")
        if found is None or found.errno == socket.EAI_AGAIN:
            return fail(
                f"No name server answered for {upstream.host}, so that it could not be resolved.",
                "See whether this machine has a network and a working name server"
                " (/etc/resolv.conf).",
            )
        return fail(
            f"The host name {upstream.host} could not be resolved.",
            f"Correct the host name in {upstream.url_setting}.",
        )

    def tcp(self) -> CheckResult:
        """Check that the port accepts a connection."""
        upstream = self._upstream
        where = f"{upstream.host}, port {upstream.port},"
        try:
            self._connected().close()
        except ConnectionRefusedError:
            return fail(
                f"{where} refused the connection: nothing listens there.",
                f"Start the upstream, or correct the host and the port in {upstream.url_setting}.",
            )
        except OSError:
            return fail(
                f"{where} could not be reached within {upstream.connect_timeout:g} s.",
                "See whether a firewall lets this machine out to that port; proxies of the"
                " environment are not used.",
            )
        return ok(f"Port {upstream.port} takes connections.")

    def tls(self) -> CheckResult:
        """Check the TLS handshake and the certificate."""
        upstream = self._upstream
        if not upstream.is_encrypted:
            return ok("Not used, as the address says http.")
        context = ssl.create_default_context(cafile=upstream.ca_bundle)
        try:
            with (
                self._connected() as raw,
                context.wrap_socket(raw, server_hostname=upstream.host) as secured,
            ):
                return ok(f"The certificate is valid ({secured.version()}).")
        except ssl.SSLCertVerificationError as error:
            return _bad_certificate(error.verify_code, upstream)
        except OSError:
            if self._speaks_plain_http():
                return fail(
                    f"Port {upstream.port} speaks HTTP without TLS.",
                    f"Write http:// in place of https:// into {upstream.url_setting},"
                    " or name the port for TLS.",
                )
        return fail(
            f"Port {upstream.port} broke the TLS handshake off or did not answer it.",
            f"See whether {upstream.url_setting} names the port for HTTPS; a proxy or a firewall"
            " may also stand in between.",
        )

    def speaks_tls(self) -> bool:
        """Whether the port completes a TLS handshake, whatever its certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is sent over it
        with suppress(OSError), self._connected() as raw, context.wrap_socket(raw):
            return True
        return False

    def _speaks_plain_http(self) -> bool:
        with suppress(OSError), self._connected() as raw:
            raw.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return raw.recv(16).startswith(b"HTTP/")
        return False

    def _connected(self) -> socket.socket:
        """Connect to the first address that answers; raises the last OSError."""
        deadline = time.monotonic() + self._upstream.connect_timeout
        failure: OSError = TimeoutError()
        for family, kind, protocol, _, address in self._addresses:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                connection.settimeout(self._upstream.connect_timeout)
                return connection
        raise failure


def _resolved(host: str, port: int, timeout: float) -> list[Any] | OSError | None:
    """Resolve in a thread, as `getaddrinfo` has no time-out; None when it took too long."""
    results: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            results.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            results.put(error)
        except UnicodeError:  # a label that is empty or too long
            results.put(socket.gaierror(socket.EAI_NONAME, ""))

    threading.Thread(target=resolve, daemon=True).start()
    with suppress(queue.Empty):
        return results.get(timeout=timeout)
    return None


def _bad_certificate(code: int, upstream: CheckedUpstream) -> CheckResult:
    kind = _SSL_NAMES.get(code)
    if kind == "name":
        return fail(
            f"The certificate is for another host than {upstream.host}.",
            f"Write the host name that the certificate is for into {upstream.url_setting}.",
        )
    if kind in {"expired", "early"}:
        state = "has expired" if kind == "expired" else "is not valid yet"
        return fail(
            f"The certificate {state}.",
            "Check this machine's clock; if it is correct, the upstream needs a new certificate.",
        )
    return fail(
        "The certificate is self-signed or from an authority that is not publicly known.",
        "Give the upstream a certificate of a public authority; if a proxy opens TLS on the way,"
        " have this host exempted.",
    )


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:  # a name; without a dot it is local
        return "." in host and not _PRIVATE_NAME.search(host)


def _counted(count: int, noun: str, plural: str) -> str:
    return f"{count} {noun if count == 1 else noun + plural}"
