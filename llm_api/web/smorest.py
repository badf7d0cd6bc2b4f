"""flask-smorest with this API's decoder, error schemas and blueprint rules."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Flask

from llm_api.errors import MAX_FIELD_ERRORS
from llm_api.web.blueprints import RouteRules
from llm_api.web.request.body import StrictParser
from llm_api.web.schema_fields import MESSAGES_OF_SCHEMAS

# Of operations that always need a key; the others need one where the settings say so.
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
_View = TypeVar("_View", bound=Callable[..., Any])
_ERRORS: dict[int | str, str] = {
    400: "The request is invalid; `details.errors` names the fields.",
    401: "No valid API key was sent.",
    403: "The API key does not allow this.",
    404: "The path or model does not exist.",
    413: "The body is too large.",
    415: "The body is not uncompressed `application/json`.",
    429: "A limit of this service, or of the model service, is exceeded.",
    500: "An internal error.",
    502: "The model service sent an invalid response.",
    503: "No model service could be called, or this service is at capacity.",
    504: "The model service did not respond in time.",
}
# The second and third where keys are required.
_ERRORS_OF_ALL = (429, 401, 403, 500)
# Of routes that read a body, and of those that call a model.
BODY_ERRORS = (400, 413, 415)
MODEL_ERRORS = (*BODY_ERRORS, 404, 502, 503, 504)
_HEADERS: dict[str, Any] = {
    "x-request-id": {"required": True, "schema": {"type": "string", "pattern": "^req_"}}
}
_RETRIED = (429, 503)
_RETRY_AFTER: dict[str, Any] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}


class StrictSchema(ma.Schema):
    """A schema that rejects unknown fields."""

    error_messages = MESSAGES_OF_SCHEMAS

    class Meta:
        """Marshmallow's options."""

        unknown = ma.RAISE


CODES = ("VALIDATION_ERROR", "AUTHENTICATION_ERROR", "RATE_LIMIT_EXCEEDED", "SERVICE_ERROR")


class FieldErrorSchema(ma.Schema):
    """An invalid field."""

    field = ma.fields.String(required=True, metadata={"example": "messages[3].role"})
    message = ma.fields.String(required=True)


class ErrorDetailsSchema(ma.Schema):
    """Details of an error."""

    retryable = ma.fields.Boolean(
        required=True, metadata={"description": "Whether a retry can succeed."}
    )
    reason = ma.fields.String(
        required=True, metadata={"description": "A stable word for the cause."}
    )
    request_id = ma.fields.String(required=True)
    hint = ma.fields.String(
        metadata={"description": "How to fix the request, where the model service's rule is known."}
    )
    scope = ma.fields.String(
        metadata={"description": "Whose limit is exceeded, and of what.", "example": "key.tokens"}
    )
    errors = ma.fields.List(
        ma.fields.Nested(FieldErrorSchema),
        metadata={"description": "The invalid fields.", "maxItems": MAX_FIELD_ERRORS},
    )


class ErrorBodySchema(ma.Schema):
    """The error."""

    code = ma.fields.String(required=True, metadata={"enum": list(CODES)})
    message = ma.fields.String(required=True)
    details = ma.fields.Nested(ErrorDetailsSchema, required=True)


class ErrorSchema(ma.Schema):
    """The envelope of every error."""

    error = ma.fields.Nested(ErrorBodySchema, required=True)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A blueprint of the API document, with strict arguments and one shape of errors."""

    ARGUMENTS_PARSER = StrictParser()
    ERROR_SCHEMA: ClassVar[ma.Schema] = ErrorSchema()

    def __init__(
        self, name: str, import_name: str, *, is_admin: bool = False, **options: Any
    ) -> None:
        """Create a blueprint.

        Args:
            name: the tag of its operations in the API document.
            import_name: the module, for Flask.
            is_admin: whether its routes always need the key of an admin.
            options: as of `flask_smorest.Blueprint`.
        """
        super().__init__(name, import_name, **options)
        self.rules = RouteRules(is_admin=is_admin)

    def errors(self, *statuses: int) -> Callable[[_View], _View]:
        """Document the error statuses of a route; `_ERRORS_OF_ALL` are added to each."""
        described = {status: _ERRORS[status] for status in sorted({*_ERRORS_OF_ALL, *statuses})}
        responses = {
            status: {
                "description": description,
                "headers": _HEADERS | (_RETRY_AFTER if status in _RETRIED else {}),
                "content": {"application/json": {"schema": self.ERROR_SCHEMA}},
            }
            for status, description in (described | {"default": "Any other error."}).items()
        }
        documented: Callable[[_View], _View] = self.doc(responses=responses)
        return documented


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest ships no types
    """The API document, without default errors: each dialect documents its own."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def init_app(self, app: Flask, **options: Any) -> None:
        """Initialize the document; an empty argument of a query string counts as left out."""
        super().init_app(app, **options)
        self.ma_plugin.converter.add_parameter_attribute_function(_allow_empty)


def _allow_empty(_: Any, __: ma.fields.Field[Any], *, ret: dict[str, Any]) -> dict[str, bool]:
    return {"allowEmptyValue": True} if ret["in"] == "query" else {}
