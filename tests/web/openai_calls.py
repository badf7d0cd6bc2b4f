"""Calls to the routes under /v1, each with an upstream that answers well."""

from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import COMPLETIONS, EMBEDDINGS, ENGINE, JSON_TYPE, TEXT, good_body

STREAMING_ROUTES = (COMPLETIONS, ENGINE, TEXT)

TEXT_ANSWER = {"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}
EMBEDDINGS_ANSWER = {"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 3}}


def body_of(path: str, **fields: Any) -> dict[str, Any]:
    """Build a body that a route accepts, with more fields."""
    return {**good_body(COMPLETIONS if path == ENGINE else path), **fields}


def post(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, **fields: Any
) -> tuple[TestResponse, dict[str, Any]]:
    """Post to a route whose upstream answers well, and return what that was sent."""
    documents = {TEXT: TEXT_ANSWER, EMBEDDINGS: EMBEDDINGS_ANSWER}
    if path in documents:
        upstream.script(replies.json_reply(200, documents[path]))
    answer = post_body(client, path, body_of(path, **fields))
    assert answer.status_code == 200, answer.text
    return answer, upstream.requests[-1].json


def post_body(client: FlaskClient, path: str, body: dict[str, Any]) -> TestResponse:
    """Post a body with its fields in their order: Flask's client would sort them."""
    return client.post(path, data=orjson.dumps(body), headers=[JSON_TYPE], buffered=True)


def chunks_in(answer: TestResponse) -> list[dict[str, Any]]:
    """Read the chunks of a streamed answer, which must end well."""
    assert answer.mimetype == "text/event-stream"
    *events, done = answer.data.removesuffix(b"\n\n").split(b"\n\n")
    assert done == b"data: [DONE]"
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events]
