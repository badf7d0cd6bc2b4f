"""The pages below `/console`, and the choice of language and theme."""

from functools import partial
from urllib.parse import urlsplit

from flask import Response, make_response, request

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import page_table, page_texts, rendering

_YEAR_S = 365 * 86_400

blueprint = PublicBlueprint("console", __name__, template_folder="templates", is_rate_limited=False)


def _show(page: page_table.Page) -> Response:
    return rendering.render(page.template, page.section)


for _page in page_table.PAGES:
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


def safe_path(target: str) -> str:
    r"""Return a path of this service to go on to; `/` for what leads to another host, or nowhere.

    Browsers take `//host` and `/\host` for another host, and pass over control characters.
    """
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    is_clean = target.isprintable() and "\\" not in target
    return target if is_own and is_clean and not urlsplit(target).netloc else "/"
