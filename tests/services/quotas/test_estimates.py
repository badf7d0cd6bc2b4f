"""What a call may take is estimated from its prompt and the longest answer that it asks for."""

from typing import Any

import pytest

from llm_api.domain.calls import ModelRequest, Operation, TokenUsage
from llm_api.services.quotas.estimates import ASSUMED_ANSWER_TOKENS, TokenEstimate, estimate_request

CHAT = {"messages": [{"role": "user", "content": "x" * 40}]}
PROMPT = 10 + 4  # forty letters, and what is around a message
TOOLS = [{"type": "function", "function": {"name": "look", "description": "x" * 400}}]


def completion_tokens(parameters: dict[str, Any], operation: Operation = Operation.CHAT) -> int:
    """Estimate the answer of a request."""
    return estimate_request(ModelRequest(None, parameters, operation)).completion_tokens


def test_prompt_and_cap_are_needed() -> None:
    needs = estimate_request(ModelRequest(None, CHAT | {"max_tokens": 50}))

    assert needs == TokenEstimate(PROMPT, 50)
    assert needs.tokens == PROMPT + 50
    assert needs.usage == TokenUsage(PROMPT, 50, source="estimated")


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, ASSUMED_ANSWER_TOKENS),
        ({"max_tokens": None}, ASSUMED_ANSWER_TOKENS),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8),
        ({"max_tokens": 7, "n": None}, 7),
        ({"max_tokens": 7, "n": 3}, 21),
        ({"n": 2}, 2 * ASSUMED_ANSWER_TOKENS),
        ({"max_tokens": 10**18, "n": 8}, 10**9),
    ],
)
def test_an_answer_is_as_long_as_its_cap(fields: dict[str, Any], tokens: int) -> None:
    assert completion_tokens(CHAT | fields) == tokens


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"prompt": "one"}, 7),
        ({"prompt": [1, 2, 3]}, 7),
        ({"prompt": ["one", "two", "three"]}, 21),
        ({"prompt": [[1, 2], [3]]}, 14),
        ({"prompt": "one", "best_of": 4}, 28),
        ({"prompt": ["one", "two"], "best_of": 4, "n": 2}, 56),
    ],
)
def test_every_text_that_is_written_counts(fields: dict[str, Any], tokens: int) -> None:
    assert completion_tokens({"max_tokens": 7} | fields, Operation.TEXT) == tokens


@pytest.mark.parametrize("name", ["tools", "functions", "response_format"])
def test_schemas_are_part_of_the_prompt(name: str) -> None:
    needs = estimate_request(ModelRequest(None, CHAT | {name: TOOLS}))

    assert PROMPT + 100 < needs.prompt_tokens < PROMPT + 150


def test_vectors_have_no_answer_that_counts() -> None:
    needs = estimate_request(ModelRequest(None, {"input": "x" * 40}, Operation.EMBEDDINGS))

    assert needs == TokenEstimate(10, 0)
