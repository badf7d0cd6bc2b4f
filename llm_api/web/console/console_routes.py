"""The pages below `/console`, and the choice of language and theme."""

from functools import partial

from flask import Response, make_response, request

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import page_table, page_texts, rendering, sign_in
from llm_api.web.console.own_paths import safe_path

_YEAR_S = 365 * 86_400

blueprint = PublicBlueprint("console", __name__, template_folder="templates", is_rate_limited=False)


def _show(page: page_table.Page) -> Response:
    asked = sign_in.ask_to_sign_in(is_for_admins=page.is_for_admins)
    if asked is not None:
        return asked
    session = rendering.session_of_request()
    offer = page.offer(None if session is None else session.key)
    return rendering.render(page.template, page.section, page.shares, **offer)


for _page in page_table.PAGES:
    if not _page.has_own_view:
        blueprint.add_url_rule(_page.path, _page.section, partial(_show, _page), methods=["GET"])


@blueprint.post("/console/preferences")
def set_preferences() -> Response:
    """Keep a language or a theme in this browser, and go back to the page."""
    response = make_response("", 303, {"Location": safe_path(request.form.get("next", ""))})
    chosen = {
        rendering.LANGUAGE_COOKIE: (request.form.get("language"), page_texts.LANGUAGES),
        rendering.THEME_COOKIE: (request.form.get("theme"), rendering.THEMES),
    }
    for name, (value, known) in chosen.items():
        if value is not None and value in known:
            response.set_cookie(
                name, value, _YEAR_S, secure=request.is_secure, httponly=True, samesite="Lax"
            )
    return response
