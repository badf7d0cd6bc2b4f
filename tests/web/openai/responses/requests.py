"""Requests to `POST /v1/responses`, and what an upstream that has chats is sent for them."""

from typing import Any

from flask.testing import FlaskClient

from tests.support.upstream import ScriptedUpstream
from tests.web.openai_calls import post_body

RESPONSES = "/v1/responses"
USER = {"role": "user", "content": "Hi"}
PNG = "data:image/png;base64,iVBORw0KGgo="


def body(given: Any = "Hi", **fields: Any) -> dict[str, Any]:
    """Build a body."""
    return {"model": "scripted", "input": given, **fields}


def sent(client: FlaskClient, upstream: ScriptedUpstream, given: Any, **fields: Any) -> Any:
    """Ask, which must go well, and return what the upstream was sent."""
    answer = post_body(client, RESPONSES, body(given, **fields))
    assert answer.status_code == 200, answer.text
    return upstream.requests[-1].json


def messages(
    client: FlaskClient, upstream: ScriptedUpstream, given: Any, **fields: Any
) -> list[dict[str, Any]]:
    """Return the messages of that alone."""
    found: list[dict[str, Any]] = sent(client, upstream, given, **fields)["messages"]
    return found


def said(role: str, content: Any) -> dict[str, Any]:
    """Build a message."""
    return {"role": role, "content": content}


def called(call_id: str, name: str = "look", arguments: str = "{}", **more: Any) -> dict[str, Any]:
    """Build the item of a call."""
    call = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return call | more


def answered(call_id: str, output: Any = "seen") -> dict[str, Any]:
    """Build the item of its output."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def chat_call(call_id: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    """Build the same call as it stands in a chat's message."""
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def chat_calls(*calls: dict[str, Any], content: Any = None, **more: Any) -> dict[str, Any]:
    """Build the message of a chat that has calls."""
    return {"role": "assistant", "content": content, **more, "tool_calls": list(calls)}


def chat_answer(call_id: str, content: str = "seen") -> dict[str, Any]:
    """Build the message of a chat that has a call's output."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}
