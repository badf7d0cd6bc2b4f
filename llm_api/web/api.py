"""flask-smorest, tied to our decoder, our fields and our error shape."""

from typing import Any, NoReturn

import flask_smorest
import marshmallow as ma
from flask import Request
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser

from llm_api.web import replays
from llm_api.web.body import decode_object
from llm_api.web.context import services
from llm_api.web.fields import UNKNOWN, invalid_request
from llm_api.web.intake import read_body

# What an operation says that always needs a key; the others do where the settings say so.
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]


class StrictSchema(ma.Schema):
    """A schema that refuses fields it does not know."""

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012  # marshmallow declares it so

    class Meta:
        """Marshmallow's options."""

        unknown = ma.RAISE


class ErrorDetailsSchema(ma.Schema):
    """What is known of an error beside its code."""

    retryable = ma.fields.Boolean(metadata={"description": "Whether repeating the call can help."})
    reason = ma.fields.String(metadata={"description": "A stable word for the cause."})
    request_id = ma.fields.String()
    hint = ma.fields.String(
        metadata={"description": "What would help, where the model service's rule is known."}
    )


class ErrorBodySchema(ma.Schema):
    """The error itself."""

    code = ma.fields.String(
        metadata={
            "enum": [
                "VALIDATION_ERROR",
                "AUTHENTICATION_ERROR",
                "RATE_LIMIT_EXCEEDED",
                "SERVICE_ERROR",
            ]
        }
    )
    message = ma.fields.String()
    details = ma.fields.Nested(ErrorDetailsSchema)


class ErrorSchema(ma.Schema):
    """The envelope of every error."""

    error = ma.fields.Nested(ErrorBodySchema)


class StrictParser(FlaskParser):
    """Reads a body with our decoder and raises our error for a wrong one."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002  # webargs' signature
        """Return the decoded body; raises InvalidRequest."""
        raw = read_body(services().watch)
        replays.note_body(raw)
        return decode_object(raw)

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise InvalidRequest."""
        # webargs puts the messages under the place they were read from.
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow left it out
        raise invalid_request(messages["json"]) from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A blueprint whose arguments are read strictly."""

    ARGUMENTS_PARSER = StrictParser()


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest ships no types
    """The API document; each dialect describes its own errors."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None
