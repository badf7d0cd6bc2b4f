"""A reasoning model that has spent its whole cap on thinking is asked once more, without."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Completion, TokenUsage
from llm_api.upstream.answers.completion import spent_on_reasoning
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PATIENT, PROFILES, Asker, described
from tests.upstream.streaming import stream

AskerOf = Callable[..., Asker]
Message = Mapping[str, Any]

THOUGHT: Message = {"role": "assistant", "content": "", "reasoning_content": "Hm, let me see"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
COUNTED = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 20}}
OFF: Mapping[str, Mapping[str, Any]] = {
    "dashscope": {"enable_thinking": False},
    "volcengine-ark": {"thinking": {"type": "disabled"}},
    "vllm": {"chat_template_kwargs": {"enable_thinking": False}},
    "llama-cpp": {"chat_template_kwargs": {"enable_thinking": False}},
    "ollama": {"reasoning_effort": "none"},
}
REFUSALS = [
    "parameter.enable_thinking must be set to false for non-streaming calls",
    "This model only support stream mode, please enable the stream parameter.",
]


def document(
    *messages: Message, finish_reason: str | None = "length", usage: object = USAGE
) -> dict[str, Any]:
    """Make an answer of a choice for each message."""
    choices = [
        {"index": index, "message": dict(message), "finish_reason": finish_reason}
        for index, message in enumerate(messages)
    ]
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return {**head, "choices": choices, "usage": usage}


def answered(*messages: Message, finish_reason: str | None = "length") -> Reply:
    """Answer so."""
    return replies.json_reply(200, document(*messages, finish_reason=finish_reason))


def completion(made: dict[str, Any]) -> Completion:
    """Make what the client makes of an answer."""
    return Completion(made, orjson.dumps(made), TokenUsage())


def tries(asker: Asker) -> list[str | None]:
    """Return how the attempts of the last call ended."""
    assert asker.call is not None
    return [attempt.reason for attempt in asker.call.attempts]


def bodies(upstream: ScriptedUpstream) -> list[dict[str, Any]]:
    """Return the parameters of the requests, without model and messages."""
    sent = [dict(request.json) for request in upstream.requests]
    for body in sent:
        del body["model"], body["messages"]
    return sent


@pytest.mark.parametrize(
    "message",
    [
        THOUGHT,
        {"role": "assistant", "content": None, "reasoning_content": "Hm"},
        {"role": "assistant", "reasoning": "Hm"},
        {"role": "assistant", "content": " \n", "reasoning": "Hm", "tool_calls": []},
    ],
    ids=repr,
)
def test_an_empty_answer_with_thoughts_is_seen(message: Message) -> None:
    assert spent_on_reasoning(document(message))
    assert spent_on_reasoning(document(message, message))


@pytest.mark.parametrize("content", ["", None, "\n"])
def test_thoughts_that_are_only_counted_are_seen(content: str | None) -> None:
    message = {"role": "assistant", "content": content}

    assert spent_on_reasoning(document(message, usage=COUNTED))
    assert not spent_on_reasoning(document(message))


@pytest.mark.parametrize(
    "made",
    [
        document(THOUGHT, finish_reason="stop"),
        document(THOUGHT, finish_reason="content_filter"),
        document(THOUGHT, finish_reason=None),
        document({**THOUGHT, "content": "Hel"}),
        document({**THOUGHT, "tool_calls": [{"id": "1"}]}),
        document({"role": "assistant", "content": ""}, usage=None),
        document({"role": "assistant", "content": ""}, usage={"completion_tokens_details": 1}),
        document(
            {"role": "assistant", "content": ""},
            usage={"completion_tokens_details": {"reasoning_tokens": 0}},
        ),
        document(THOUGHT, {**THOUGHT, "content": "Hel"}),
    ],
    ids=range(9),
)
def test_any_other_answer_is_left_alone(made: dict[str, Any]) -> None:
    assert not spent_on_reasoning(made)


@pytest.mark.parametrize("name", OFF)
def test_a_model_that_only_thought_is_asked_once_more_without(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    upstream.script(answered(THOUGHT), replies.completion("Yes", usage=USAGE))
    asker = asker_of(profile=PROFILES[name])

    found = asker.ask(max_tokens=20, temperature=0.5)

    assert found.text == "Yes"
    assert found.usage == TokenUsage(20, 40, "upstream")
    assert tries(asker) == ["spent_on_thinking", None]
    first, second = bodies(upstream)
    assert first == {"max_tokens": 20, "temperature": 0.5}
    assert second == {**first, **OFF[name]}
    assert [request.json["messages"] for request in upstream.requests[1:]] == [
        upstream.requests[0].json["messages"]
    ]
    assert asker.pauses == []


def test_tokens_that_are_counted_once_only_are_unknown_in_all(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(answered(THOUGHT), replies.completion("Yes", usage=None))

    found = asker_of(profile=PROFILES["dashscope"]).ask()

    assert found.usage == TokenUsage(None, None, "missing")


@pytest.mark.parametrize("name", ["openai", "generic"])
def test_where_nothing_switches_thinking_off_the_answer_is_told(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    upstream.script(answered(THOUGHT))
    asker = asker_of(profile=PROFILES[name])

    assert (asker.ask().text, tries(asker), len(upstream.requests)) == ("", [None], 1)


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("dashscope", {"enable_thinking": True}),
        ("dashscope", {"thinking": {"type": "enabled"}}),
        ("volcengine-ark", {"thinking": {"type": "enabled"}}),
        ("volcengine-ark", {"enable_thinking": True}),
        ("volcengine-ark", {"reasoning_effort": "high"}),
        ("llama-cpp", {"enable_thinking": True}),
        ("vllm", {"enable_thinking": True}),
        ("vllm", {"thinking": {"type": "enabled"}}),
        ("ollama", {"enable_thinking": True}),
        ("ollama", {"reasoning_effort": "high"}),
    ],
)
def test_who_wants_the_thoughts_gets_them(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str, wish: Mapping[str, Any]
) -> None:
    upstream.script(answered(THOUGHT))
    asker = asker_of(profile=PROFILES[name])

    found = asker.ask(**wish)

    assert found.document["choices"][0]["message"] == THOUGHT
    assert (tries(asker), len(upstream.requests)) == ([None], 1)


@pytest.mark.parametrize("name", OFF)
def test_thinking_that_is_off_already_is_not_switched_off_again(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    upstream.script(answered(THOUGHT))
    asker = asker_of(profile=PROFILES[name])

    asker.ask(**OFF[name])

    assert (tries(asker), len(upstream.requests)) == ([None], 1)


@pytest.mark.parametrize(
    "reply",
    [
        answered(THOUGHT, finish_reason="stop"),
        answered({**THOUGHT, "content": "Hel"}),
        answered({**THOUGHT, "tool_calls": [{"id": "1"}]}),
        answered(THOUGHT, {**THOUGHT, "content": "Hel"}),
    ],
    ids=["stop", "content", "tool calls", "another choice"],
)
def test_an_answer_with_something_in_it_is_not_asked_for_again(
    upstream: ScriptedUpstream, asker_of: AskerOf, reply: Reply
) -> None:
    upstream.script(reply)
    asker = asker_of(profile=PROFILES["dashscope"])

    asker.ask()

    assert (tries(asker), len(upstream.requests)) == ([None], 1)


def test_a_stream_is_left_alone(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    thought = replies.chunk({"reasoning_content": "Hm"})
    upstream.script(replies.sse([thought, replies.chunk({}, finish_reason="length")]))

    chunks = stream(asker_of(profile=PROFILES["dashscope"]))

    assert b"reasoning_content" in chunks[0]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (replies.api_error(503), "upstream_unavailable"),
        (replies.api_error(400, "InvalidParameter"), "upstream_rejected"),
        (replies.api_error(401), "upstream_auth"),
        (replies.reset_before_answer(), "upstream_disconnected"),
        (replies.json_reply(200, {"choices": []}), "upstream_bad_response"),
    ],
    ids=["503", "400", "401", "reset", "no choices"],
)
def test_where_the_second_answer_fails_the_first_is_told(
    upstream: ScriptedUpstream, asker_of: AskerOf, reply: Reply, reason: str
) -> None:
    upstream.script(answered(THOUGHT), reply)
    asker = asker_of(profile=PROFILES["dashscope"])

    found = asker.ask()

    assert found.document["choices"][0]["message"] == THOUGHT
    assert found.usage == TokenUsage(10, 20, "upstream")
    assert tries(asker) == ["spent_on_thinking", reason]
    assert len(upstream.requests) == 2


def test_a_second_answer_that_is_as_empty_is_told(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(answered(THOUGHT), answered(THOUGHT))
    asker = asker_of(profile=PROFILES["dashscope"])

    assert asker.ask().usage == TokenUsage(20, 40, "upstream")
    assert len(upstream.requests) == 2


def test_a_call_has_three_attempts_with_the_one_without_thoughts(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.api_error(503), answered(THOUGHT))
    asker = asker_of(profile=PROFILES["dashscope"])

    assert asker.ask().text == "Hello"
    assert tries(asker) == ["upstream_unavailable", "spent_on_thinking", None]


def test_a_client_that_left_is_not_asked_for_again(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(answered(THOUGHT), replies.hang(20))
    asker = asker_of(profile=PROFILES["dashscope"], timeouts=PATIENT)

    error = asker.fail(is_disconnected=lambda: len(upstream.requests) == 2)

    assert error.reason == "client_closed"


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_model_that_only_streams_is_asked_for_a_stream(
    upstream: ScriptedUpstream, asker_of: AskerOf, refusal: str
) -> None:
    upstream.script(replies.api_error(400, "invalid_parameter_error", refusal))
    asker = asker_of(profile=PROFILES["dashscope"])

    found = asker.ask(model="qwen3", temperature=0.5)

    assert (found.text, found.usage) == ("Hello", TokenUsage(5, 2, "upstream"))
    assert found.document["object"] == "chat.completion"
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert bodies(upstream) == [{"temperature": 0.5}, {"temperature": 0.5, **streamed}]
    assert asker.pauses == []


def test_that_a_model_only_streams_is_remembered_for_that_model(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.api_error(400, "invalid_parameter_error", REFUSALS[0]))
    asker = asker_of(profile=PROFILES["dashscope"])
    for model in ("qwen3", "qwen3", "other"):
        assert asker.ask(model=model).text == "Hello"

    assert [body.get("stream") for body in bodies(upstream)] == [None, True, True, None]


def test_a_refusal_that_a_stream_does_not_help_is_not_remembered(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    refusal = replies.api_error(400, "invalid_parameter_error", REFUSALS[0])
    upstream.script(refusal, refusal)
    asker = asker_of(profile=PROFILES["dashscope"])

    error = asker.fail()
    asker.ask()

    assert described(error) == (400, "upstream_rejected", False)
    assert [body.get("stream") for body in bodies(upstream)] == [None, True, None]


def test_a_model_that_only_streams_and_only_thinks_is_asked_without_thoughts(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    thought = replies.chunk({"reasoning_content": "Hm"})
    upstream.script(
        replies.api_error(400, "invalid_parameter_error", REFUSALS[0]),
        replies.sse([thought, replies.chunk({}, finish_reason="length")]),
    )
    asker = asker_of(profile=PROFILES["dashscope"])

    assert asker.ask().text == "Hello"
    assert bodies(upstream)[-1]["enable_thinking"] is False
    assert tries(asker)[-2:] == ["spent_on_thinking", None]
    assert asker.attempts == 3


def test_no_call_has_more_than_three_attempts(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    refusal = replies.api_error(400, "invalid_parameter_error", REFUSALS[0])
    upstream.script(refusal, replies.api_error(503), refusal, replies.api_error(503))
    asker = asker_of(profile=PROFILES["dashscope"])

    asker.fail()

    assert len(upstream.requests) <= 3


def test_an_attempt_that_was_refused_did_not_go_well(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(replies.api_error(400, "invalid_parameter_error", REFUSALS[0]))
    asker = asker_of(profile=PROFILES["dashscope"])

    asker.ask()

    assert [reason is None for reason in tries(asker)] == [False, True]
