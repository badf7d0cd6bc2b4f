"""All that the API carries goes through unchanged, in both directions.

Each file of `tests/golden/` is one call: what the client sends, what the upstream must get, what
that answers, and what the client must get. A stream is a list of the data of its events, as raw
text; an answer in one piece is a document, of which every byte must arrive.
"""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support import replies
from tests.support.replies import Reply
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes
from tests.web.openai_calls import post_body

FILES = sorted((REPOSITORY_ROOT / "tests" / "golden").glob("*.json"))
# What the issue asks for; at least one file must have each.
KEYS = (
    *("tools", "tool_choice", "parallel_tool_calls", "tool_calls", "tool_call_id"),
    *("functions", "function_call", "response_format", "json_schema", "logprobs", "top_logprobs"),
    *("n", "seed", "stop", "logit_bias", "max_completion_tokens", "reasoning_effort"),
    *("reasoning_content", "refusal", "system_fingerprint", "prompt", "embedding"),
)
BEGINNINGS = ("data:image/", "https://", "json_object", "developer")


def as_sent(answer: Any) -> bytes:
    """Write an answer as an upstream sends it: the events of a stream, or a document."""
    if isinstance(answer, list):
        return b"".join(b"data: %b\n\n" % event.encode() for event in answer)
    # Not as a library of ours would write it.
    return json.dumps(answer, ensure_ascii=False, indent=1).encode()


def reply_of(answer: Any) -> Reply:
    """Make an upstream answer."""
    if isinstance(answer, list):
        return replies.sse([event.encode() for event in map(framed, answer)], done=False)
    media_type = ("Content-Type", "application/json")
    return replies.Whole(response_bytes(200, as_sent(answer), [media_type]))


def framed(event: str) -> str:
    """Make an event of its data."""
    return f"data: {event}\n\n"


def exact(document: dict[str, Any]) -> str:
    """Write JSON so that 1 and true are not the same, nor 1 and 1.0.

    The order inside a field counts: models fill in the properties of a schema as they come.
    """
    return json.dumps({name: document[name] for name in sorted(document)}, indent=1)


def test_there_is_a_file_for_all_that_the_api_carries() -> None:
    texts = "".join(path.read_text("utf-8") for path in FILES)

    missing = [key for key in KEYS if f'"{key}":' not in texts]
    missing += [text for text in BEGINNINGS if f'"{text}' not in texts]

    assert len(FILES) >= 25
    assert missing == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_call_goes_through_unchanged(
    client: FlaskClient, upstream: ScriptedUpstream, path: Any
) -> None:
    golden = json.loads(path.read_text("utf-8"))
    upstream.script(reply_of(golden["upstream_answer"]))

    answer = post_body(client, golden["path"], golden["request"])

    [received] = upstream.requests
    assert received.path == golden.get("upstream_path", golden["path"])
    assert exact(received.json) == exact(golden["upstream_request"])
    assert answer.data.decode() == as_sent(golden["answer"]).decode()
    is_stream = isinstance(golden["answer"], list)
    assert answer.mimetype == ("text/event-stream" if is_stream else "application/json")
    assert (answer.status_code, answer.headers.get("x-dropped-params")) == (200, None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_the_options_of_a_stream_may_differ(path: Any) -> None:
    """The files themselves: nothing that a client sends is left out on the way."""
    golden = json.loads(path.read_text("utf-8"))
    asked = {"stream_options": {"include_usage": True}} if golden["request"].get("stream") else {}

    sent = {"model": "scripted", **golden["request"], **asked}

    assert exact(golden["upstream_request"]) == exact(sent)
