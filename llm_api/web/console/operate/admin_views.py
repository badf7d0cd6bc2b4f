"""What every page for admins has: a sign-in, a check of its forms, errors as a page."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast

from flask import Response, g, make_response, request

from llm_api.domain.audit import Actor
from llm_api.errors import ApiError
from llm_api.services.keys.session_service import Session
from llm_api.web.access import browser_sessions
from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import operate_words, rendering, sign_in
from llm_api.web.request.context import RequestState, acting_admin
from llm_api.web.response.error_formats import error_headers
from llm_api.web.response.errors import note_error

PREFIX = "/console/operate"
SECTION = "operate"
_P = ParamSpec("_P")

blueprint = PublicBlueprint("console_operate", __name__, url_prefix=PREFIX, is_rate_limited=False)


def for_admins(view: Callable[_P, Response]) -> Callable[_P, Response]:
    """Let a view answer admins alone, who have signed in, and forms of this service alone.

    It acts with the right of the key that has signed in, as if that had been sent to the API.
    """

    @wraps(view)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> Response:
        if (asked := sign_in.ask_to_sign_in(is_for_admins=True)) is not None:
            return asked
        session = cast("Session", rendering.session_of_request())
        state: RequestState = g.request_state
        state.key = session.key
        try:
            if request.method == "POST":
                browser_sessions.check_form(request, session)
            return view(*args, **kwargs)
        except ApiError as error:
            note_error(error)
            response = shown("problem", status=error.status, problem=error)
            response.headers.update(error_headers(error, request.path))
            return response

    return checked


def admin() -> Actor:
    """Return who acts, for the audit; inside of a view that is `for_admins`."""
    return cast("Actor", acting_admin())


def shown(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page of `templates/operate/`, which browsers do not keep: it may have a secret."""
    words = operate_words.words_of(rendering.language_of_request())
    page = rendering.render(
        f"operate/{template}.html", SECTION, here=template, words=words, **values
    )
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def going_to(path: str) -> Response:
    """Return what leads on to a page below PREFIX after something was done."""
    return make_response("", 303, {"Location": f"{PREFIX}/{path}"})
