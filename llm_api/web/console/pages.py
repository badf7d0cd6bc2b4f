"""Pages for browsers: `/` and `/docs`. Nothing is loaded from other hosts."""

from pathlib import Path

import flask_swagger_ui
from flask import Response, current_app, make_response, render_template

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import assets, rendering
from llm_api.web.console.sign_in import KEY_SETTING
from llm_api.web.request.context import services

# Only the wheel's dist/ folder is used: Swagger UI itself.
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
# Swagger UI writes style attributes and draws its icons from data: addresses.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

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
    response = make_response(render_template("docs.html", asset=assets.address_of))
    response.headers["Content-Security-Policy"] = _POLICY
    return response
