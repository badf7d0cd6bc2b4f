"""Security headers and CORS.

The outermost middleware: a page must be able to read a 401, 429 or 503, too.
"""

import re
from collections.abc import Iterable, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

# Added where the application has not set them: pages have a content policy of their own, streams a
# Cache-Control. Source: https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
ALWAYS: Sequence[tuple[str, str]] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    # A response that is opened as a page loads nothing, runs nothing and cannot be framed.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_OPEN_TO_PAGES = ("/api/", "/v1/")
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
# The name of a header, RFC 9110, 5.1; without *, which would stand for every name.
_NAME = re.compile(r"[!#$%&'+.^_`|~0-9a-z-]{1,100}")
_EXPOSED = (
    "x-request-id, request-id, x-call-id, retry-after, retry-after-ms, x-should-retry,"
    " www-authenticate,"
    " x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests,"
    " x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens,"
    " x-ratelimit-limit-budget, x-ratelimit-remaining-budget, x-ratelimit-reset-budget,"
    " server-timing, openai-processing-ms, x-dropped-params, idempotent-replayed,"
    " x-fallback-from, x-fallback-to, x-fallback-reason, x-rewrite-id, x-cache,"
    " x-llm-api-warnings, x-rewrite-warnings, x-replica-lag-seconds"
)
_PREFLIGHT_MAX_AGE = "600"  # seconds; Chromium allows at most 7200


class SecurityHeaders:
    """WSGI middleware that adds the headers."""

    def __init__(self, app: WSGIApplication, origins: Iterable[str] = ()) -> None:
        """Wrap `app`; pages of `origins`, such as `https://app.example`, may call it."""
        self._app = app
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request; preflights need no key and do not reach the application."""
        cors: Headers = []
        if self._origins and environ.get("PATH_INFO", "").startswith(_OPEN_TO_PAGES):
            cors = self._cors(environ)
            if _is_preflight(environ):
                return _answer_preflight(environ, start_response, cors)

        def start(status: str, headers: Headers, *error: object) -> object:
            return start_response(status, _completed(headers) + cors, *error)  # type: ignore[arg-type]  # passed on as it came

        return self._app(environ, start)  # type: ignore[arg-type]  # what `start` returns, the server's did

    def _cors(self, environ: WSGIEnvironment) -> Headers:
        # Also for other origins: a cache must not serve the response to one to another.
        headers = [("Vary", "Origin")]
        if (origin := environ.get("HTTP_ORIGIN")) in self._origins:
            headers.append(("Access-Control-Allow-Origin", origin))
            headers.append(("Access-Control-Expose-Headers", _EXPOSED))
        return headers


def _completed(headers: Headers) -> Headers:
    present = {name for name, _ in headers}
    return headers + [header for header in ALWAYS if header[0] not in present]


def _is_preflight(environ: WSGIEnvironment) -> bool:
    """Recognize a preflight: https://fetch.spec.whatwg.org/#cors-preflight-request."""
    is_cors = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return is_cors and environ["REQUEST_METHOD"] == "OPTIONS"


def _answer_preflight(
    environ: WSGIEnvironment, start_response: StartResponse, cors: Headers
) -> Iterable[bytes]:
    headers = _completed(cors)
    if len(cors) > 1:  # the origin is allowed
        headers += [
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Max-Age", _PREFLIGHT_MAX_AGE),
        ]
        if names := _requested_headers(environ):
            headers.append(("Access-Control-Allow-Headers", ", ".join(names)))
        # Chromium up to 141 asks so for a page that calls a service in its own network:
        # https://wicg.github.io/private-network-access/#cors-preflight
        if environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true":
            headers.append(("Access-Control-Allow-Private-Network", "true"))
    start_response("204 No Content", headers)
    return []


def _requested_headers(environ: WSGIEnvironment) -> list[str]:
    """Return the names that the page asks for, without what is no name of a header.

    All of them: which headers an SDK sets changes with its releases and with the browser (Firefox
    and Safari ask for `user-agent`, Chromium does not), and a call with one that is not allowed is
    not sent. The origins say whom to believe; what is no browser sends what it wants anyway.
    """
    requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower().split(",")
    return [name for part in requested if _NAME.fullmatch(name := part.strip())]
