"""Holds what the service answers to its own API document."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_PLACE = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
_EVENTS = "text/event-stream"


class ApiDocument:
    """The API document, asked what an answer must be."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take the document as it was fetched."""
        self.document = document
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
        found = []
        # What has no place holders comes first: /v1/models is no model.
        for path in sorted(self.document["paths"], key=lambda path: path.count("{")):
            pattern = _PLACE.sub("(?:.+)", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
            found.append((re.compile(pattern), self.document["paths"][path]))
        return found

    def operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        """Return the operation that answers a request; None where none is documented."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path):
                operation: Mapping[str, Any] | None = methods.get(method.lower())
                return operation
        return None

    def problems_of(
        self, operation: Mapping[str, Any], status: int, content_type: str, body: bytes
    ) -> list[str]:
        """Return what an answer to an operation has that the document does not allow."""
        responses = operation["responses"]
        if str(status) not in responses and status < 400:
            return [f"status {status} is not documented"]
        content = responses.get(str(status), responses["default"]).get("content", {})
        if not content and not body:
            return []
        kind = content_type.partition(";")[0]
        if kind not in content:
            return [f"{kind} is not documented for {status}"]
        if kind == _JSON:
            return self.problems_in(json.loads(body), content[kind]["schema"])
        if kind == _EVENTS:
            return self._problems_in_events(body, content[kind]["schema"])
        return []

    def problems_in(self, value: Any, schema: Mapping[str, Any]) -> list[str]:
        """Return what a value has that a schema of the document does not allow."""
        name = json.dumps(schema, sort_keys=True)
        if name not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole)
        errors = self._validators[name].iter_errors(value)
        return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in errors]

    def _problems_in_events(self, body: bytes, schema: Mapping[str, Any]) -> list[str]:
        """Look into the data of events, too, which validators do not."""
        # Not every dialect has a mark of the end that is no JSON.
        *ends, chunk = schema["properties"]["data"]["anyOf"]
        marks = [[end["const"]] for end in ends]
        found = []
        for event in body.decode().split("\n\n"):
            lines = [one[6:] for one in event.split("\n") if one.startswith("data: ")]
            if not lines or lines in marks:
                continue
            names = [one[7:] for one in event.split("\n") if one.startswith("event: ")]
            named = {"event": names[0]} if names else {}
            found += self.problems_in({**named, "data": "\n".join(lines)}, schema)
            found += self.problems_in(json.loads("\n".join(lines)), chunk["contentSchema"])
        return found


_DOCUMENTS: list[ApiDocument] = []


class DocumentedClient(FlaskClient):
    """A client that fails where an answer is not what the API document says.

    Streams are left alone: reading them here would be reading ahead of the test.
    """

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """Send the request."""
        answer = super().open(*args, **options)
        request = answer.request
        operation = self._document().operation(request.method, request.path)
        if operation is not None and request.method != "HEAD" and not answer.is_streamed:
            kind = answer.content_type or ""
            found = self._document().problems_of(operation, answer.status_code, kind, answer.data)
            assert found == [], f"{request.method} {request.path}: {found}\n{answer.text[:2000]}"
        return answer

    def _document(self) -> ApiDocument:
        """Fetch the document, which is the same for all applications but for their keys."""
        if not _DOCUMENTS:
            # Without a request, which would count against the limits of the test.
            with self.application.test_request_context():
                endpoint, _ = self.application.url_map.bind("").match("/openapi.json")
                answer: Any = self.application.view_functions[endpoint]()
            _DOCUMENTS.append(ApiDocument(json.loads(answer.data)))
        return _DOCUMENTS[0]
