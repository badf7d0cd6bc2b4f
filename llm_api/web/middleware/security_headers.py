"""What browsers are told with every answer, and whose pages may call the API (CORS).

It stands around everything else that answers: a page that may not read a 401, 429 or 503 cannot
tell its user what happened.
"""

from collections.abc import Iterable, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

# Only what the application has not set itself is added: pages have a policy of their own, and a
# stream may be told to caches and proxies in its own way.
ALWAYS: Sequence[tuple[str, str]] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    # An answer that is opened as a page can load nothing, run nothing and be framed by nobody.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_OPEN_TO_PAGES = ("/api/", "/v1/")
_METHODS = "GET, POST, OPTIONS"
_ALLOWED = frozenset(
    [
        "authorization",
        "content-type",
        "idempotency-key",
        "x-usage-tags",
        "x-lineage-id",
        "x-request-timeout",
        # The OpenAI SDKs send these from browsers, too.
        "openai-organization",
        "openai-project",
    ]
)
_ALLOWED_PREFIX = "x-stainless-"
_EXPOSED = (
    "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, www-authenticate,"
    " x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests,"
    " x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens,"
    " server-timing, openai-processing-ms, x-dropped-params,"
    " x-fallback-from, x-fallback-to, x-fallback-reason"
)
_PREFLIGHT_LASTS = "600"  # seconds in which a browser need not ask again


class SecurityHeaders:
    """The application, with the headers that browsers act on."""

    def __init__(self, app: WSGIApplication, origins: Iterable[str] = ()) -> None:
        """Take the origins whose pages may call, such as `https://app.example`."""
        self._app = app
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; a preflight is answered here, without a key and for nothing."""
        cors: Headers = []
        if self._origins and environ.get("PATH_INFO", "").startswith(_OPEN_TO_PAGES):
            cors = self._cors(environ)
            if _is_preflight(environ):
                return _answer_preflight(environ, start_response, cors)

        def start(status: str, headers: Headers, *error: object) -> object:
            return start_response(status, _completed(headers) + cors, *error)  # type: ignore[arg-type]  # passed on as it came

        return self._app(environ, start)  # type: ignore[arg-type]  # what `start` returns, the server's did

    def _cors(self, environ: WSGIEnvironment) -> Headers:
        # Also for other origins: a cache must not give one the answer of another.
        headers = [("Vary", "Origin")]
        if (origin := environ.get("HTTP_ORIGIN")) in self._origins:
            headers.append(("Access-Control-Allow-Origin", origin))
            headers.append(("Access-Control-Expose-Headers", _EXPOSED))
        return headers


def _completed(headers: Headers) -> Headers:
    present = {name for name, _ in headers}
    return headers + [header for header in ALWAYS if header[0] not in present]


def _is_preflight(environ: WSGIEnvironment) -> bool:
    """Tell a browser's question from a call, as the Fetch standard does."""
    asks = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return asks and environ["REQUEST_METHOD"] == "OPTIONS"


def _answer_preflight(
    environ: WSGIEnvironment, start_response: StartResponse, cors: Headers
) -> Iterable[bytes]:
    headers = _completed(cors)
    if len(cors) > 1:  # the origin is one of ours
        headers += [
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", ", ".join(_allowed_headers(environ))),
            ("Access-Control-Max-Age", _PREFLIGHT_LASTS),
        ]
    start_response("204 No Content", headers)
    return []


def _allowed_headers(environ: WSGIEnvironment) -> list[str]:
    """Name those that are always allowed, and of the SDKs' own those that are asked for."""
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower().split(",")
    sdks = {name for part in asked if (name := part.strip()).startswith(_ALLOWED_PREFIX)}
    return sorted(_ALLOWED | {name for name in sdks if name.replace("-", "").isalnum()})
