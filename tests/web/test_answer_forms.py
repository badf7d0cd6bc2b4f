"""What vendors answer reaches callers of both dialects in one form, and the ledger as billed."""

from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import UsageRowsOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.openai_calls import body_of, chunks_in, post_body
from tests.web.refusals import CHAT, COMPLETIONS, EMBEDDINGS, TEXT, good_body

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def scripted(upstream: ScriptedUpstream, **choice: Any) -> None:
    """Answer with one choice."""
    upstream.script(replies.json_reply(200, {"choices": [{"index": 0, **choice}], "usage": USAGE}))


def post(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Post a good body with more fields."""
    body = good_body(CHAT) if path == CHAT else body_of(path, **fields)
    return post_body(client, path, body)


def row_of(app: Flask, usage_rows_of: UsageRowsOf) -> dict[str, Any]:
    """Return the one usage row."""
    [row] = usage_rows_of(app)
    return row


# --- no text ---


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"content": None}, "length"),
        ({"content": None}, "stop"),
        ({}, "content_filter"),
        ({"content": ""}, "tool_calls"),
        ({"content": []}, "stop"),
    ],
    ids=repr,
)
def test_an_answer_without_text_is_200(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    path: str,
    message: dict[str, Any],
    reason: str,
) -> None:
    scripted(upstream, message={"role": "assistant", **message}, finish_reason=reason)

    answer = post(client, path)

    assert answer.status_code == 200
    [choice] = answer.json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", reason)
    row = row_of(client.application, usage_rows_of)
    assert (row["status"], row["completion_tokens"], row["attempts"]) == ("ok", 7, 1)


def test_rest_has_a_string_where_something_else_was_said(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    scripted(upstream, message=message, finish_reason="length")

    assert post(client, CHAT).json["choices"][0]["message"]["content"] == ""


def test_a_text_completion_without_text_is_200(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    scripted(upstream, text=None, finish_reason="stop")

    assert post(client, TEXT).json["choices"][0]["text"] == ""


# --- parts ---


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize(
    "content",
    [
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "42"}],
        [{"type": "output_text", "text": "4"}, {"type": "output_text", "text": "2"}],
        ["42"],
        {"type": "text", "text": "42"},
    ],
    ids=repr,
)
def test_content_in_parts_is_a_string(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, content: Any
) -> None:
    scripted(upstream, message={"role": "assistant", "content": content}, finish_reason="stop")

    assert post(client, path).json["choices"][0]["message"]["content"] == "42"


# --- an error inside ---


@pytest.mark.parametrize(
    "document",
    [
        {"choices": [{"finish_reason": "error", "message": {"content": "x"}, "error": "lost"}]},
        {"choices": None, "base_resp": {"status_code": 1000, "status_msg": "unknown error"}},
        {"error": "Internal error"},
        {"detail": "Internal error"},
        [{"error": {"code": 500, "message": "Internal error"}}],
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_error_inside_a_200_is_an_error(
    app: Flask,
    client: FlaskClient,
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    document: Any,
    *,
    is_streamed: bool,
) -> None:
    upstream.script(replies.json_reply(200, document))

    answer = post(client, COMPLETIONS, stream=is_streamed)

    assert answer.status_code >= 400
    assert row_of(app, usage_rows_of)["status"] == "upstream_error"


@pytest.mark.parametrize(
    "first", [b'event: error\ndata: {"message":"overloaded"}\n\n', b"event: error\ndata: busy\n\n"]
)
def test_an_event_named_error_that_comes_first_is_a_plain_error(
    client: FlaskClient, upstream: ScriptedUpstream, first: bytes
) -> None:
    upstream.script(replies.sse([first]))

    assert post(client, COMPLETIONS, stream=True).status_code >= 400


def test_an_event_named_error_that_comes_later_is_the_last_event(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    named = b'event: error\ndata: {"message": "overloaded"}\n\n'
    upstream.script(replies.sse([replies.chunk({"content": "Hi"}), named]))

    *_, last = post(client, COMPLETIONS, stream=True).data.strip().split(b"\n\n")

    assert "error" in orjson.loads(last.removeprefix(b"data: "))


# --- what may have been paid ---


@pytest.mark.parametrize(
    "reply",
    [
        replies.json_reply(200, {"choices": []}),
        replies.json_reply(200, {"choices": [{"message": None}]}),
        replies.raw_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        replies.json_reply(200, {"choices": [{"finish_reason": "error", "message": {}}]}),
    ],
    ids=["no choices", "no message", "broken off", "failed"],
)
def test_what_may_have_been_paid_is_not_repeated_by_sdks(
    client: FlaskClient, upstream: ScriptedUpstream, reply: replies.Reply
) -> None:
    upstream.script(reply)

    answer = post(client, COMPLETIONS)

    assert answer.headers["x-should-retry"] == "false"
    assert answer.json["error"]["details"]["retryable"] is True
    assert len(upstream.requests) == 1


# --- embeddings ---


@pytest.mark.parametrize("sent", [[0.5, 0.25], "AAAAPwAAgD4="], ids=["numbers", "base64"])
@pytest.mark.parametrize("count", [1, 3])
def test_embeddings_come_as_asked(
    client: FlaskClient, upstream: ScriptedUpstream, sent: Any, count: int
) -> None:
    data = [{"object": "embedding", "index": n, "embedding": sent} for n in range(count)]
    upstream.script(*[replies.json_reply(200, {"object": "list", "data": data})] * 2)

    texts = ["x"] * count
    as_text = post(client, EMBEDDINGS, input=texts, encoding_format="base64").json["data"]
    as_numbers = post(client, EMBEDDINGS, input=texts, encoding_format="float").json["data"]

    assert [one["embedding"] for one in as_text] == ["AAAAPwAAgD4="] * count
    assert [one["embedding"] for one in as_numbers] == [[0.5, 0.25]] * count


# --- usage ---


def test_the_usage_row_has_what_is_billed(
    app: Flask, client: FlaskClient, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    usage = {
        "prompt_tokens": 10120,
        "completion_tokens": 1499,
        "total_tokens": 14428,
        "prompt_tokens_details": {"cached_tokens": 128},
        "completion_tokens_details": {"reasoning_tokens": 2809},
    }
    upstream.script(replies.completion("Hello", usage=usage))

    answer = post(client, COMPLETIONS)

    row = row_of(app, usage_rows_of)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (10120, 4308)
    assert (row["cached_tokens"], row["reasoning_tokens"]) == (128, 2809)
    assert answer.json["usage"] == usage


def test_the_usage_inside_the_last_choice_is_counted_and_shown(
    app: Flask, client: FlaskClient, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    last = replies.chunk({}, finish_reason="stop")
    inside: Any = {**last, "choices": [{**last["choices"][0], "usage": USAGE}]}  # type: ignore[index]  # a list
    upstream.script(replies.sse([replies.chunk({"content": "x"}), inside]))

    asked = {"stream_options": {"include_usage": True}}
    *_, shown = chunks_in(post(client, COMPLETIONS, stream=True, **asked))

    row = row_of(app, usage_rows_of)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (11, 7)
    assert row["usage_source"] == "upstream"
    assert (shown["choices"], shown["usage"]) == ([], USAGE)
