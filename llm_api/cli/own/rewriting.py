"""Rewrites the prompts of a file one by one, by a service elsewhere or by the one of this machine.

The latter is asked without its routes: their limits are for callers, and hold nobody's own file up.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import marshmallow as ma

from llm_api.cli.calling.exit_codes import failure_of
from llm_api.cli.calling.local_transport import LocalTransport, local_app
from llm_api.cli.calling.target import Target
from llm_api.domain.calls import Caller
from llm_api.domain.prompts import PromptRequest
from llm_api.errors import ApiError, InvalidRequest
from llm_api.observability.logging import new_request_id
from llm_api.services.prompts import PromptOptimizer
from llm_api.web.request.context import EXTENSION
from llm_api.web.response.error_formats import error_document
from llm_api.web.rest.prompt_answers import prompt_answer
from llm_api.web.rest.prompt_schemas import EditOrder, PromptRequestSchema
from llm_api.web.schema_fields import invalid_request

# Of the fields of a request an outcome; raises CommandFailed.
Rewrite = Callable[[Mapping[str, Any]], Mapping[str, Any]]
PATH = "/api/v1/llm/optimize-prompt"
_ROUTE = "flask optimize"


@contextmanager
def own_rewrites(_: Target) -> Iterator[Rewrite]:
    """Lend what rewrites with the application of this machine."""
    app = local_app()
    optimizer: PromptOptimizer = app.extensions[EXTENSION].optimizer
    with closing(LocalTransport(app)):  # usage rows and lineages are written at its end
        yield lambda fields: _own(optimizer, fields)


@contextmanager
def remote_rewrites(target: Target) -> Iterator[Rewrite]:
    """Lend what asks a service elsewhere."""
    with target.client() as client:

        def rewrite(fields: Mapping[str, Any]) -> Mapping[str, Any]:
            _require_no_pictures(fields)
            return {"result": client.send("POST", PATH, fields)}

        yield rewrite


def _own(optimizer: PromptOptimizer, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    request_id = new_request_id()
    try:
        result = optimizer.optimize(_request(fields), Caller(request_id, _ROUTE)).answer
    except ApiError as error:
        raise failure_of(error.status, error_document(error, PATH, request_id)) from error
    said: Mapping[str, Any] = {"result": prompt_answer(result)}
    return said if result.rewrite_id is None else {**said, "rewrite_id": result.rewrite_id}


def _request(fields: Mapping[str, Any]) -> PromptRequest:
    try:
        request: PromptRequest | EditOrder = PromptRequestSchema().load(fields)
    except ma.ValidationError as error:
        raise invalid_request(error.messages) from error
    if isinstance(request, EditOrder):
        raise InvalidRequest.of_field("images", _NO_PICTURES, reason="not_supported")
    return request


_NO_PICTURES = "must be left out in a file of prompts: the API alone reads pictures."


def _require_no_pictures(fields: Mapping[str, Any]) -> None:
    if fields.get("images"):
        error = InvalidRequest.of_field("images", _NO_PICTURES, reason="not_supported")
        raise failure_of(error.status, error_document(error, PATH, new_request_id()))
