"""The ledger counts as the bill does, however a vendor writes it down, whole and streamed."""

from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.services.pricing import Price
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.completion import parse_answer, parse_usage
from tests.support.tables import each
from tests.upstream.streamed import DONE, HEAD, choice, collected, counted, ended, event, more, text

PRICE = Price(
    valid_from=date(2025, 1, 31),
    currency="USD",
    input=Decimal("1.25"),
    output=Decimal("2.50"),
    cached_input=Decimal("0.20"),
)


def details(prompt: int | None = None, completion: int | None = None) -> dict[str, Any]:
    """Write OpenAI's details: cached tokens, and those of reasoning."""
    return {
        "prompt_tokens_details": {"cached_tokens": prompt},
        "completion_tokens_details": {"reasoning_tokens": completion},
    }


def openai(prompt: Any, completion: Any, total: Any = None, **fields: Any) -> dict[str, Any]:
    """Write a usage under OpenAI's names."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {**counts, **({} if total is None else {"total_tokens": total}), **fields}


# Usage as a vendor sends it; then prompt, completion, cached and reasoning tokens of the bill.
FORMS: dict[str, tuple[dict[str, Any], tuple[int, int, int | None, int | None]]] = {
    "OpenAI": (openai(10, 50, 60, **details(4, 30)), (10, 50, 4, 30)),
    "OpenAI without total": (openai(10, 50, **details(4, 30)), (10, 50, 4, 30)),
    "xAI": (openai(10120, 1499, 14428, **details(128, 2809)), (10120, 4308, 128, 2809)),
    "xAI, little reasoning": (openai(10, 50, 65, **details(None, 5)), (10, 55, None, 5)),
    "xAI, nothing reasoned": (openai(10, 50, 60, **details(0, 0)), (10, 50, 0, 0)),
    "more reasoning than completion": (openai(10, 5, **details(None, 100)), (10, 105, None, 100)),
    "Gemini": (openai(10, 50, 360), (10, 350, None, 300)),
    "Gemini that only thought": (openai(10, 0, 310), (10, 300, None, 300)),
    "thoughts partly told": (openai(10, 50, 360, **details(None, 20)), (10, 350, None, 300)),
    "Moonshot": (openai(2989, 21, 3010, cached_tokens=2989), (2989, 21, 2989, None)),
    "DeepSeek": (
        openai(100, 5, 105, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
        (100, 5, 64, None),
    ),
    "Anthropic": (
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
        },
        (130, 5, 100, None),
    ),
    "a relay of Anthropic": (
        openai(10, 5, 15, cache_read_input_tokens=100, cache_creation_input_tokens=20),
        (130, 5, 100, None),
    ),
    "Bedrock": (
        {"inputTokens": 10, "outputTokens": 5, "totalTokens": 115, "cacheReadInputTokens": 100},
        (110, 5, 100, None),
    ),
    "Tencent": (
        {"PromptTokens": 10, "CompletionTokens": 5, "TotalTokens": 15},
        (10, 5, None, None),
    ),
    "camel case": ({"promptTokens": 10, "completionTokens": 5}, (10, 5, None, None)),
    "Gemini's own": (
        {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 20,
            "cachedContentTokenCount": 4,
            "totalTokenCount": 35,
        },
        (10, 25, 4, 20),
    ),
    "a completion in the total only": (openai(12, None, 42), (12, 30, None, None)),
    "no completion at all": (openai(12, None, 12), (12, 0, None, None)),
    "Anthropic without a cache": ({"input_tokens": 10, "output_tokens": 5}, (10, 5, None, None)),
    "LiteLLM of Anthropic": (
        openai(130, 5, 135, cache_read_input_tokens=100, cache_creation_input_tokens=20),
        (130, 5, 100, None),
    ),
    "Responses": (
        {
            "input_tokens": 10,
            "output_tokens": 50,
            "total_tokens": 60,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 30},
        },
        (10, 50, 4, 30),
    ),
    "cached beside the prompt": (openai(10, 5, 115, **details(100)), (110, 5, 100, None)),
    "floats": (openai(12.0, 3.0, 15.0), (12, 3, None, None)),
    "nulls beside": (openai(12, 3, None, **details()), (12, 3, None, None)),
    "details that are null": (
        openai(12, 3, 15, prompt_tokens_details=None, completion_tokens_details=None),
        (12, 3, None, None),
    ),
    "a total that is less": (openai(12, 3, 3), (12, 3, None, None)),
    "a total that is none": (openai(12, 3, "15"), (12, 3, None, None)),
    "a prompt in the total only": (openai(None, 3, 15), (12, 3, None, None)),
    "Cohere's reasoning at the top": (openai(12, 30, 42, reasoning_tokens=20), (12, 30, None, 20)),
}


@each("name", FORMS)
def test_a_usage_is_counted_as_it_is_billed(name: str) -> None:
    usage, (prompt, completion, cached, reasoning) = FORMS[name]
    wanted = TokenUsage(prompt, completion, "upstream", cached, reasoning)

    assert parse_usage(usage) == wanted
    assert collected([text("Hi"), ended(), counted(usage), DONE]).usage == wanted


def test_what_was_thought_is_not_held_against_the_cap() -> None:
    assert parse_usage(openai(10, 50, 360), max_tokens=50).completion_tokens == 350
    assert parse_usage(openai(10, 51, 361), max_tokens=50).source == "invalid"


@each(("name", "cost"), [("xAI", 23286), ("Moonshot", 650), ("Gemini", 888), ("OpenAI", 133)])
def test_the_cost_is_that_of_the_bill(name: str, cost: int) -> None:
    assert PRICE.of(parse_usage(FORMS[name][0])) == cost


def test_the_callers_usage_is_the_vendors_own() -> None:
    usage = FORMS["xAI"][0]
    one = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}

    completion = parse_answer(orjson.dumps({**HEAD, "choices": [one], "usage": usage}))

    assert orjson.loads(completion.body)["usage"] == usage


@each(
    "usage",
    [{"prompt_tokens": 3, "total_tokens": 3}, {"total_tokens": 3}, {"input_tokens": 3}],
)
def test_embeddings_are_counted_whatever_the_name(usage: dict[str, Any]) -> None:
    body = orjson.dumps({"data": [{"embedding": [0.5]}], "usage": usage})

    assert parse_answer(body, Operation.EMBEDDINGS).usage == TokenUsage(3, 0, "upstream")


# --- where it stands ---

USAGE = openai(9, 3, 12)


def shown(*events: bytes, choice_count: int = 1) -> tuple[TokenUsage, list[Any]]:
    """Return the usage that is counted, and what a caller is shown who asked for it."""
    answer = StreamedAnswer(shows_usage=True, choice_count=choice_count)
    for one in events:
        answer.take(one)
    return answer.usage, [orjson.loads(chunk)["usage"] for chunk in answer.end()]


@each(
    "last",
    [
        event(choice({}, finish_reason="stop", usage=USAGE)),
        event(choice({}, finish_reason="stop"), x_groq={"id": "r", "usage": USAGE}),
        event(choice({}, finish_reason="stop"), usage=USAGE),
        event(choice({"content": "!"}, finish_reason="stop"), usage=USAGE),
    ],
)
def test_the_usage_may_stand_elsewhere_in_the_last_chunk(last: bytes) -> None:
    assert shown(text("Hi"), last, DONE) == (TokenUsage(9, 3, "upstream"), [USAGE])


def test_the_usage_may_stand_in_a_choice_of_a_whole_answer() -> None:
    one = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop", "usage": USAGE}

    completion = parse_answer(orjson.dumps({**HEAD, "choices": [one]}))

    assert completion.usage == TokenUsage(9, 3, "upstream")


@each("x_groq", [None, {}, {"id": "r"}, {"usage": None}, "r"])
def test_a_field_of_groq_without_usage_is_none(x_groq: Any) -> None:
    last = event(choice({}, finish_reason="stop"), x_groq=x_groq)

    assert shown(text("Hi"), last, DONE) == (TokenUsage(), [])


def test_of_a_usage_that_grows_the_last_counts() -> None:
    growing = [event(choice({"content": "x"}), usage=openai(9, n, 9 + n)) for n in (1, 2)]

    usage, seen = shown(*growing, event(choice({}, finish_reason="stop"), usage=USAGE), DONE)

    assert (usage, seen) == (TokenUsage(9, 3, "upstream"), [USAGE])


@each("nulls", [openai(None, None, 0), openai(0, 0, 0)])
def test_nulls_behind_a_usage_take_nothing_away(nulls: dict[str, Any]) -> None:

    usage, _ = shown(text("Hi"), counted(USAGE), ended(), counted(nulls), DONE)

    assert usage == TokenUsage(9, 3, "upstream")


# --- several choices ---


def two(**fields: Any) -> list[bytes]:
    """Make two choices that end one after the other."""
    ends = [event(choice({"content": "x"}, n, finish_reason="stop", **fields)) for n in (1, 0)]
    return [event(choice({"role": "assistant"}, 0), choice({"role": "assistant"}, 1)), *ends]


def test_a_usage_for_each_choice_is_summed() -> None:
    """The chunks of llama.cpp for n=2."""
    usage, [seen] = shown(
        *two(), counted(openai(9, 3, 12)), counted(openai(9, 5, 14)), DONE, choice_count=2
    )

    assert usage == TokenUsage(9, 8, "upstream")
    assert seen == openai(9, 8, 17)


def test_a_usage_inside_each_choice_is_summed() -> None:
    usage, _ = shown(*two(usage=USAGE), DONE, choice_count=2)

    assert usage == TokenUsage(9, 6, "upstream")


def test_one_usage_for_all_choices_is_that_of_all() -> None:
    usage, [seen] = shown(*two(), counted(openai(9, 8, 17)), DONE, choice_count=2)

    assert usage == TokenUsage(9, 8, "upstream")
    assert seen == openai(9, 8, 17)


def test_the_sum_is_that_of_the_answer_in_one_piece() -> None:
    events = [*two(), counted(openai(9, 3, 12)), counted(openai(9, 5, 14)), DONE]

    assert collected(events, choice_count=2).usage == TokenUsage(9, 8, "upstream")


def test_a_usage_that_comes_twice_for_one_choice_counts_once() -> None:
    usage, _ = shown(text("Hi"), more("!"), counted(USAGE), ended(), counted(USAGE), DONE)

    assert usage == TokenUsage(9, 3, "upstream")
