"""Whichever word a caller uses for thinking, each vendor gets its own."""

from typing import Any

from llm_api.domain.calls import Operation
from llm_api.upstream.vendors.profiles import asks_for_reasoning
from llm_api.upstream.vendors.thinking import Wish, read_wish
from tests.support.tables import each
from tests.upstream.asker import PROFILES

OFF: list[dict[str, Any]] = [
    {"reasoning_effort": "none"},
    {"enable_thinking": False},
    {"chat_template_kwargs": {"enable_thinking": False}},
    {"chat_template_kwargs": {"thinking": False}},
    {"chat_template_kwargs": {"thinking_budget": 0}},
    {"thinking": {"type": "disabled"}},
    {"thinking": False},
    {"thinking": "off"},
    {"think": False},
    {"reasoning": {"enabled": False}},
    {"reasoning": {"effort": "none"}},
    {"reasoning": {"max_tokens": 0}},
    {"thinking_budget": 0},
    {"thinking_token_budget": 0},
    {"reasoning_effort": "off"},
    {"reasoning_effort": False},
    {"reasoning": False},
    {"thinking": {"enabled": False}},
    {"disable_reasoning": True},
    {"google": {"thinking_config": {"thinking_budget": 0}}},
    {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
    {"extra_body": {"enable_thinking": False}},
]
ON: list[dict[str, Any]] = [
    {"reasoning_effort": "high"},
    {"enable_thinking": True},
    {"chat_template_kwargs": {"enable_thinking": True}},
    {"chat_template_kwargs": {"thinking": True}},
    {"thinking": {"type": "enabled"}},
    {"thinking": {"type": "adaptive"}},
    {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    {"thinking": True},
    {"think": "low"},
    {"reasoning": {"enabled": True}},
    {"reasoning": {"effort": "xhigh"}},
    {"reasoning": {"max_tokens": 2_000}},
    {"reasoning": True},
    {"disable_reasoning": False},
    {"extra_body": {"google": {"thinking_config": {"thinking_level": "high"}}}},
    {"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}},
]
NEITHER: list[dict[str, Any]] = [
    {},
    {"thinking": {"type": "auto"}},
    {"thinking": {"type": []}},
    {"thinking": []},
    {"thinking": None},
    {"thinking_budget": 5},
    {"thinking_budget": -1},
    {"thinking_budget": True},
    {"reasoning": {"exclude": True}},
    {"reasoning": {}},
    {"reasoning_effort": ""},
    {"reasoning_effort": 1},
    {"chat_template_kwargs": {"custom": 1}},
    {"chat_template_kwargs": "x"},
    {"enable_thinking": 0},
    {"disable_reasoning": "yes"},
    {"google": {"thinking_config": {"include_thoughts": True}}},
    {"google": {"thinking_config": []}},
    {"extra_body": ["enable_thinking"]},
]
# The vendors with switches, and what they are told for off and on.
SWITCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dashscope": ({"enable_thinking": False}, {"enable_thinking": True}),
    "siliconflow": ({"enable_thinking": False}, {"enable_thinking": True}),
    "volcengine-ark": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    "deepseek": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    "zhipu": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    "moonshot": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    "minimax": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "adaptive"}}),
    "anthropic": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "adaptive"}}),
    "vllm": (
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": True}},
    ),
    "llama-cpp": (
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": True}},
    ),
    "sglang": (
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": True}},
    ),
    "openrouter": ({"reasoning": {"enabled": False}}, {"reasoning": {"enabled": True}}),
    "ollama": ({"reasoning_effort": "none"}, {"reasoning_effort": "medium"}),
    "gemini": ({"reasoning_effort": "none"}, {"reasoning_effort": "medium"}),
    "xai": ({"reasoning_effort": "none"}, {"reasoning_effort": "medium"}),
    "groq": ({"reasoning_effort": "none"}, {"reasoning_effort": "default"}),
    "mistral": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
}


def said_to(name: str, **wish: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a vendor is told of a wish, and what is left out."""
    body, dropped = PROFILES[name].adapted({"messages": [], **wish}, Operation.CHAT)
    del body["messages"]
    return body, dropped


@each("wish", OFF)
def test_every_word_for_no_thinking_is_read(wish: dict[str, Any]) -> None:
    assert read_wish(wish).is_on is False
    assert not asks_for_reasoning(wish)


@each("wish", ON)
def test_every_word_for_thinking_is_read(wish: dict[str, Any]) -> None:
    assert read_wish(wish).is_on is True
    assert asks_for_reasoning(wish)


@each("wish", NEITHER)
def test_what_says_nothing_is_left_to_the_model(wish: dict[str, Any]) -> None:
    assert read_wish(wish).is_on is None
    assert not asks_for_reasoning(wish)


def test_of_words_that_contradict_each_other_the_switch_wins() -> None:
    assert read_wish({"reasoning_effort": "none", "enable_thinking": True}) == Wish(is_on=True)
    assert read_wish({"reasoning_effort": "high", "think": False}) == Wish(is_on=False)


@each("name", SWITCHES)
@each("wish", OFF)
def test_no_thinking_is_said_in_the_vendors_words(name: str, wish: dict[str, Any]) -> None:
    told, dropped = said_to(name, **wish)

    is_own_word = wish.keys() <= PROFILES[name].thinking.names or told == wish
    assert told == SWITCHES[name][0] or (is_own_word and read_wish(told).is_on is False)
    assert dropped == ()


@each("name", SWITCHES)
@each("wish", ON)
def test_thinking_is_said_in_the_vendors_words(name: str, wish: dict[str, Any]) -> None:
    told, dropped = said_to(name, **wish)

    assert read_wish(told).is_on is True
    assert told.keys() <= PROFILES[name].thinking.names | wish.keys()
    assert told.keys() <= (PROFILES[name].parameters or told.keys())
    assert dropped == ()


@each("name", SWITCHES)
def test_a_plain_switch_becomes_the_vendors_own(name: str) -> None:
    foreign = {"think": True} if name in {"dashscope", "siliconflow"} else {"enable_thinking": True}

    assert said_to(name, **foreign) == (SWITCHES[name][1], ())


@each("name", ["generic", "lm-studio"])
@each("wish", [*OFF, *ON])
def test_a_vendor_of_which_nothing_is_known_is_told_what_the_caller_says(
    name: str, wish: dict[str, Any]
) -> None:
    assert said_to(name, **wish) == (wish, ())


@each(
    ("name", "wish", "told"),
    [
        # Levels go to where the vendor has them, and to the nearest that it has.
        ("openai", {"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
        ("openai", {"reasoning": {"effort": "none"}}, {"reasoning_effort": "none"}),
        ("azure", {"think": "medium"}, {"reasoning_effort": "medium"}),
        ("xai", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
        ("xai", {"reasoning_effort": "max"}, {"reasoning_effort": "high"}),
        ("gemini", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
        ("mistral", {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
        ("moonshot", {"reasoning": {"effort": "max"}}, "max"),
        ("deepseek", {"think": "high"}, "high"),
        ("volcengine-ark", {"reasoning": {"effort": "xhigh"}}, "high"),
        (
            "llama-cpp",
            {"reasoning_effort": "low"},
            {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}},
        ),
        (
            "openrouter",
            {"think": "low"},
            {"reasoning": {"enabled": True, "effort": "low"}},
        ),
        # Budgets likewise.
        (
            "dashscope",
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            {"enable_thinking": True, "thinking_budget": 9},
        ),
        (
            "openrouter",
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            {"reasoning": {"enabled": True, "max_tokens": 9}},
        ),
        ("vllm", {"thinking_budget": 9}, {"thinking_token_budget": 9}),
        # A level of a vendor that has none is a wish to think, or not.
        ("dashscope", {"reasoning_effort": "low"}, {"enable_thinking": True}),
        ("dashscope", {"reasoning_effort": "minimal"}, {"enable_thinking": False}),
        # No tokens are no budget.
        ("dashscope", {"thinking_budget": 0}, {"enable_thinking": False}),
        # The vendor's own word in another vendor's form.
        ("volcengine-ark", {"thinking": True}, {"thinking": {"type": "enabled"}}),
        ("zhipu", {"thinking": {"type": "adaptive"}}, {"thinking": {"type": "enabled"}}),
        # Other arguments of a template stay.
        (
            "vllm",
            {"chat_template_kwargs": {"documents": 1}, "reasoning_effort": "none"},
            {"chat_template_kwargs": {"documents": 1, "enable_thinking": False}},
        ),
    ],
)
def test_levels_and_budgets_are_said_as_well(name: str, wish: dict[str, Any], told: Any) -> None:
    body, dropped = said_to(name, **wish)

    expected = {**SWITCHES[name][1], "reasoning_effort": told} if isinstance(told, str) else told
    assert (body, dropped) == (expected, ())


@each(
    ("name", "wish", "told", "dropped"),
    [
        # The vendor's own word wins, and what is lost is named.
        (
            "dashscope",
            {"enable_thinking": True, "reasoning_effort": "none"},
            {"enable_thinking": True},
            ("reasoning_effort",),
        ),
        (
            "dashscope",
            {"enable_thinking": False, "reasoning_effort": "none"},
            {"enable_thinking": False},
            (),
        ),
        ("openai", {"enable_thinking": False}, {}, ("enable_thinking",)),
        ("openai", {"thinking": {"type": "disabled"}}, {}, ("thinking",)),
        ("dashscope", {"thinking": {"type": "auto"}}, {}, ("thinking",)),
        ("volcengine-ark", {"thinking_budget": 9}, {}, ("thinking_budget",)),
        ("deepseek", {"reasoning": {"exclude": True}}, {}, ("reasoning",)),
        (
            "dashscope",
            {"chat_template_kwargs": {"enable_thinking": False, "documents": 1}},
            {"enable_thinking": False},
            ("chat_template_kwargs",),
        ),
    ],
)
def test_what_a_vendor_has_no_word_for_is_left_out_and_named(
    name: str, wish: dict[str, Any], told: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    assert said_to(name, **wish) == (told, dropped)


@each("name", SWITCHES)
def test_other_arguments_of_a_template_survive_a_second_call_without_thinking(name: str) -> None:
    body = {"messages": [], "chat_template_kwargs": {"documents": 1}}

    quiet = PROFILES[name].without_reasoning(body)

    assert quiet is not None
    assert quiet["chat_template_kwargs"]["documents"] == 1
    assert read_wish(quiet).is_on is False


def test_what_a_vendor_knows_the_field_of_but_not_the_word_is_translated() -> None:
    assert said_to("ollama", reasoning={"enabled": False})[0] == {"reasoning_effort": "none"}
    assert said_to("ollama", reasoning={"effort": "low"})[0] == {"reasoning": {"effort": "low"}}
    assert said_to("groq", reasoning_effort="off")[0] == {"reasoning_effort": "none"}
    zero = {"reasoning": {"max_tokens": 0}}
    assert said_to("openrouter", **zero)[0] == {"reasoning": {"enabled": False}}


def test_gemini_is_sent_its_own_words() -> None:
    own = {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}}

    assert said_to("gemini", **own) == (own, ())
    assert said_to("gemini", extra_body={"think": False})[0] == {"reasoning_effort": "none"}
    assert said_to("zhipu", extra_body={"think": False, "odd": 1})[1] == ("extra_body",)
