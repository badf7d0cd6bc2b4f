"""What one upstream streams is the same text and the same calls in all dialects."""

import json
from typing import Any

import orjson
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings

from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.upstream.streamed import DONE
from tests.web.anthropic.message_calls import events_in, put_together
from tests.web.dialects.drawn_answers import answers
from tests.web.refusals import COMPLETIONS, MESSAGES

RESPONSES = "/v1/responses"
TALK = [{"role": "user", "content": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    COMPLETIONS: {"messages": TALK},
    RESPONSES: {"input": "Hello"},
    MESSAGES: {"messages": TALK, "max_tokens": 50, "thinking": {"type": "adaptive"}},
}
# Texts and refusals, thoughts, and the names and arguments of calls.
Said = tuple[str, str, list[tuple[str, Any]]]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=answers())
def test_text_thoughts_and_calls_are_those_of_the_chat(
    client: FlaskClient, upstream: ScriptedUpstream, events: list[bytes]
) -> None:
    frames = [b"data: %b\n\n" % event for event in events]
    upstream.script(*[replies.sse(frames, done=False)] * len(BODIES))

    chat, responses, messages = (
        client.post(path, json={"model": "scripted", "stream": True, **body}, buffered=True)
        for path, body in BODIES.items()
    )

    assert of_responses(responses.data) == of_chat(chat.data)
    assert of_messages(messages.data) == of_chat(chat.data)


def of_chat(body: bytes) -> Said:
    """Read a chat as its clients put it together."""
    *events, done = body.removesuffix(b"\n\n").split(b"\n\n")
    assert done.removeprefix(b"data: ") == DONE
    chunks = [orjson.loads(event.removeprefix(b"data: ")) for event in events]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    thoughts = [one.get("reasoning_content") or one.get("reasoning") or "" for one in deltas]
    texts = [one.get(name) or "" for one in deltas for name in ("content", "refusal")]
    calls: dict[int, list[str]] = {}
    for part in (part for delta in deltas for part in delta.get("tool_calls") or ()):
        call, function = calls.setdefault(part["index"], ["", ""]), part.get("function") or {}
        call[0] += function.get("name") or ""
        call[1] += function.get("arguments") or ""
    named = [(name, json.loads(text or "{}")) for name, text in calls.values()]
    return "".join(texts), "".join(thoughts), named


def of_responses(body: bytes) -> Said:
    """Read a response from its last event, which has all of it."""
    last = body.removesuffix(b"\n\n").split(b"\n\n")[-1].split(b"data: ", 1)[1]
    output = orjson.loads(last)["response"]["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part["text"] if part["type"] == "output_text" else part["refusal"] for part in parts]
    thoughts = [
        part["text"]
        for item in output
        if item["type"] == "reasoning"
        for part in [*(item.get("content") or ()), *item["summary"]]
    ]
    calls = [
        (item["name"], json.loads(item["arguments"] or "{}"))
        for item in output
        if item["type"] == "function_call"
    ]
    return "".join(texts), "".join(thoughts), calls


def of_messages(body: bytes) -> Said:
    """Read a message."""
    blocks = put_together(events_in(body))["content"]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    return "".join(texts), "".join(thoughts), calls
