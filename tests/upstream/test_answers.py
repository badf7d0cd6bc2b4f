"""What an upstream answered is checked, and a count that cannot be true is unknown."""

from typing import Any

import pytest

from llm_api.domain import TokenUsage
from llm_api.upstream.answers import parse_answer, parse_usage
from llm_api.upstream.collect import collect_chunks
from llm_api.upstream.faults import Fault


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": -2},
        {"prompt_tokens": "1", "completion_tokens": 2},
        {"prompt_tokens": 1.0, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": 2**70},
        {"prompt_tokens": 2**31, "completion_tokens": 2},
        {"prompt_tokens": None, "completion_tokens": 2},
        {"prompt_tokens": 1},
        {},
    ],
    ids=repr,
)
def test_a_count_that_cannot_be_true_is_invalid(usage: Any) -> None:
    assert parse_usage(usage) == TokenUsage(None, None, "invalid")


@pytest.mark.parametrize("usage", [None, "7", 7, [], [5, 2]], ids=repr)
def test_what_is_no_usage_is_missing(usage: Any) -> None:
    assert parse_usage(usage) == TokenUsage(None, None, "missing")


@pytest.mark.parametrize("count", [0, 1, 2**31 - 1])
def test_a_sane_count_is_kept(count: int) -> None:
    usage = parse_usage({"prompt_tokens": count, "completion_tokens": count})

    assert usage == TokenUsage(count, count, "upstream")


def test_an_answer_without_usage_is_an_answer() -> None:
    completion = parse_answer(b'{"choices":[{"message":{"content":"Hi"}}]}')

    assert (completion.text, completion.usage) == ("Hi", TokenUsage())


def test_empty_content_is_an_answer() -> None:
    completion = parse_answer(b'{"choices":[{"message":{"content":""}}]}')

    assert completion.text == ""


@pytest.mark.parametrize("field", ["refusal", "reasoning_content"])
def test_a_message_without_content_may_have_this_instead(field: str) -> None:
    body = f'{{"choices":[{{"message":{{"content":null,"{field}":"because"}}}}]}}'.encode()

    completion = parse_answer(body)

    assert completion.text == ""


def test_every_choice_is_checked() -> None:
    with pytest.raises(Fault, match="a choice without a message"):
        parse_answer(b'{"choices":[{"message":{"content":"Hi"}},{}]}')


def test_a_cut_answer_says_so() -> None:
    body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"length"}]}'

    assert parse_answer(body).is_cut


def test_what_comes_after_done_is_no_error() -> None:
    events = [b'{"choices":[{"delta":{"content":"Hi"}}]}', b"[DONE]", b"no JSON"]

    completion = collect_chunks(events)

    assert completion.text == "Hi"


def test_logprobs_of_a_stream_are_put_together() -> None:
    chunk = '{"choices":[{"delta":{"content":"%s"},"logprobs":{"content":[{"token":"%s"}]}}]}'
    events = [(chunk % ("a", "a")).encode(), (chunk % ("b", "b")).encode(), b"[DONE]"]

    completion = collect_chunks(events)

    tokens = [entry["token"] for entry in completion.document["choices"][0]["logprobs"]["content"]]
    assert tokens == ["a", "b"]
