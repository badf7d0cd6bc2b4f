"""Who the client is, and whether it speaks TLS, behind proxies whose number is known.

Each proxy appends the address it was called from to `X-Forwarded-For`; what a client puts there
itself stands further left. Only the value that the outermost of our own proxies wrote is taken.
"""

import ipaddress
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_SCHEMES = ("http", "https")


class TrustedProxies:
    """The application, with the client's address in the place of the nearest proxy's.

    werkzeug's ProxyFix would let a client choose: it reads the header as a list that may have
    quotes, so that a client's own quotation mark hides what the proxies add behind it. Then, as
    where there are too few values or one is no address, it would count as the proxy itself.
    """

    def __init__(self, app: WSGIApplication, count: int) -> None:
        """Take the exact number of proxies, at least 1."""
        self._app = app
        self._count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        values = _values(environ, "HTTP_X_FORWARDED_FOR")
        if len(values) >= self._count and (address := address_in(values[-self._count])):
            environ["REMOTE_ADDR"] = address
        schemes = _values(environ, "HTTP_X_FORWARDED_PROTO")
        # Many proxies replace this header in place of appending to it.
        if schemes and (scheme := schemes[-min(self._count, len(schemes))].lower()) in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        return self._app(environ, start_response)


def _values(environ: WSGIEnvironment, name: str) -> list[str]:
    """Take a header apart; several lines of it have been joined by the server."""
    text = environ.get(name)
    return [part.strip() for part in text.split(",")] if text else []


def address_in(text: str) -> str | None:
    """Read an IP address, which may have brackets and a port; None for anything else."""
    host = text
    if host.startswith("[") and "]" in host:
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # A socket for both families shows an IPv4 client as ::ffff:192.0.2.1: it is the same client.
    return str(getattr(address, "ipv4_mapped", None) or address)
