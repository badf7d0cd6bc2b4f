"""The route of files: pictures and films that were made."""

from flask import Response, g

from llm_api.errors import RangeNotSatisfiable
from llm_api.services.files import FILES_AWAY, NO_SUCH_FILE
from llm_api.web.request.context import services
from llm_api.web.response.stored_files import file_response
from llm_api.web.smorest import Blueprint

blueprint = Blueprint(
    "Files", __name__, url_prefix="/api/v1/files", description="Pictures and films that were made."
)

_BINARY = {"type": "string", "format": "binary"}
_PART = "A part, of a request with `Range`."
_UNSATISFIABLE = RangeNotSatisfiable(1_024)


@blueprint.get("/<file_id>")
@blueprint.doc(operationId="getFile")
@blueprint.response(200, _BINARY, content_type="image/png")
@blueprint.alt_response(200, schema=_BINARY, content_type="image/jpeg", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="image/webp", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="video/mp4", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="video/quicktime", success=True)
@blueprint.alt_response(200, schema=_BINARY, content_type="video/webm", success=True)
@blueprint.alt_response(206, schema=_BINARY, content_type="image/png", description=_PART)
@blueprint.alt_response(206, schema=_BINARY, content_type="video/mp4", description=_PART)
@blueprint.alt_response(304, description="It is the one that `If-None-Match` names.")
@blueprint.errors(404, 416, 503, examples=[NO_SUCH_FILE, _UNSATISFIABLE, FILES_AWAY], never=[403])
def get_file(file_id: str) -> Response:
    """Return a picture or a film, or a part of it.

    Where keys are required, it is the key's for which it was made; elsewhere its id, which
    cannot be guessed, is enough. Its bytes never change.
    """
    return file_response(services().files.find(file_id, g.request_state.key))
