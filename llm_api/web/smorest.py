"""flask-smorest with this API's decoder, error schemas and blueprint rules."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import flask_smorest
import marshmallow as ma
import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from apispec.ext.marshmallow.schema_resolver import SchemaResolver
from flask import Flask, Response

from llm_api.errors import MAX_FIELD_ERRORS, ApiError
from llm_api.web.blueprints import RouteRules
from llm_api.web.documented_errors import HEADERS, error_responses, name_methods
from llm_api.web.late_document import LateDocument
from llm_api.web.request.body import StrictParser
from llm_api.web.response.answers import compressed_response
from llm_api.web.schema_fields import MESSAGES_OF_SCHEMAS, AnyOf

# Of operations that always need a key; the others need one where the settings say so.
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
# Keywords of JSON Schema that apispec does not know.
_MORE_KEYWORDS = ("propertyNames",)
_DESCRIPTIONS = "llm_api_descriptions"  # the attribute of a view that has its decorators
_View = TypeVar("_View", bound=Callable[..., Any])


class StrictSchema(ma.Schema):
    """A schema that rejects unknown fields."""

    error_messages = MESSAGES_OF_SCHEMAS

    class Meta:
        """Marshmallow's options."""

        unknown = ma.RAISE


FILTERED = ("text", "image", "face", "audio", "copyright")
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
    stage = ma.fields.String(
        metadata={
            "description": "Whether a content filter refused what was sent, or what was made.",
            "enum": ["input", "output"],
        }
    )
    what = ma.fields.String(
        metadata={"description": "What it refused.", "enum": list(FILTERED)},
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
        self._undescribed: list[tuple[Any, dict[str, Any]]] = []

    @staticmethod
    def doc(**options: Any) -> Callable[[_View], _View]:
        """Describe a route."""
        return _described(flask_smorest.Blueprint.doc(**options))

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Any:
        """Document the response of a route, with the headers that every response has."""
        return _described(super().response(status_code, schema, headers=dict(HEADERS), **options))

    def alt_response(self, status_code: int, **options: Any) -> Any:
        """Document another response of a route."""
        return _described(super().alt_response(status_code, **options))

    def errors(
        self, *statuses: int, examples: Sequence[ApiError] = (), never: Sequence[int] = ()
    ) -> Callable[[_View], _View]:
        """Document the error statuses of a route; those that every route has are added to each.

        `examples` are errors of the route, in place of the usual ones of their statuses; `never`
        are statuses of all other routes that this one does not have.
        """
        prefix = self.url_prefix or ""
        write = partial(error_responses, statuses, examples, self.ERROR_SCHEMA, prefix, never)
        # Written with the document: until then all examples would be 0.7 MiB of every worker.
        return _described(lambda view: flask_smorest.Blueprint.doc(responses=write())(view))  # noqa: PLW0108  # it would be written at once

    def _store_endpoint_docs(self, *route: Any, **options: Any) -> None:
        """Describe a route later: see `register_views_in_doc`."""
        self._undescribed.append((route, options))

    def register_views_in_doc(self, api: "Api", *_: Any, **options: Any) -> None:
        """Have the routes described when the document is written."""
        api.to_describe.append((self, options))

    def describe(self, api: "Api", app: Flask, spec: APISpec, **options: Any) -> None:
        """Describe the routes in the document of an application, and let go of the descriptions.

        flask-smorest would copy them at each decorator and keep them: 2 MiB of every worker.
        """
        for (endpoint, view, *rest), more in self._undescribed:
            super()._store_endpoint_docs(endpoint, _with_description(view), *rest, **more)
        super().register_views_in_doc(api, app, spec, **options)
        self._docs.clear()


def _with_description(view: _View) -> Any:
    """Return a function that looks to flask-smorest as if it had been decorated by it."""
    for decorate in vars(view).get(_DESCRIPTIONS, ()):
        view = decorate(view)
    return view


def _described(decorate: Callable[[Any], Any]) -> Callable[[_View], _View]:
    """Decorate a view with what flask-smorest will document, and leave out its wrapper.

    The wrappers would write what a view returns, but all of ours return responses; five around one
    another cost 15 µs of CPU a call.
    """

    def describe(view: _View) -> _View:
        vars(view).setdefault(_DESCRIPTIONS, []).append(decorate)
        return view

    return describe


class _Converter(OpenAPIConverter):
    """Writes schemas and fields in the form that generators of clients make the best of."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """Describe a schema by the first paragraph of its docstring, and add its `Meta.rules`."""
        described: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # apispec has types for some
        kind: type[ma.Schema] = schema if isinstance(schema, type) else type(schema)
        first = (inspect.getdoc(kind) or "").partition("\n\n")[0]
        rules: Mapping[str, Any] = getattr(kind.Meta, "rules", {})
        # apispec says nothing where unknown fields are passed over: generators then refuse them.
        others = {"additionalProperties": kind.opts.unknown != ma.RAISE}
        return {"description": " ".join(first.split()), **described, **others, **rules}

    def field2default(self, field: ma.fields.Field[Any], **_: Any) -> dict[str, Any]:
        """Leave a default out: generators take the field for required, or send it in each call."""
        del field
        return {}

    def metadata2properties(self, field: ma.fields.Field[Any], **_: Any) -> dict[str, Any]:
        """Leave it out, too, where only the metadata have it."""
        properties: dict[str, Any] = super().metadata2properties(field)
        return {name: value for name, value in properties.items() if name != "default"}


def _more_of_field(
    converter: OpenAPIConverter, field: ma.fields.Field[Any], *, ret: dict[str, Any]
) -> dict[str, Any]:
    """Name the default of a field in its description; document forms and names of keys."""
    more = {name: field.metadata[name] for name in _MORE_KEYWORDS if name in field.metadata}
    if isinstance(field, AnyOf):
        forms = [converter.field2property(form) for form in field.forms]
        more["anyOf"] = forms + ([{"type": "null"}] if field.allow_none else [])
    default = field.metadata.get("default", field.load_default)
    if default is not ma.missing and not callable(default):
        words = f"{ret.get('description', '')} Default: {json.dumps(default)}."
        more["description"] = words.strip()
    return more


class _Resolver(SchemaResolver):
    """Finds schemas also where JSON stands in a text."""

    def resolve_schema_dict(self, schema: Any) -> Any:
        """Resolve a schema, and those of `contentSchema`, which are anyOf or one."""
        resolved = super().resolve_schema_dict(schema)  # type: ignore[no-untyped-call]  # apispec has types for some
        if isinstance(resolved, dict) and "contentSchema" in resolved:
            content = self.resolve_schema_dict(resolved["contentSchema"])
            return {**resolved, "contentSchema": content}
        return resolved


class _Plugin(MarshmallowPlugin):
    """apispec's plugin with the two above."""

    Converter = _Converter
    Resolver = _Resolver


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest ships no types
    """The API document, without default errors: each dialect documents its own."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None
    spec: Any  # an APISpec until all blueprints are registered
    # By what they are made of. To describe all routes takes four times as long as to build the rest
    # of an application, and the next one of a process has the same document.
    _documents: ClassVar[dict[tuple[object, ...], LateDocument]] = {}

    def __init__(self, app: Flask, *, spec_kwargs: Mapping[str, Any]) -> None:
        """Initialize the document; an empty argument of a query string counts as left out."""
        self._about = orjson.dumps(spec_kwargs)
        self.to_describe: list[tuple[Blueprint, dict[str, Any]]] = []
        super().__init__(app, spec_kwargs={"marshmallow_plugin": _Plugin(), **spec_kwargs})
        self.ma_plugin.converter.add_attribute_function(_more_of_field)
        self.ma_plugin.converter.add_parameter_attribute_function(_allow_empty)

    def _register_responses(self) -> None:
        """Leave out one for each status of HTTP, which no route has: 5 ms of every start."""

    def _register_pagination_header(self) -> None:
        """Leave its schema out of the document: no route has pages of flask-smorest's kind."""

    def finish(self) -> None:
        """Have the document written once it is asked for, unless it has been written before.

        What it is written from is let go of then, or at once: 1 MiB of every worker.
        """
        made_of = (self._about, *(blueprint for blueprint, _ in self.to_describe))
        if made_of not in self._documents:
            write = partial(_written, self, self._app, self.spec, self.to_describe)
            self._documents[made_of] = LateDocument(write)
        self.spec = self._written = self._documents[made_of]
        del self.ma_plugin, self.flask_plugin, self.to_describe, self._spec_kwargs

    def _openapi_json(self) -> Response:
        """Serve the document: it has nothing of a caller, so that it may be compressed."""
        return compressed_response(self._written.compressed())


def _written(
    api: Api, app: Flask, spec: APISpec, to_describe: Sequence[tuple[Blueprint, dict[str, Any]]]
) -> bytes:
    for blueprint, options in to_describe:
        blueprint.describe(api, app, spec, **options)
    document = spec.to_dict()
    name_methods(document["paths"])
    return orjson.dumps(document)


def _allow_empty(_: Any, __: ma.fields.Field[Any], *, ret: dict[str, Any]) -> dict[str, bool]:
    return {"allowEmptyValue": True} if ret["in"] == "query" else {}
