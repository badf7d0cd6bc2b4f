"""What an upstream answered is checked, and a count that cannot be true is unknown."""

from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.upstream.answers.completion import parse_answer, parse_usage
from llm_api.upstream.faults import Fault
from tests.support.tables import each
from tests.upstream.asker import READER
from tests.upstream.streamed import DEEP, collected, deep_json


@each(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": -2},
        {"prompt_tokens": "1", "completion_tokens": 2},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": 2**70},
        {"prompt_tokens": 2**31, "completion_tokens": 2},
        {"prompt_tokens": None, "completion_tokens": 2},
        {"prompt_tokens": 1},
        {},
    ],
)
def test_a_count_that_cannot_be_true_is_invalid(usage: Any) -> None:
    assert parse_usage(usage) == TokenUsage(None, None, "invalid")


@each("usage", [None, "7", 7, [], [5, 2]])
def test_what_is_no_usage_is_missing(usage: Any) -> None:
    assert parse_usage(usage) == TokenUsage(None, None, "missing")


@each("count", [0, 1, 2**31 - 1])
def test_a_sane_count_is_kept(count: int) -> None:
    usage = parse_usage({"prompt_tokens": count, "completion_tokens": count})

    assert usage == TokenUsage(count, count, "upstream")


def test_an_answer_without_usage_is_an_answer() -> None:
    completion = parse_answer(b'{"choices":[{"message":{"content":"Hi"}}]}')

    assert (completion.text, completion.usage) == ("Hi", TokenUsage())


def test_empty_content_is_an_answer() -> None:
    completion = parse_answer(b'{"choices":[{"message":{"content":""}}]}')

    assert completion.text == ""


@each("field", ["refusal", "reasoning_content"])
def test_a_message_without_content_may_have_this_instead(field: str) -> None:
    body = f'{{"choices":[{{"message":{{"content":null,"{field}":"because"}}}}]}}'.encode()

    completion = parse_answer(body)

    assert completion.text == ""


def test_every_choice_is_checked() -> None:
    with pytest.raises(Fault, match="a choice without a message"):
        parse_answer(b'{"choices":[{"message":{"content":"Hi"}},{}]}')


@each("calls", [["x"], [None], [[]], 5, "abc", {"a": 1}, True])
def test_tool_calls_that_are_none_are_a_bad_response(calls: Any) -> None:
    body = orjson.dumps({"choices": [{"message": {"content": "Hi", "tool_calls": calls}}]})

    with pytest.raises(Fault) as raised:
        parse_answer(body)

    assert raised.value.error.reason == "upstream_bad_response"


@each(
    "deep",
    [
        {"choices": [{"message": {"content": "Hi", "x": DEEP}}]},  # a head is added
        {"error": {"code": DEEP}},
        {"error": DEEP},
    ],
)
def test_an_answer_that_is_nested_too_deep_is_a_bad_response(deep: Any) -> None:
    with pytest.raises(Fault) as raised:
        parse_answer(deep_json(deep))

    assert raised.value.error.reason == "upstream_bad_response"


def test_what_comes_after_done_is_no_error() -> None:
    events = [b'{"choices":[{"delta":{"content":"Hi"}}]}', b"[DONE]", b"no JSON"]

    completion = collected(events)

    assert completion.text == "Hi"


def test_logprobs_of_a_stream_are_put_together() -> None:
    chunk = '{"choices":[{"delta":{"content":"%s"},"logprobs":{"content":[{"token":"%s"}]}}]}'
    events = [(chunk % ("a", "a")).encode(), (chunk % ("b", "b")).encode(), b"[DONE]"]

    completion = collected(events)

    tokens = [entry["token"] for entry in completion.document["choices"][0]["logprobs"]["content"]]
    assert tokens == ["a", "b"]


# --- the head ---

CHAT_HEAD = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
HELLO = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
TEXT = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}
EMBEDDING = {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}


def spaced(document: object) -> bytes:
    """Write JSON as no library of ours would."""
    return b" " + orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


@each(
    ("operation", "document"),
    [
        (Operation.CHAT, {**CHAT_HEAD, "choices": [HELLO], "x": 1.0}),
        (Operation.TEXT, {**CHAT_HEAD, "object": "text_completion", "choices": [TEXT]}),
        (Operation.EMBEDDINGS, {"object": "list", "model": "m", "data": [EMBEDDING]}),
    ],
)
def test_an_answer_that_lacks_nothing_is_kept_byte_for_byte(
    operation: Operation, document: dict[str, Any]
) -> None:
    body = spaced(document)

    assert parse_answer(body, operation).body == body


@each("wrong", [None, "", "chat.completion.chunk", 5])
def test_the_kind_of_an_answer_is_put_right(wrong: object) -> None:
    body = spaced({**CHAT_HEAD, "object": wrong, "choices": [HELLO]})

    assert orjson.loads(parse_answer(body).body) == {**CHAT_HEAD, "choices": [HELLO]}


@each(
    ("operation", "choice", "prefix"),
    [(Operation.CHAT, HELLO, "chatcmpl-"), (Operation.TEXT, TEXT, "cmpl-")],
)
@each("missing", [{}, {"id": None, "created": None}, {"id": "", "created": "1"}])
def test_a_head_that_is_missing_is_made(
    operation: Operation, choice: dict[str, Any], prefix: str, missing: dict[str, Any]
) -> None:
    body = orjson.dumps({"model": "m", "choices": [choice], **missing})

    first, second = (orjson.loads(parse_answer(body, operation).body) for _ in range(2))

    assert first["id"].startswith(prefix)
    assert first["id"] != second["id"]
    assert type(first["created"]) is int
    assert first["choices"] == [choice]


def test_what_is_read_of_an_answer_is_what_is_passed_on() -> None:
    completion = parse_answer(orjson.dumps({"model": "m", "choices": [HELLO]}))

    assert orjson.loads(completion.body) == completion.document


# --- text completions and embeddings ---


def test_a_text_completion_may_say_nothing() -> None:
    body = orjson.dumps({"choices": [TEXT | {"text": ""}]})

    assert parse_answer(body, Operation.TEXT).document["object"] == "text_completion"


@each("choice", [{"text": 5}, {"text": ["Hi"]}, "Hi", None])
def test_a_text_that_is_none_is_a_bad_response(choice: object) -> None:
    with pytest.raises(Fault, match=r"a choice (whose text is none|that is no object)"):
        parse_answer(orjson.dumps({"choices": [TEXT, choice]}), Operation.TEXT)


@each("operation", [Operation.CHAT, Operation.TEXT])
@each("fields", [{}, {"choices": []}, {"choices": None}, {"data": [EMBEDDING]}])
def test_an_answer_without_choices_is_a_bad_response(
    operation: Operation, fields: dict[str, Any]
) -> None:
    with pytest.raises(Fault, match="an answer without choices"):
        parse_answer(orjson.dumps(fields), operation)


@each("vector", [[0.5], "AACAPw=="])
def test_embeddings_come_as_floats_or_as_text(vector: object) -> None:
    body = orjson.dumps({"object": "list", "data": [EMBEDDING | {"embedding": vector}]})
    encoding = "base64" if isinstance(vector, str) else None

    assert parse_answer(body, Operation.EMBEDDINGS, encoding=encoding).body == body


def test_embeddings_get_no_id() -> None:
    completion = parse_answer(orjson.dumps({"data": [EMBEDDING]}), Operation.EMBEDDINGS)

    assert orjson.loads(completion.body) == {"object": "list", "data": [EMBEDDING]}


@each("fields", [{}, {"data": []}, {"data": {}}, {"choices": [HELLO]}])
def test_an_answer_without_data_has_no_embeddings(fields: dict[str, Any]) -> None:
    with pytest.raises(Fault, match="an answer without data"):
        parse_answer(orjson.dumps(fields), Operation.EMBEDDINGS)


@each("one", [{}, {"embedding": []}, {"embedding": None}, [0.5], None])
def test_every_embedding_is_checked(one: object) -> None:
    with pytest.raises(Fault, match="an answer without embeddings"):
        parse_answer(orjson.dumps({"data": [EMBEDDING, one]}), Operation.EMBEDDINGS)


def test_embeddings_count_tokens_of_the_prompt_alone() -> None:
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    body = orjson.dumps({"data": [EMBEDDING], "usage": usage})

    assert parse_answer(body, Operation.EMBEDDINGS).usage == TokenUsage(5, 0, "upstream")


@each("operation", list(Operation))
def test_an_error_inside_an_answer_of_any_kind_is_an_error(operation: Operation) -> None:
    with pytest.raises(Fault) as raised:
        parse_answer(
            b'{"error":{"code":"data_inspection_failed"},"data":[]}', operation, classifier=READER
        )

    assert raised.value.error.reason == "content_filtered"


@each("empty", [None, {}, "", []])
def test_an_error_that_says_nothing_is_none(empty: object) -> None:
    completion = parse_answer(orjson.dumps({"choices": [HELLO], "error": empty}))

    assert completion.text == "Hi"


def test_an_error_that_says_nothing_is_not_passed_on() -> None:
    """The SDK 0.28 looks for the key alone."""
    completion = parse_answer(orjson.dumps({**CHAT_HEAD, "choices": [HELLO], "error": None}))

    assert orjson.loads(completion.body) == {**CHAT_HEAD, "choices": [HELLO]}
