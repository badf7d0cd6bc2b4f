"""Authenticates API keys and authorizes routes.

A caller is identified before the rate limiter, which counts by key, and rejected after it, so that
rejections count, too. Where no key is required, the Authorization header is ignored: SDKs must send
one. A browser that has signed in at the console has a session in place of a key.
"""

import re

from flask import Flask, current_app, g, request
from werkzeug.routing import Rule

from llm_api.domain.access import ApiKey
from llm_api.errors import ApiError, Forbidden, Unauthorized
from llm_api.services.keys.session_service import SessionService
from llm_api.web.access.browser_sessions import session_of_call
from llm_api.web.blueprints import PUBLIC, RouteRules, rules_of
from llm_api.web.request.context import RequestState, client_address

# Printable ASCII. A comma would join two headers into one.
_PRESENTED = "[!-+\\--~]{1,512}"
_BEARER = re.compile(f"Bearer +({_PRESENTED})", re.IGNORECASE)
_API_KEY = re.compile(f"({_PRESENTED})")  # Anthropic's clients send it in a header of its own
_READING = frozenset(["GET", "HEAD"])
_FILES_PATH = "/api/v1/files/"
_CHALLENGE = 'Bearer realm="llm_api"'
# In the WSGI environment, where nothing that comes over HTTP has such a name: a command on the
# machine of the service asks, who has its database and its upstreams' keys anyway.
OPERATOR = "llm_api.operator"


class AccessControl:
    """Checks of every request, before its view."""

    def __init__(self, sessions: SessionService, *, requires_key: bool) -> None:
        """Create the checks.

        Args:
            sessions: finds the key of a browser, and with its authenticator that of a secret.
            requires_key: whether routes need a key that are neither public nor for admins.
        """
        self._sessions, self._authenticator = sessions, sessions.authenticator
        self._requires_key = requires_key
        self._rules: dict[str, RouteRules] = {}  # by endpoint, as they apply here

    def register_identify(self, app: Flask) -> None:
        """Identify callers; to be registered before the limiter."""
        app.before_request(self._identify)

    def register_require(self, app: Flask) -> None:
        """Reject callers; to be registered after the limiter."""
        app.before_request(self._require)

    def _identify(self) -> None:
        """Authenticate the key of the current request; see `KeyAuthenticator.authenticate`."""
        if self._rules_of(request.url_rule).is_public:
            return
        environ = request.environ
        found = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if found := found or _API_KEY.fullmatch(environ.get("HTTP_X_API_KEY", "")):
            state: RequestState = g.request_state
            state.key = self._authenticator.authenticate(found[1], client_address())
            if state.key is not None and "HTTP_X_REQUEST_ID" in environ:
                state.take_request_id()
        elif "HTTP_COOKIE" in environ:
            state = g.request_state
            session = session_of_call(state.incoming, self._sessions)
            state.key = None if session is None else session.key

    def _require(self) -> None:
        """Authorize the current request; raises Unauthorized or Forbidden."""
        rules = self._rules_of(request.url_rule)
        # A browser's preflight, an OPTIONS request, carries no key.
        if rules.is_public or request.method == "OPTIONS":
            return
        key = g.request_state.key
        if key is None:
            environ = request.environ
            if OPERATOR in environ and not (rules.is_admin or rules.needs_key):
                return
            presented = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_X_API_KEY")
            raise unauthorized(is_presented=bool(presented))
        if rules.is_admin and not key.is_admin:
            raise Forbidden("This route requires an admin's API key.", reason="admin_required")
        if key.routes is not None and not (rules.needs_key or _is_allowed(key)):
            message = "The API key may not be used for this route."
            raise Forbidden(message, reason="route_not_allowed")

    def _rules_of(self, rule: Rule | None) -> RouteRules:
        if rule is None:  # a path that does not exist
            return PUBLIC
        if (rules := self._rules.get(rule.endpoint)) is None:
            rules = rules_of(current_app, request.blueprint)
            if not (self._requires_key or rules.is_admin or rules.needs_key):
                rules = PUBLIC
            self._rules[rule.endpoint] = rules
        return rules


def _is_allowed(key: ApiKey) -> bool:
    """Whether a key may be used for the current request.

    Files are handed out to the key alone for which they were made: their links are of use to one
    that may use `/v1/images/generations` alone, whose answers have them.
    """
    is_own_file = request.method in _READING and request.path.startswith(_FILES_PATH)
    return is_own_file or key.allows_route(request.path)


def unauthorized(*, is_presented: bool) -> ApiError:
    """Return the error of a wrong key, whether unknown, expired or disabled, or of none."""
    if is_presented:
        return Unauthorized(
            "The API key is not valid; send a valid one as `Authorization: Bearer KEY`, or as"
            " `x-api-key: KEY`.",
            reason="invalid_api_key",
            headers=[("WWW-Authenticate", f'{_CHALLENGE}, error="invalid_token"')],
        )
    return Unauthorized(
        "This route requires an API key; send it as `Authorization: Bearer KEY`, or as"
        " `x-api-key: KEY`.",
        reason="missing_api_key",
        headers=[("WWW-Authenticate", _CHALLENGE)],
    )
