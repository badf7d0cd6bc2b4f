"""Request bodies of all OpenAI routes, and the shapes of their answers and errors.

The types that a gateway can check are checked; the rest passes through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, Self

import marshmallow as ma

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.domain.safe_text import PRINTABLE, is_printable
from llm_api.web.schema_fields import (
    Float,
    Object,
    String,
    invalid_request,
    line,
    wrong_type,
)
from llm_api.web.smorest import CODES, Blueprint, ErrorDetailsSchema, StrictSchema

MAX_CHOICES = 128  # OpenAI's own limit
_TAKEN_OUT = ("model", "stream", "stream_options")
# What the service itself reads of a request. On a route that does not check them they are dropped.
READ = frozenset(
    [
        *("messages", "prompt", "input", "n", "best_of", "max_tokens", "max_completion_tokens"),
        *_TAKEN_OUT,
    ]
)


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """A valid request.

    `untyped` are the names of fields that were not looked at, of which vendors get those that they
    take; `dropped` are fields of other routes, which were removed. `shows_usage`: whether a stream
    ends with a chunk of the usage. `FIELD_NAMES` are the caller's names of a chat's fields, where
    they are others.
    """

    FIELD_NAMES: ClassVar[Mapping[str, str]] = {}

    model_request: ModelRequest
    untyped: tuple[str, ...]
    dropped: tuple[str, ...]
    is_streamed: bool
    shows_usage: bool

    def of_model(self, name: str) -> Self:
        """Return the same request for another model; raises InvalidRequest."""
        try:
            _MODEL.deserialize(name)
        except ma.ValidationError as error:
            raise invalid_request({"model": error.messages}) from error
        return replace(self, model_request=replace(self.model_request, model=name))


def _check_labels(labels: dict[Any, Any]) -> None:
    """Reject labels that are not a line of text; stops at the first, there may be a million."""
    texts = chain(labels.keys(), labels.values())
    if not all(isinstance(text, str) and is_printable(text) for text in texts):
        raise ma.ValidationError("must be an object of printable strings without line breaks.")


def _check_stream_options(options: dict[str, Any]) -> None:
    if not isinstance(options.get("include_usage"), bool | None):
        raise wrong_type("an object whose include_usage is true or false")


def stream_options_field() -> Object:
    """Make the field of `stream_options`, of which only `include_usage` has an effect."""
    described = {
        "description": "include_usage: true adds a chunk with the usage.",
        "properties": {"include_usage": {"type": ["boolean", "null"]}},
    }
    return Object(allow_none=True, validate=_check_stream_options, metadata=described)


def top_p_field() -> Float:
    """Make the field of `top_p`."""
    above_0 = ma.validate.Range(0, 1, min_inclusive=False)
    # apispec 6.10 documents the limit as included.
    return Float(allow_none=True, validate=above_0, metadata={"exclusiveMinimum": 0})


def labels_field(description: str) -> Object:
    """Make the field of `metadata`: texts by name, each a line."""
    described = {
        "description": description,
        "additionalProperties": {"type": "string", "pattern": PRINTABLE},
        "propertyNames": {"pattern": PRINTABLE},
    }
    return Object(allow_none=True, validate=_check_labels, metadata=described)


def model_field(**options: Any) -> String:
    """Make the field of a model's name."""
    return line(1, 256, **options)


_MODEL = model_field()
# The same for a name in a path.
MODEL_IN_PATH = {"type": "string", "minLength": 1, "maxLength": 256, **_MODEL.metadata}


class OpenAIErrorDetailsSchema(ErrorDetailsSchema):
    """Details of an error for which OpenAI's format has no field."""

    code = ma.fields.String(required=True, metadata={"enum": list(CODES)})


class OpenAIErrorBodySchema(ma.Schema):
    """An error in OpenAI's format, with our details."""

    message = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    param = ma.fields.String(required=True, allow_none=True)
    code = ma.fields.String(required=True, metadata={"description": "A stable word for the cause."})
    details = ma.fields.Nested(OpenAIErrorDetailsSchema, required=True)


class OpenAIErrorSchema(ma.Schema):
    """The envelope of every error under `/v1`."""

    error = ma.fields.Nested(OpenAIErrorBodySchema, required=True)


class OpenAIBlueprint(Blueprint):
    """A blueprint whose errors are in OpenAI's format."""

    ERROR_SCHEMA = OpenAIErrorSchema()


class OpenAIRequestSchema(StrictSchema):
    """Fields of all requests to models.

    Other fields are passed to vendors that take them; else they are dropped and named in the header
    `x-dropped-params`.
    """

    OPERATION: ClassVar[Operation]

    class Meta:
        """Marshmallow's options: `make` adds the fields that are not declared."""

        unknown = ma.EXCLUDE

    model = model_field(required=True)
    user = line(0, 512, allow_none=True)
    metadata = labels_field("Passed on with `store: true`, to vendors that store completions.")

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> OpenAIRequest:
        """Make the request that the service takes; null means left out."""
        taken_out = {name: document.pop(name, None) for name in _TAKEN_OUT}
        parameters = {name: value for name, value in document.items() if value is not None}
        # In the order in which they came, which marshmallow does not keep.
        others = [
            name
            for name, value in original.items()
            if value is not None and name not in self.fields
        ]
        untyped = tuple(name for name in others if name not in READ)
        parameters.update((name, original[name]) for name in untyped)
        return OpenAIRequest(
            ModelRequest(taken_out["model"], parameters, self.OPERATION),
            untyped,
            tuple(name for name in others if name in READ),
            is_streamed=bool(taken_out["stream"]),
            shows_usage=bool((taken_out["stream_options"] or {}).get("include_usage")),
        )


class OpenAIWarningSchema(ma.Schema):
    """What became of a field that the model does not take as it is."""

    field = ma.fields.String(required=True)
    code = ma.fields.String(
        required=True, metadata={"description": "emulated, adapted, dropped or cut."}
    )
    message = ma.fields.String(required=True)
