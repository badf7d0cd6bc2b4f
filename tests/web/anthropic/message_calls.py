"""Calls to /v1/messages, and what an upstream was sent for them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import MESSAGES

Body = dict[str, Any]


def body_of(*messages: Mapping[str, Any], **fields: Any) -> Body:
    """Build a request; without messages it has a greeting."""
    conversation = list(messages) or [{"role": "user", "content": "Hello"}]
    return {"model": "scripted", "max_tokens": 50, "messages": conversation, **fields}


def ask(client: FlaskClient, *messages: Mapping[str, Any], **fields: Any) -> TestResponse:
    """Send a request and read its answer to the end."""
    return client.post(MESSAGES, json=body_of(*messages, **fields), buffered=True)


def sent_for(
    client: FlaskClient, upstream: ScriptedUpstream, *messages: Mapping[str, Any], **fields: Any
) -> tuple[TestResponse, Body]:
    """Send a request that is answered well; return the answer, and what the upstream was sent."""
    answer = ask(client, *messages, **fields)
    assert answer.status_code == 200, answer.text
    return answer, upstream.requests[-1].json


def events_in(body: bytes) -> list[Body]:
    """Read events, each with the name of its type in front."""
    found = []
    for event in body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        found.append(document)
    return found


def put_together(events: Sequence[Body]) -> Body:
    """Put the events of a whole stream together as Anthropic's SDKs do, and check their order.

    After the `message_start`, blocks follow one another, each from its start to its stop.
    """
    first, *rest = [event for event in events if event["type"] != "ping"]
    *blocks, ending, last = rest
    assert [one["type"] for one in (first, ending, last)] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    message = first["message"]
    assert message["content"] == []
    return {**message, **ending["delta"], "usage": ending["usage"], "content": _content(blocks)}


def _content(events: Sequence[Body]) -> list[Body]:
    """Put the events of blocks together."""
    blocks: list[Body] = []
    open_at, arguments = -1, ""
    for event in events:
        kind, index = event["type"], event["index"]
        if kind == "content_block_start":
            assert (open_at, index) == (-1, len(blocks))
            open_at, arguments = index, ""
            blocks.append(event["content_block"])
            continue
        assert (open_at, index) == (len(blocks) - 1, len(blocks) - 1)
        if kind == "content_block_delta":
            arguments += _applied(blocks[-1], event["delta"])
            continue
        assert kind == "content_block_stop"
        open_at = -1
        if blocks[-1]["type"] == "tool_use":
            blocks[-1]["input"] = json.loads(arguments or "{}")
    assert open_at == -1
    return blocks


def _applied(block: Body, delta: Body) -> str:
    """Add a delta to its block; return its part of the arguments of a call."""
    kinds = {
        "text_delta": ("text", "text"),
        "thinking_delta": ("thinking", "thinking"),
        "signature_delta": ("thinking", "signature"),
    }
    if delta["type"] == "input_json_delta":
        assert block["type"] == "tool_use"
        return delta["partial_json"]
    kind, name = kinds[delta["type"]]
    assert block["type"] == kind
    block[name] += delta[name]
    return ""
