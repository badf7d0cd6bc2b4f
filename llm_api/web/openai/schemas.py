"""What all OpenAI routes take, and their errors.

The types that a gateway can check are checked; the rest passes through.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import marshmallow as ma

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.domain.safe_text import PRINTABLE, is_printable
from llm_api.web.schema_fields import StrictString, invalid_request, out_of_range, wrong_type
from llm_api.web.smorest import CODES, Blueprint, ErrorDetailsSchema, StrictSchema

MAX_CHOICES = 8
# Fields that this service acts on itself.
_OURS = frozenset(["model", "stream", "stream_options"])


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """A checked request, and the names of fields that were left out because nobody knows them.

    `shows_usage` says whether a streamed answer is to end with the usage.
    """

    model_request: ModelRequest
    dropped: tuple[str, ...]
    is_streamed: bool
    shows_usage: bool

    def of_model(self, name: str) -> Self:
        """Return the same request for another model; raises InvalidRequest."""
        try:
            model_field(required=True).deserialize(name)
        except ma.ValidationError as error:
            raise invalid_request({"model": error.messages}) from error
        return replace(self, model_request=replace(self.model_request, model=name))


class MetadataField(ma.fields.Dict):
    """Labels of the caller's own: one line of text each."""

    def __init__(self, **kwargs: Any) -> None:
        """Take marshmallow's options."""
        described = {
            "anyOf": [{"propertyNames": {"pattern": PRINTABLE}}],
            **kwargs.pop("metadata", {}),
        }
        super().__init__(values=StrictString(is_printable=True), metadata=described, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> dict[str, str]:  # noqa: ARG002  # marshmallow's signature
        if not isinstance(value, dict):
            raise wrong_type("an object")
        texts = [*value.keys(), *value.values()]
        if not all(isinstance(text, str) and is_printable(text) for text in texts):
            raise out_of_range("an object of printable strings without line breaks")
        return value


class StreamOptionsField(ma.fields.Dict):
    """`include_usage` is this service's to act on; it passes no other option on."""

    def __init__(self) -> None:
        """Describe it."""
        described = {
            "description": "include_usage: true adds a chunk with the usage.",
            "properties": {"include_usage": {"type": ["boolean", "null"]}},
        }
        super().__init__(allow_none=True, metadata=described)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> dict[str, Any]:  # noqa: ARG002  # marshmallow's signature
        if not isinstance(value, dict):
            raise wrong_type("an object")
        if not isinstance(value.get("include_usage"), bool | None):
            raise wrong_type("an object whose include_usage is true or false")
        return value


def optional(field: ma.fields.Field[Any]) -> ma.fields.Field[Any]:
    """Let a field be null: SDKs send null for what their user left out."""
    field.allow_none = True
    if choices := field.metadata.get("enum"):
        field.metadata = {**field.metadata, "enum": [*choices, None]}
    return field


def model_field(*, required: bool) -> StrictString:
    """Make the field of a model's name."""
    return StrictString(required=required, at_least=1, at_most=256, is_printable=True)


# The same for a name in a path.
MODEL_IN_PATH = {"type": "string", **model_field(required=True).metadata}


class OpenAIErrorDetailsSchema(ErrorDetailsSchema):
    """What is known of an error beside what OpenAI has a place for."""

    code = ma.fields.String(required=True, metadata={"enum": list(CODES)})


class OpenAIErrorBodySchema(ma.Schema):
    """An error, as OpenAI defines it, with our details."""

    message = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    param = ma.fields.String(required=True, allow_none=True)
    code = ma.fields.String(required=True, metadata={"description": "A stable word for the cause."})
    details = ma.fields.Nested(OpenAIErrorDetailsSchema, required=True)


class OpenAIErrorSchema(ma.Schema):
    """The envelope of every error under `/v1`."""

    error = ma.fields.Nested(OpenAIErrorBodySchema, required=True)


class OpenAIBlueprint(Blueprint):
    """A blueprint whose errors are described as OpenAI's."""

    ERROR_SCHEMA = OpenAIErrorSchema()


class AnswerSchema(ma.Schema):
    """What a model service answered; OpenAI's reference describes what is inside."""

    class Meta:
        """Marshmallow's options."""

        unknown = ma.INCLUDE


class ModelSchema(ma.Schema):
    """A model on offer."""

    id = ma.fields.String(required=True)
    object = ma.fields.String(required=True, metadata={"enum": ["model"]})
    created = ma.fields.Integer(required=True)
    owned_by = ma.fields.String(required=True, metadata={"description": "Its upstream."})


class ModelListSchema(ma.Schema):
    """The models on offer."""

    object = ma.fields.String(required=True, metadata={"enum": ["list"]})
    data = ma.fields.List(ma.fields.Nested(ModelSchema), required=True)


class OpenAIRequestSchema(StrictSchema):
    """What all requests to models have in common.

    Fields that are not known are dropped and named in the header `x-dropped-params`.
    """

    OPERATION: ClassVar[Operation]
    PASSED_THROUGH: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        """Marshmallow's options: unknown fields come along, to be named and dropped in `make`."""

        unknown = ma.INCLUDE

    model: ma.fields.Field[Any] = model_field(required=True)
    user = optional(StrictString(at_most=512, is_printable=True))
    metadata = MetadataField(
        allow_none=True,
        metadata={"description": "Checked, and not passed on: see x-dropped-params."},
    )

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> OpenAIRequest:
        """Make the request that the service takes; null means left out."""
        known = {name: document[name] for name in document if self._is_known(name)}
        # In the order in which they came, which marshmallow does not keep.
        dropped = tuple(name for name in original if name not in known)
        parameters = {
            name: value for name, value in known.items() if value is not None and name not in _OURS
        }
        options = known.get("stream_options") or {}
        return OpenAIRequest(
            ModelRequest(document.get("model"), parameters, self.OPERATION),
            dropped,
            is_streamed=bool(known.get("stream")),
            shows_usage=bool(options.get("include_usage")),
        )

    def _is_known(self, name: str) -> bool:
        return name != "metadata" and (name in self.fields or name in self.PASSED_THROUGH)
