"""Each vendor is known by its address, and gets a request in its own words."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_api.domain.calls import Operation
from llm_api.errors import InvalidRequest
from llm_api.upstream.vendors.profiles import Profile, choose_profile
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PROFILES, PROMPT, Asker
from tests.upstream.strategies import JSON
from tests.upstream.streaming import stream

AskerOf = Callable[..., Asker]

ADDRESSES = {
    "https://dashscope.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://dashscope-intl.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://dashscope-us.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://dashscope-finance.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://vpc-cn-beijing.dashscope.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://ws-1234.cn-beijing.maas.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://ws-1234.eu-central-1.maas.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://DashScope.Aliyuncs.com:443/compatible-mode/v1": "dashscope",
    "https://ark.cn-beijing.volces.com/api/v3": "volcengine-ark",
    "https://ark.cn-shanghai.volces.com/api/v3": "volcengine-ark",
    "https://ark.ap-southeast.bytepluses.com/api/v3": "volcengine-ark",
    "https://api.openai.com/v1": "openai",
    "https://eu.api.openai.com/v1": "openai",
    "https://some-resource.openai.azure.com/openai/v1": "azure",
    "https://some-resource.services.ai.azure.com/openai/v1": "azure",
    "https://some-resource.cognitiveservices.azure.com/openai/v1": "azure",
    "http://localhost:11434/v1": "ollama",
    "http://127.0.0.1:11434/v1": "ollama",
    "http://[::1]:11434/v1": "ollama",
    "http://gpu.lan:11434/v1": "ollama",
    "https://ollama.com/v1": "ollama",
    "http://localhost:8000/v1": "generic",
    "http://localhost:8080/v1": "generic",
    "http://localhost/11434/v1": "generic",
    "http://localhost:1234/v1": "lm-studio",
    "https://api.anthropic.com/v1": "anthropic",
    "https://api.deepseek.com/v1": "deepseek",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.minimax.io/v1": "minimax",
    "https://api.minimaxi.com/v1": "minimax",
    "https://api.mistral.ai/v1": "mistral",
    "https://api.moonshot.ai/v1": "moonshot",
    "https://api.moonshot.cn/v1": "moonshot",
    "https://api.siliconflow.cn/v1": "siliconflow",
    "https://api.siliconflow.com/v1": "siliconflow",
    "https://api.x.ai/v1": "xai",
    "https://us-east-1.api.x.ai/v1": "xai",
    "https://api.z.ai/api/paas/v4": "zhipu",
    "https://generativelanguage.googleapis.com/v1beta/openai": "gemini",
    "https://open.bigmodel.cn/api/paas/v4": "zhipu",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.x.ai.example.org/v1": "generic",
    "https://mirror.openrouter.ai.example.org/v1": "generic",
    "https://api.openai.com.example.org/v1": "generic",
    "https://example.org/api.openai.com/v1": "generic",
    "https://notdashscope.aliyuncs.com/v1": "generic",
    "https://oss-cn-beijing.aliyuncs.com/v1": "generic",
    "https://tos.cn-beijing.volces.com/v1": "generic",
}
WITHOUT_DEVELOPER = {"dashscope", "volcengine-ark"}
MESSAGES = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "developer", "name": "developer"},
]
TEXTS: Mapping[str, Any] = {"prompt": "x", "max_tokens": 5, "seed": 1, "echo": True, "top_k": 3}
EMBEDDED: Mapping[str, Any] = {"input": ["x"], "dimensions": 5, "encoding_format": "float"}


@pytest.fixture(params=sorted(PROFILES))
def profile(request: pytest.FixtureRequest) -> Profile:
    """Take one profile after the other."""
    return PROFILES[request.param]


def adapted(profile: Profile, **parameters: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Adapt a conversation with these parameters, and leave its messages out of the result."""
    body, dropped = profile.adapted({"messages": [], **parameters}, Operation.CHAT)
    assert body.pop("messages") == []
    return body, dropped


@pytest.mark.parametrize(("url", "name"), ADDRESSES.items())
def test_a_profile_is_chosen_by_the_address(url: str, name: str) -> None:
    assert choose_profile(PROFILES, url).name == name


def test_the_name_of_a_profile_is_stronger_than_the_address(profile: Profile) -> None:
    chosen = choose_profile(PROFILES, "https://api.openai.com/v1", profile.name)

    assert (chosen.name, chosen.parameters) == (profile.name, profile.parameters)


def test_the_rules_of_the_chosen_profile_come_first_and_no_others_are_missing(
    profile: Profile,
) -> None:
    rules = choose_profile(PROFILES, "", profile.name).rules

    assert tuple(rules[: len(profile.rules)]) == profile.rules
    assert set(rules) == {rule for one in PROFILES.values() for rule in one.rules}
    assert len(set(rules)) == len(rules)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_cap_gets_the_name_that_the_vendor_knows(profile: Profile, name: str) -> None:
    body, dropped = adapted(profile, **{name: 5})

    assert (body, dropped) == ({profile.token_cap or name: 5}, ())


def test_of_two_caps_the_newer_name_is_taken(profile: Profile) -> None:
    both = {"max_tokens": 5, "max_completion_tokens": 6}

    body, dropped = adapted(profile, **both)

    assert (body, dropped) == ({profile.token_cap: 6} if profile.token_cap else both, ())


def test_the_developer_role_becomes_system_where_there_is_none(profile: Profile) -> None:
    body, _ = profile.adapted({"messages": MESSAGES}, Operation.CHAT)

    expected = copy.deepcopy(MESSAGES)
    if profile.name in WITHOUT_DEVELOPER:
        expected[0]["role"] = "system"
    assert body["messages"] == expected


def test_what_a_vendor_does_not_take_is_left_out_and_named_in_order() -> None:
    body, dropped = adapted(
        PROFILES["volcengine-ark"], top_k=3, temperature=1, seed=7, stop="x", thinking_budget=9
    )

    assert body == {"temperature": 1, "stop": "x"}
    assert dropped == ("top_k", "seed", "thinking_budget")


@pytest.mark.parametrize("name", ["generic", "llama-cpp"])
def test_a_profile_that_knows_nothing_passes_everything(name: str) -> None:
    given_ones = {"top_k": 3, "enable_thinking": True, "thinking": {"type": "auto"}, "new": [1]}

    assert adapted(PROFILES[name], **given_ones) == (given_ones, ())


@pytest.mark.parametrize("is_wanted", [True, False])
@pytest.mark.parametrize("said", ["enable_thinking", "thinking"])
@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("dashscope", ({"enable_thinking": True}, {"enable_thinking": False})),
        (
            "volcengine-ark",
            ({"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ),
        (
            "vllm",
            (
                {"chat_template_kwargs": {"enable_thinking": True}},
                {"chat_template_kwargs": {"enable_thinking": False}},
            ),
        ),
        ("ollama", ({"reasoning_effort": "medium"}, {"reasoning_effort": "none"})),
    ],
)
def test_the_switch_of_thinking_is_said_in_the_vendors_words(
    name: str, switches: tuple[Any, Any], said: str, *, is_wanted: bool
) -> None:
    kind = "enabled" if is_wanted else "disabled"
    asked = {"enable_thinking": is_wanted, "thinking": {"type": kind}}[said]

    body, dropped = adapted(PROFILES[name], **{said: asked})

    assert (body, dropped) == (switches[0] if is_wanted else switches[1], ())


def test_a_switch_of_thinking_that_a_vendor_has_no_word_for_is_left_out() -> None:
    assert adapted(PROFILES["openai"], enable_thinking=True) == ({}, ("enable_thinking",))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dashscope", {"enable_thinking": True, "thinking_budget": 9}),
        ("volcengine-ark", {"thinking": {"type": "auto"}}),
        ("volcengine-ark", {"reasoning_effort": "low"}),
        ("ollama", {"reasoning_effort": "low"}),
        ("openai", {"reasoning_effort": "none"}),
    ],
)
def test_thinking_in_the_vendors_own_words_is_left_alone(name: str, said: Any) -> None:
    assert adapted(PROFILES[name], **said) == (said, ())


@pytest.mark.parametrize("wrong", ["xml", "JSON", "", 7, [], {}, ["text"]], ids=repr)
def test_a_form_of_json_that_the_vendor_has_not_is_refused(wrong: object) -> None:
    for name in ("dashscope", "volcengine-ark", "openai", "ollama", "vllm"):
        with pytest.raises(InvalidRequest) as raised:
            adapted(PROFILES[name], response_format={"type": wrong})

        error = raised.value
        assert (error.status, error.reason) == (400, "not_supported")
        assert [one.field for one in error.fields] == ["response_format.type"]
        assert "text, json_object, json_schema" in error.message


@pytest.mark.parametrize(
    "right",
    [{"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {}}, {}],
    ids=repr,
)
def test_a_form_of_json_that_the_vendor_has_passes(profile: Profile, right: object) -> None:
    assert adapted(profile, response_format=right) == ({"response_format": right}, ())


def test_a_profile_can_have_fewer_forms_of_json() -> None:
    profile = Profile("small", json_modes=frozenset(["json_object"]))

    with pytest.raises(InvalidRequest, match="text, json_object for this model"):
        adapted(profile, response_format={"type": "json_schema"})


@pytest.mark.parametrize(
    ("operation", "parameters"), [(Operation.TEXT, TEXTS), (Operation.EMBEDDINGS, EMBEDDED)]
)
def test_text_completions_and_embeddings_are_not_touched(
    profile: Profile, operation: Operation, parameters: Mapping[str, Any]
) -> None:
    assert profile.adapted(parameters, operation) == (parameters, ())


KINDS = st.sampled_from(["enabled", "disabled", "auto", "text", "json_object", "json_schema"])
TYPED = JSON | st.fixed_dictionaries({}, optional={"type": KINDS | JSON, "x": JSON})
NUMBERS = st.integers(0, 9) | st.floats(0, 2)
PARAMETERS = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries({"role": st.sampled_from(["developer", "user"])}))},
    optional={
        "max_tokens": st.integers(1),
        "max_completion_tokens": st.integers(1),
        "response_format": TYPED,
        "thinking": TYPED,
        "enable_thinking": st.booleans(),
        "reasoning_effort": st.sampled_from(["none", "high"]),
        "tools": JSON,
        "tool_choice": JSON,
        **dict.fromkeys(("temperature", "top_k", "seed", "thinking_budget", "unknown"), NUMBERS),
    },
)


@given(name=st.sampled_from(sorted(PROFILES)), parameters=PARAMETERS)
@example(name="dashscope", parameters={"messages": [], "thinking": {"type": []}})
@example(name="vllm", parameters={"messages": [], "enable_thinking": True})
def test_whatever_is_sent_is_adapted_once_and_for_all(
    name: str, parameters: dict[str, Any]
) -> None:
    profile, original = PROFILES[name], copy.deepcopy(parameters)
    try:
        body, dropped = profile.adapted(parameters, Operation.CHAT)
    except InvalidRequest:
        assert parameters == original
        return

    assert parameters == original
    own = {profile.token_cap, *(profile.thinking_on or ()), *(profile.thinking_off or ())}
    assert set(body) <= set(parameters) | own
    assert dropped == tuple(one for one in parameters if one in set(dropped))
    assert not set(dropped) & set(body)
    if profile.parameters is not None:
        caps = {profile.token_cap} if profile.token_cap else {"max_tokens", "max_completion_tokens"}
        assert set(body) <= profile.parameters | own | caps | {"messages"}
    assert profile.adapted(body, Operation.CHAT) == (body, ())


MIXED: Mapping[str, Any] = {
    "messages": MESSAGES,
    "max_completion_tokens": 50,
    "top_k": 3,
    "seed": 7,
    "temperature": 0.5,
    "logit_bias": {"1": 2},
    "thinking": {"type": "disabled"},
}
RIGHT: Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "dashscope": (
        {"max_tokens": 50, "top_k": 3, "seed": 7, "temperature": 0.5, "enable_thinking": False},
        ("logit_bias",),
    ),
    "volcengine-ark": (
        {
            "max_tokens": 50,
            "temperature": 0.5,
            "logit_bias": {"1": 2},
            "thinking": {"type": "disabled"},
        },
        ("top_k", "seed"),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_upstream_gets_what_its_vendor_takes(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    asker = asker_of(profile=PROFILES[name])

    completion = asker.ask(**MIXED)

    body = upstream.requests[0].json
    assert [message["role"] for message in body.pop("messages")] == ["system", "user"]
    assert (body, completion.dropped) == ({"model": "asked", **RIGHT[name][0]}, RIGHT[name][1])


@pytest.mark.parametrize("name", RIGHT)
def test_a_streamed_request_is_adapted_as_well(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str
) -> None:
    assert stream(asker_of(profile=PROFILES[name]), **MIXED)

    body = upstream.requests[0].json
    assert [message["role"] for message in body.pop("messages")] == ["system", "user"]
    own = {"model": "asked", "stream": True, "stream_options": {"include_usage": True}}
    assert body == {**RIGHT[name][0], **own}


def test_a_request_that_cannot_be_adapted_is_not_sent(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    asker = asker_of(profile=PROFILES["dashscope"])

    error = asker.fail(response_format={"type": "xml"})

    assert (error.reason, asker.attempts, upstream.connections) == ("not_supported", 0, 0)
    assert PROMPT not in error.message
