"""Pages for browsers: `/`, `/docs` and `/reference`. Nothing is loaded from other hosts."""

from pathlib import Path

import flask_swagger_ui
from flask import Response, current_app

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import rendering
from llm_api.web.console.sign_in import KEY_SETTING
from llm_api.web.reference import reference_page
from llm_api.web.request.context import services

# Only the wheel's dist/ folder is used: Swagger UI itself.
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"

blueprint = PublicBlueprint("pages", __name__, template_folder="templates")
swagger_ui = PublicBlueprint(
    "swagger_ui", __name__, static_folder=str(_SWAGGER_UI), static_url_path="/docs/swagger-ui"
)


@blueprint.get("/")
def index() -> Response:
    """Show what this service is, and links; strangers are not told which models it has."""
    requires_key = bool(current_app.config[KEY_SETTING])
    session = rendering.session_of_request()
    is_stranger = requires_key and session is None
    key = None if session is None else session.key
    models = [] if is_stranger else services().catalogue.models(key)
    return rendering.render(
        "index.html",
        "home",
        is_demo=services().is_demo and not is_stranger,
        models=models,
        requires_key=requires_key,
        is_stranger=is_stranger,
    )


@blueprint.get("/docs", strict_slashes=False)
def docs() -> Response:
    """Show the API document in Swagger UI."""
    return rendering.render("docs.html", "docs")


@blueprint.get("/reference", strict_slashes=False)
def reference() -> Response:
    """Show the API document as a page to read, with every error and the requests as programs."""
    document = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    content = reference_page.content_of(document, rendering.language_of_request())
    return rendering.render("reference.html", "reference", content=content)
