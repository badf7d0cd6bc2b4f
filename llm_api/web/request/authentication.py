"""Finds out who asks, and sends away who may not.

Whoever asks is identified before the limiter, which counts by key, and refused behind it, so that
refusals are counted, too. Where no key is required, one that is sent is not looked at: SDKs must
send something. Only the routes of keys ask for an admin's always.
"""

import re

from flask import Flask, g, request
from werkzeug.routing import Rule

from llm_api.errors import ApiError, Forbidden, Unauthorized
from llm_api.services.keys.authenticator import KeyAuthenticator
from llm_api.web import health
from llm_api.web.console import pages
from llm_api.web.request.context import client_address

ADMIN = "Keys"  # the name of the blueprint that is for admins alone
# They have nothing that costs anything, and nothing of anybody's.
_OPEN = frozenset([health.blueprint.name, pages.blueprint.name, pages.swagger_ui.name, "api-docs"])
# Printable ASCII. A comma would join two headers into one.
_BEARER = re.compile(r"Bearer +([!-+\--~]{1,512})", re.IGNORECASE)
_CHALLENGE = 'Bearer realm="llm_api"'


class AccessControl:
    """Stands before every view."""

    def __init__(self, ring: KeyAuthenticator, *, requires_key: bool) -> None:
        """Take where keys are found, and whether each call needs one."""
        self._ring = ring
        self._requires_key = requires_key
        self._open: dict[str, bool] = {}  # endpoints: a look costs less than to find out again

    def register_identify(self, app: Flask) -> None:
        """Identify callers; before the limiter."""
        app.before_request(self._identify)

    def register_require(self, app: Flask) -> None:
        """Refuse callers; behind the limiter."""
        app.before_request(self._require)

    def _identify(self) -> None:
        """Note the key of the current request; raises what KeyRing.find raises."""
        if self._is_open(request.url_rule):
            return
        header = request.environ.get("HTTP_AUTHORIZATION")
        if header and (found := _BEARER.fullmatch(header)):
            g.request_state.key = self._ring.find(found[1], client_address())

    def _require(self) -> None:
        """Let the current request pass; raises Unauthorized or Forbidden."""
        # A browser asks with OPTIONS before it sends the key.
        if self._is_open(request.url_rule) or request.method == "OPTIONS":
            return
        key = g.request_state.key
        if key is None:
            raise _unknown(is_presented=bool(request.environ.get("HTTP_AUTHORIZATION")))
        if request.blueprint == ADMIN and not key.is_admin:
            raise Forbidden("This route needs a key of an admin.", reason="admin_required")
        if not key.allows_route(request.path):
            message = "The API key may not be used for this route."
            raise Forbidden(message, reason="route_not_allowed")

    def _is_open(self, rule: Rule | None) -> bool:
        if rule is None:  # a path that does not exist is nobody's
            return True
        if (is_open := self._open.get(rule.endpoint)) is None:
            name = request.blueprint
            is_open = name in _OPEN or not (self._requires_key or name == ADMIN)
            self._open[rule.endpoint] = is_open
        return is_open


def _unknown(*, is_presented: bool) -> ApiError:
    """Make the refusal; why a key opens nothing is not told."""
    if is_presented:
        return Unauthorized(
            "The API key is not valid; send a valid one as `Authorization: Bearer KEY`.",
            reason="invalid_api_key",
            headers=[("WWW-Authenticate", f'{_CHALLENGE}, error="invalid_token"')],
        )
    return Unauthorized(
        "This route needs an API key; send it as `Authorization: Bearer KEY`.",
        reason="missing_api_key",
        headers=[("WWW-Authenticate", _CHALLENGE)],
    )
