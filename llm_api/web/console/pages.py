"""Pages for browsers: `/`, `/docs` and `/reference`. Nothing is loaded from other hosts."""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

import flask_swagger_ui
from flask import Response, current_app, request, send_from_directory

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import rendering
from llm_api.web.console.sign_in import KEY_SETTING
from llm_api.web.late_document import LateBytes, compressed
from llm_api.web.reference import reference_page
from llm_api.web.request.context import services
from llm_api.web.response.answers import takes_gzip

# Only the wheel's dist/ folder is used: Swagger UI itself.
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
_OF_DOCS = {"swagger-ui.css", "swagger-ui-bundle.js"}  # 1.9 MB, and 0.5 compressed

blueprint = PublicBlueprint("pages", __name__, template_folder="templates")
swagger_ui = PublicBlueprint("swagger_ui", __name__, url_prefix="/docs/swagger-ui")


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


@swagger_ui.get("/<path:name>")
def swagger_file(name: str) -> Response:
    """Serve a file of Swagger UI, compressed where that is worth it and taken."""
    if name not in _OF_DOCS:
        return send_from_directory(_SWAGGER_UI, name)
    if not takes_gzip():
        return _varies(send_from_directory(_SWAGGER_UI, name))
    body = _swagger_ui(name).compressed()
    response = Response(body, mimetype=mimetypes.guess_type(name)[0])
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(body).hexdigest()[:16])
    response.make_conditional(request)
    return _varies(response)


@cache
def _swagger_ui(name: str) -> LateBytes:
    return LateBytes((_SWAGGER_UI / name).read_bytes)


def _varies(response: Response) -> Response:
    response.vary.add("Accept-Encoding")
    return response


@blueprint.get("/reference", strict_slashes=False)
def reference() -> Response:
    """Show the API document as a page to read, with every error and the requests as programs."""
    document = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    content = reference_page.content_of(document, rendering.language_of_request())
    session = rendering.session_of_request()
    page = rendering.render_for(session, "reference.html", "reference", content=content)
    # That of a signed-in browser has the token of its session in it.
    if takes_gzip() and session is None:
        page.set_data(compressed(page.get_data()))
        page.headers["Content-Encoding"] = "gzip"
    return _varies(page)
