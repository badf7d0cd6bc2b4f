"""The API document, put in order for a reader: groups, operations, answers, errors, schemas."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_api.web.reference.code_samples import CodeSample, SampleRequest, code_samples
from llm_api.web.reference.schema_words import FieldWords, field_words, fields_of, schema_name

_JSON = "application/json"
_PLACE = re.compile(r"\{(\w+)\}")
_FILES = {"image": "picture.png", "video": "film.mp4"}
_METHODS = ("get", "post", "patch", "delete")
Schemas = Mapping[str, Mapping[str, Any]]
_SCHEMA = re.compile(r'"#/components/schemas/(\w+)"')


@dataclass(frozen=True, slots=True)
class Content:
    """A body: its media type, the names of its schemas, and its fields where it has one form."""

    media_type: str
    schemas: list[str]
    fields: list[FieldWords]


@dataclass(frozen=True, slots=True)
class ErrorExample:
    """An example of an error: its reason, its sentence, and the whole as JSON."""

    reason: str
    sentence: str
    document: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, what it means, its bodies, and examples where it is an error."""

    status: str
    meaning: str
    contents: list[Content]
    examples: list[ErrorExample]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `words` is what a search looks through."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    is_for_admins: bool
    parameters: list[FieldWords]
    bodies: list[Content]
    answers: list[Answer]
    errors: list[Answer]
    samples: list[CodeSample]
    words: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of a tag."""

    name: str
    description: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """A schema that others refer to."""

    name: str
    description: str
    fields: list[FieldWords]


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything that the page shows."""

    groups: list[Group]
    schemas: list[NamedSchema]


def reference_of(document: Mapping[str, Any]) -> Reference:
    """Read the API document; what it has of errors stays with the operations."""
    groups = []
    for tag in document["tags"]:
        operations = list(_operations(document, tag["name"]))
        groups.append(Group(tag["name"], tag.get("description", ""), operations))
    return Reference(groups, list(_schemas(document)))


def sample_request(path: str, method: str, operation: Mapping[str, Any]) -> SampleRequest:
    """Return the request of an operation's samples.

    Its body is the document's example; `{task_id}` of the path becomes TASK_ID.
    """
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON, {}).get("example")
    kinds = [kind for _, answer in _responses(operation) for kind in answer.get("content", {})]
    return SampleRequest(
        method=method.upper(),
        path=_PLACE.sub(lambda place: place[1].upper(), path),
        body=body,
        file=_file_of(kinds),
    )


def _file_of(media_types: Iterable[str]) -> str | None:
    """Return what to call an answer that is a file, after the first type of it; None for others."""
    kinds = (one.partition("/")[0] for one in media_types)
    return next((_FILES[kind] for kind in kinds if kind in _FILES), None)


def _operations(document: Mapping[str, Any], tag: str) -> Iterator[Operation]:
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method in _METHODS:
            operation = item.get(method, {})
            if tag in operation.get("tags", ()):
                own = operation.get("parameters", [])
                parameters = [*item.get("parameters", []), *own]
                yield _operation(path, method, {**operation, "parameters": parameters}, schemas)


def _operation(path: str, method: str, operation: Mapping[str, Any], schemas: Schemas) -> Operation:
    parameters = operation["parameters"]
    answers = [_answer(status, one, schemas) for status, one in _responses(operation)]
    name, summary = operation["operationId"], operation.get("summary", "")
    description = operation.get("description", "")
    bodies = list(_contents(operation.get("requestBody", {}), schemas))
    reasons = [one.reason for answer in answers for one in answer.examples]
    fields = [one.name for body in bodies for one in body.fields]
    words = [name, method, path, summary, description, *reasons, *fields]
    words += [one["name"] for one in parameters]
    return Operation(
        name=name,
        method=method.upper(),
        path=path,
        summary=summary,
        description=description,
        is_for_admins="403" in operation["responses"] and "admin_required" in reasons,
        parameters=[_parameter(one) for one in parameters],
        bodies=bodies,
        answers=[one for one in answers if not one.examples],
        errors=[one for one in answers if one.examples],
        samples=code_samples(sample_request(path, method, operation)),
        words=" ".join(words).lower(),
    )


def _responses(operation: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(operation["responses"].items())


def _parameter(parameter: Mapping[str, Any]) -> FieldWords:
    schema = {**parameter["schema"], "description": parameter.get("description", "")}
    return field_words(parameter["name"], schema, is_required=parameter.get("required", False))


def _answer(status: str, response: Mapping[str, Any], schemas: Schemas) -> Answer:
    examples = response.get("content", {}).get(_JSON, {}).get("examples", {})
    values = ((reason, example["value"]) for reason, example in examples.items())
    shown = [ErrorExample(name, one["error"]["message"], _indented(one)) for name, one in values]
    meaning = response.get("description", "")
    return Answer(status, meaning, [] if shown else list(_contents(response, schemas)), shown)


def _contents(body: Mapping[str, Any], schemas: Schemas) -> Iterator[Content]:
    for media_type, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        names = [name for form in schema.get("anyOf", [schema]) if (name := schema_name(form))]
        shown = schemas[names[0]] if len(names) == 1 else schema
        yield Content(media_type, names, list(fields_of(shown)))


def _schemas(document: Mapping[str, Any]) -> Iterator[NamedSchema]:
    """Yield the schemas that bodies and answers lead to; the examples of errors show theirs."""
    schemas = document["components"]["schemas"]
    todo = list(_named_in_operations(document))
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _SCHEMA.findall(json.dumps(schemas[name]))
    for name in sorted(found):
        schema = schemas[name]
        yield NamedSchema(name, schema.get("description", ""), list(fields_of(schema)))


def _named_in_operations(document: Mapping[str, Any]) -> Iterable[str]:
    for item in document["paths"].values():
        for method in set(_METHODS) & set(item):
            operation = item[method]
            good = [one for status, one in operation["responses"].items() if status < "4"]
            yield from _SCHEMA.findall(json.dumps([operation.get("requestBody"), good]))


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
