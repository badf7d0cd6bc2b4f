"""The session that a browser has at the console: its cookie, and what keeps other pages from it.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import hmac
from urllib.parse import urlsplit

from flask import Request, Response

from llm_api.errors import Forbidden
from llm_api.services.keys.session_service import LONGEST, Session, SessionService
from llm_api.web.request.context import address_of

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"  # of forms
_COOKIE = "llm_api_session"
# Browsers take a cookie of this name only over TLS, from this host, for all of its paths.
_SECURE_COOKIE = f"__Host-{_COOKIE}"
_READING = frozenset(["GET", "HEAD"])
_FROM_ELSEWHERE = frozenset(["cross-site", "same-site"])


def session_of_call(incoming: Request, sessions: SessionService) -> Session | None:
    """Return the session in whose name a page calls the API; None where there is none.

    Raises:
        Forbidden: the call may be that of another page.
        RateLimited, Unavailable: see `SessionService.find`.
    """
    environ = incoming.environ
    if "HTTP_AUTHORIZATION" in environ or "HTTP_X_API_KEY" in environ:
        return None
    session = session_of_page(incoming, sessions)
    if session is None:
        return None
    if incoming.method in _READING:
        is_ours = environ.get("HTTP_SEC_FETCH_SITE") not in _FROM_ELSEWHERE
    else:
        sent = environ.get("HTTP_X_CSRF_TOKEN", "")
        is_ours = comes_from_us(incoming) and _is_token(session, sent)
    if not is_ours:
        raise _other_page()
    return session


def session_of_page(incoming: Request, sessions: SessionService) -> Session | None:
    """Return the session of the browser that asks for a page; raises as `SessionService.find`."""
    token = token_of(incoming)
    return None if token is None else sessions.find(token, address_of(incoming))


def check_form(incoming: Request, session: Session | None) -> None:
    """Raise Forbidden where a form was sent by another page.

    Without a session it has no token: to sign others in is what is kept from other pages then.
    """
    is_token = session is None or _is_token(session, incoming.form.get(CSRF_FIELD, ""))
    if not (is_token and comes_from_us(incoming)):
        raise _other_page()


def comes_from_us(incoming: Request) -> bool:
    """Whether a browser says that a page of this service has sent a request.

    Every browser sends `Origin` with what is no GET; the newer header only to hosts it trusts. The
    scheme may have got lost on the way through a proxy.
    """
    site = incoming.environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site == "same-origin")
    return urlsplit(incoming.environ.get("HTTP_ORIGIN", "")).netloc == incoming.host


def token_of(incoming: Request) -> str | None:
    """Return the token in the cookie of a request."""
    return incoming.cookies.get(_name(incoming))


def set_token(response: Response, incoming: Request, token: str) -> None:
    """Have the browser keep a token, out of reach of scripts and of other sites."""
    seconds = int(LONGEST.total_seconds())
    is_secure = incoming.is_secure
    response.set_cookie(
        _name(incoming), token, seconds, secure=is_secure, httponly=True, samesite="Strict"
    )


def drop_token(response: Response, incoming: Request) -> None:
    """Have the browser forget its token."""
    is_secure = incoming.is_secure
    response.delete_cookie(_name(incoming), secure=is_secure, httponly=True, samesite="Strict")


def _name(incoming: Request) -> str:
    return _SECURE_COOKIE if incoming.is_secure else _COOKIE


def _is_token(session: Session, sent: str) -> bool:
    return hmac.compare_digest(session.csrf_token.encode(), sent.encode())


def _other_page() -> Forbidden:
    return Forbidden(
        "The request does not come from a page of this service; reload the page. Programs send an"
        " API key as `Authorization: Bearer KEY`, and no cookie.",
        reason="not_from_our_page",
    )
