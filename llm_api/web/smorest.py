"""flask-smorest, tied to our decoder, our fields and our error shape."""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Request
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser

from llm_api.errors import MAX_FIELD_ERRORS
from llm_api.web import idempotency
from llm_api.web.request.body import read_body
from llm_api.web.request.context import services
from llm_api.web.request.strict_json import decode_object
from llm_api.web.schema_fields import UNKNOWN, invalid_request

# What an operation says that always needs a key; the others do where the settings say so.
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
_View = TypeVar("_View", bound=Callable[..., Any])
_ERRORS: dict[int | str, str] = {
    400: "The request is wrong; `details.errors` names the fields.",
    401: "No valid API key was sent.",
    403: "The API key is not for this.",
    404: "There is no such path or model.",
    413: "The body is too large.",
    415: "The body is no plain `application/json`.",
    429: "This service, or the model service, was asked too often.",
    500: "A fault of this service.",
    502: "The model service answered, wrongly.",
    503: "No model service could be asked, or this one has no place left.",
    504: "The model service did not answer in time.",
}
# The second and third where keys are required.
_ERRORS_OF_ALL = (429, 401, 403, 500)
# Of routes that read a body, and of those that ask a model.
BODY_ERRORS = (400, 413, 415)
MODEL_ERRORS = (*BODY_ERRORS, 404, 502, 503, 504)
_HEADERS: dict[str, Any] = {
    "x-request-id": {"required": True, "schema": {"type": "string", "pattern": "^req_"}}
}
_WAITED_FOR = (429, 503)
_WAIT: dict[str, Any] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}


class StrictSchema(ma.Schema):
    """A schema that refuses fields it does not know."""

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012  # marshmallow declares it so

    class Meta:
        """Marshmallow's options."""

        unknown = ma.RAISE


CODES = ("VALIDATION_ERROR", "AUTHENTICATION_ERROR", "RATE_LIMIT_EXCEEDED", "SERVICE_ERROR")


class FieldErrorSchema(ma.Schema):
    """One wrong field."""

    field = ma.fields.String(required=True, metadata={"example": "messages[3].role"})
    message = ma.fields.String(required=True)


class ErrorDetailsSchema(ma.Schema):
    """What is known of an error beside its code."""

    retryable = ma.fields.Boolean(
        required=True, metadata={"description": "Whether repeating the call can help."}
    )
    reason = ma.fields.String(
        required=True, metadata={"description": "A stable word for the cause."}
    )
    request_id = ma.fields.String(required=True)
    hint = ma.fields.String(
        metadata={"description": "What would help, where the model service's rule is known."}
    )
    scope = ma.fields.String(
        metadata={"description": "Whose limit it is, and of what.", "example": "key.tokens"}
    )
    errors = ma.fields.List(
        ma.fields.Nested(FieldErrorSchema),
        metadata={"description": "The wrong fields.", "maxItems": MAX_FIELD_ERRORS},
    )


class ErrorBodySchema(ma.Schema):
    """The error itself."""

    code = ma.fields.String(required=True, metadata={"enum": list(CODES)})
    message = ma.fields.String(required=True)
    details = ma.fields.Nested(ErrorDetailsSchema, required=True)


class ErrorSchema(ma.Schema):
    """The envelope of every error."""

    error = ma.fields.Nested(ErrorBodySchema, required=True)


class StrictParser(FlaskParser):
    """Reads a body with our decoder and raises our error for a wrong one."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002  # webargs' signature
        """Return the decoded body; raises InvalidRequest."""
        raw = read_body(services().watch)
        idempotency.record_body(raw)
        return decode_object(raw)

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise InvalidRequest."""
        # webargs puts the messages under the place they were read from.
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow left it out
        raise invalid_request(messages["json"]) from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A blueprint whose arguments are read strictly, and whose errors are of one shape."""

    ARGUMENTS_PARSER = StrictParser()
    ERROR_SCHEMA: ClassVar[ma.Schema] = ErrorSchema()

    def errors(self, *statuses: int) -> Callable[[_View], _View]:
        """Document errors that a route answers with; every route has those of `_ERRORS_OF_ALL`."""
        described = {status: _ERRORS[status] for status in sorted({*_ERRORS_OF_ALL, *statuses})}
        responses = {
            status: {
                "description": description,
                "headers": _HEADERS | (_WAIT if status in _WAITED_FOR else {}),
                "content": {"application/json": {"schema": self.ERROR_SCHEMA}},
            }
            for status, description in (described | {"default": "Any other error."}).items()
        }
        documented: Callable[[_View], _View] = self.doc(responses=responses)
        return documented


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest ships no types
    """The API document; each dialect describes its own errors."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None
