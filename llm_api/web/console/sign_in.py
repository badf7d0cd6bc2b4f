"""Signing in with an API key, signing out, and which pages ask for it."""

from urllib.parse import urlencode

from flask import Response, current_app, g, make_response, request

from llm_api.errors import ApiError, Forbidden
from llm_api.services.keys.session_service import Session
from llm_api.web.access import browser_sessions
from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import rendering
from llm_api.web.console.own_paths import safe_path
from llm_api.web.request.context import RequestState, client_address, services
from llm_api.web.response.error_formats import error_headers
from llm_api.web.response.errors import note_error

KEY_SETTING = "REQUIRE_API_KEY"
PATH = "/console/sign-in"
_MAX_KEY = 512  # characters, as in a header

blueprint = PublicBlueprint("sign_in", __name__, template_folder="templates")


def ask_to_sign_in(*, is_for_admins: bool) -> Response | None:
    """Return what leads to the form where the current page needs a sign-in; None to show it.

    Where keys are required, any key will do; for what is for admins, an admin's key alone.
    """
    if not (is_for_admins or current_app.config[KEY_SETTING]):
        return None
    session = rendering.session_of_request()
    if session is not None and (session.key.is_admin or not is_for_admins):
        return None
    query = {"next": request.full_path.rstrip("?")} | ({"admin": "1"} if is_for_admins else {})
    return _going_to(f"{PATH}?{urlencode(query)}")


@blueprint.get(PATH)
def show_form() -> Response:
    """Show the form."""
    return _form()


@blueprint.post(PATH)
def sign_in() -> Response:
    """Open a session for a key, and go on to the page that has asked for it.

    Whoever was signed in in this browser is so no more: a token from before is worth nothing.
    """
    state: RequestState = g.request_state
    sessions = services().sessions
    try:
        browser_sessions.check_form(request, None)
        secret = request.form.get("key", "").strip()[:_MAX_KEY]
        token, key = sessions.sign_in(secret, client_address())
    except ApiError as error:
        note_error(error)
        return _form(error)
    if former := browser_sessions.token_of(request):
        sessions.sign_out(former)
    state.log["key"] = key.id
    response = _going_to(safe_path(request.form.get("next", "")))
    browser_sessions.set_token(response, request, token)
    return response


@blueprint.post("/console/sign-out")
def sign_out() -> Response:
    """End the session of this browser."""
    session = rendering.session_of_request()
    token = browser_sessions.token_of(request)
    if session is not None and token is not None:
        browser_sessions.check_form(request, session)
        services().sessions.sign_out(token)
    response = _going_to("/")
    browser_sessions.drop_token(response, request)
    return response


def _form(error: ApiError | None = None) -> Response:
    values = request.form if request.method == "POST" else request.args
    session: Session | None = rendering.session_of_request()
    response = rendering.render(
        "sign_in.html",
        "sign_in",
        next_path=safe_path(values.get("next", "")),
        is_for_admins=values.get("admin") == "1",
        failure=_named(error),
        signed_in_as=None if session is None else session.key.name,
    )
    if error is None:
        return response
    return make_response(response, error.status, error_headers(error, PATH))


def _named(error: ApiError | None) -> str | None:
    """Return which of the form's sentences says what went wrong."""
    if error is None:
        return None
    if isinstance(error, Forbidden):
        return "not_from_here"
    return {401: "wrong", 429: "too_often"}.get(error.status, "away")


def _going_to(path: str) -> Response:
    return make_response("", 303, {"Location": path})
