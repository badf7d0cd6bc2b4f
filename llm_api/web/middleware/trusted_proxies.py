"""Client address and scheme behind a known number of proxies.

Each proxy appends the address of its peer to `X-Forwarded-For`; values that a client sends itself
are further left. Only the value that the outermost trusted proxy wrote is used.
"""

import ipaddress
import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# In the environment of a request that came through a trusted proxy.
FROM_PROXY = "llm_api.from_proxy"
_SCHEMES = ("http", "https")
# What proxies add: RFC 7239, RFC 9110 7.6.3, and the name that most use.
_OF_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA")
logger = logging.getLogger(__name__)


class TrustedProxies:
    """WSGI middleware that replaces the nearest proxy's address by the client's.

    werkzeug's ProxyFix can be misled: it parses quoted strings, so that a quotation mark from the
    client hides the values that proxies append. The client would then have the proxy's address, as
    with too few values or an invalid one.
    """

    def __init__(self, app: WSGIApplication, count: int) -> None:
        """Wrap `app`, which is behind exactly `count` proxies, at least 1."""
        self._app = app
        self._count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        values = _values(environ, "HTTP_X_FORWARDED_FOR")
        if len(values) >= self._count and (address := address_in(values[-self._count])):
            environ["REMOTE_ADDR"] = address
        environ[FROM_PROXY] = True
        schemes = _values(environ, "HTTP_X_FORWARDED_PROTO")
        # Many proxies replace this header instead of appending to it.
        if schemes and (scheme := schemes[-min(self._count, len(schemes))].lower()) in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        return self._app(environ, start_response)


class ProxyNotice:
    """WSGI middleware that logs once that a proxy is in front of a service without keys.

    Listening on loopback alone protects nothing there: the proxy is on this machine, too.
    """

    def __init__(self, app: WSGIApplication) -> None:
        """Wrap `app`, whose callers need no key."""
        self._app = app
        self._is_told = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        if not self._is_told and any(name in environ for name in _OF_PROXIES):
            self._is_told = True
            logger.warning(
                "A proxy passes calls on to this service, and no key is required: whoever reaches"
                " the proxy spends your money. Set REQUIRE_API_KEY=true, and TRUSTED_PROXIES to the"
                " number of proxies."
            )
        return self._app(environ, start_response)


def _values(environ: WSGIEnvironment, name: str) -> list[str]:
    """Split a header, whose lines the server has joined."""
    text = environ.get(name)
    return [part.strip() for part in text.split(",")] if text else []


def address_in(text: str) -> str | None:
    """Parse an IP address, which may have brackets and a port; None if it is invalid."""
    host = text
    if host.startswith("[") and "]" in host:
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # On a dual-stack socket an IPv4 client is ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2).
    return str(getattr(address, "ipv4_mapped", None) or address)
