"""Each vendor is known by its address, and gets a request in its own words."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_api.domain.calls import Operation
from llm_api.errors import InvalidRequest
from llm_api.upstream.vendors.profiles import Profile, choose_profile, known_parameters
from llm_api.upstream.vendors.thinking import WORDS
from tests.support.tables import each
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
WITHOUT_DEVELOPER = {
    "dashscope",
    "deepseek",
    "minimax",
    "mistral",
    "moonshot",
    "siliconflow",
    "volcengine-ark",
    "zhipu",
}
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


@each(("url", "name"), ADDRESSES.items())
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


def test_a_profile_that_knows_nothing_passes_everything() -> None:
    given_ones = {"top_k": 3, "enable_thinking": True, "thinking": {"type": "auto"}, "new": [1]}

    assert adapted(PROFILES["generic"], **given_ones) == (given_ones, ())


@each("is_wanted", [True, False])
@each("said", ["enable_thinking", "thinking"])
@each(
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


@each(
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


@each("wrong", ["xml", "JSON", "", 7, [], {}, ["text"]])
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
        "reasoning_effort": st.sampled_from(["none", "high", "minimal", "max", "default", "", "x"]),
        "chat_template_kwargs": st.dictionaries(st.sampled_from([*WORDS, "x"]), JSON) | JSON,
        "reasoning": st.dictionaries(st.sampled_from(["effort", "enabled", "max_tokens"]), JSON),
        "think": JSON,
        "thinking_token_budget": JSON,
        "metadata": JSON,
        "store": st.booleans(),
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
    own = {profile.token_cap, *profile.thinking.names}
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


# --- what vendors take today ---

TAKEN = {
    "openai": [
        *("service_tier", "verbosity", "prompt_cache_key", "prompt_cache_retention"),
        *("safety_identifier", "prediction", "modalities", "audio", "store", "web_search_options"),
        *("logit_bias", "functions", "function_call"),
    ],
    "vllm": [
        *("chat_template_kwargs", "structured_outputs", "min_p", "bad_words", "priority"),
        *("thinking_token_budget", "mm_processor_kwargs", "ignore_eos", "min_tokens"),
        *("stop_token_ids", "guided_json", "include_reasoning", "skip_special_tokens"),
    ],
    "sglang": ["regex", "ebnf", "separate_reasoning", "stop_token_ids", "min_p", "lora_path"],
    "llama-cpp": [
        *("min_p", "grammar", "json_schema", "cache_prompt", "id_slot", "mirostat", "typical_p"),
        *("dry_multiplier", "xtc_probability", "samplers", "reasoning_format", "repeat_penalty"),
    ],
    "dashscope": [
        *("enable_search", "search_options", "modalities", "audio", "translation_options"),
        *("vl_high_resolution_images", "top_k", "preserve_thinking"),
    ],
    "volcengine-ark": ["thinking", "reasoning_effort", "service_tier", "logit_bias"],
    "openrouter": ["provider", "reasoning", "plugins", "usage", "top_a", "min_p"],
    "groq": ["reasoning_format", "include_reasoning", "search_settings", "service_tier"],
    "xai": ["search_parameters", "reasoning_effort"],
    "mistral": ["safe_prompt", "random_seed", "prompt_mode", "prediction"],
    "moonshot": ["prompt_cache_key", "safety_identifier", "thinking"],
    "minimax": ["reasoning_split", "mask_sensitive_info"],
    "zhipu": ["do_sample", "tool_stream", "request_id", "thinking"],
    "siliconflow": ["min_p", "thinking_budget", "enable_thinking"],
    "azure": ["data_sources", "user_security_context", "store"],
}
KNOWN = known_parameters(PROFILES)


@each(("name", "field"), [(n, f) for n, fields in TAKEN.items() for f in fields])
def test_what_a_vendors_reference_lists_is_sent(name: str, field: str) -> None:
    value = {"reasoning_effort": "low", "thinking": {"type": "enabled"}, "reasoning": {}}
    value |= {"enable_thinking": True, "chat_template_kwargs": {"x": 1}}
    parameters = {field: value.get(field, 1), "store": True}

    body, dropped = adapted(PROFILES[name], **parameters)

    assert body[field] == parameters[field]
    assert field not in dropped


@each(
    ("name", "field"),
    [
        ("openrouter", "models"),
        ("openrouter", "route"),
        ("sglang", "custom_logit_processor"),
        ("sglang", "bootstrap_host"),
        ("vllm", "kv_transfer_params"),
        ("llama-cpp", "n_predict"),
        ("openai", "top_k"),
        ("volcengine-ark", "seed"),
    ],
)
def test_what_would_choose_another_model_machine_or_cap_is_not_sent(name: str, field: str) -> None:
    assert adapted(PROFILES[name], **{field: 1}) == ({}, (field,))


def served(name: str, **more: Any) -> Profile:
    """Make a profile as the service does: it is told what all vendors take."""
    return replace(PROFILES[name], known=KNOWN, **more)


@each("name", ["generic", "lm-studio"])
def test_an_unknown_vendor_gets_what_any_vendor_takes(name: str) -> None:
    parameters = {"chat_template_kwargs": {"enable_thinking": False}, "min_p": 0.1, "verbosity": 1}

    assert adapted(served(name), **parameters) == (parameters, ())
    assert adapted(served(name), **parameters, mine=1) == (parameters, ("mine",))


@each("operation", [Operation.TEXT, Operation.EMBEDDINGS])
def test_other_routes_get_what_the_vendor_takes_too(operation: Operation) -> None:
    own = {Operation.TEXT: TEXTS, Operation.EMBEDDINGS: EMBEDDED}[operation]
    more = {"truncate_prompt_tokens": 5, "guided_json": {}, "mine": 1}

    assert served("generic").adapted({**own, **more}, operation) == (
        {**own, "truncate_prompt_tokens": 5, "guided_json": {}},
        ("mine",),
    )
    body, dropped = served("openai").adapted({**own, "guided_json": {}}, operation)
    assert "guided_json" not in body
    assert "guided_json" in dropped


def test_the_operator_can_let_all_fields_through(profile: Profile) -> None:
    everything = replace(profile, known=KNOWN, passes_unknown=True)
    parameters = {"mine": 1, "top_a": 2, "metadata": {"a": "b"}}

    assert adapted(everything, **parameters) == (parameters, ())


def test_the_switches_for_thinking_are_translated_all_the_same() -> None:
    everything = served("dashscope", passes_unknown=True)

    assert adapted(everything, reasoning_effort="none") == ({"enable_thinking": False}, ())
    assert adapted(served("openai", passes_unknown=True), enable_thinking=True) == (
        {"enable_thinking": True},
        (),
    )


def test_a_model_can_take_more_than_its_vendor() -> None:
    profile = served("openai", model_parameters={"m": frozenset(["mine", "enable_thinking"])})
    parameters = {"messages": [], "mine": 1, "enable_thinking": True, "top_a": 2}

    body, dropped = profile.adapted(parameters, Operation.CHAT, "m")

    assert (body, dropped) == ({"messages": [], "mine": 1, "enable_thinking": True}, ("top_a",))
    assert profile.adapted(parameters, Operation.CHAT, "other")[0] == {"messages": []}


@each(("store", "is_sent"), [(True, True), (False, False), (None, False)])
def test_labels_are_sent_with_what_is_stored(store: object, *, is_sent: bool) -> None:
    labels = {"metadata": {"team": "a"}}

    for name in ("openai", "generic"):
        body, dropped = adapted(
            served(name), **labels, **({} if store is None else {"store": store})
        )

        assert ("metadata" in body, "metadata" in dropped) == (is_sent, not is_sent)


# --- seeds ---


@each(
    ("name", "seed", "sent"),
    [
        ("generic", -1, -1),
        ("generic", 2**63 - 1, 2**63 - 1),
        ("generic", 2**64 - 1, -1),
        ("vllm", 360139647746456, 360139647746456),
        ("dashscope", 2**31 - 1, 2**31 - 1),
        ("dashscope", 2**31, 0),
        ("dashscope", 2**64 - 1, 2**31 - 1),
        ("dashscope", -2, 2**31 - 2),
        ("gemini", -5, -5),
        ("gemini", 2**31, -(2**31)),
    ],
)
def test_a_seed_is_brought_into_the_vendors_range(name: str, seed: int, sent: int) -> None:
    assert adapted(PROFILES[name], seed=seed) == ({"seed": sent}, ())
    body, _ = PROFILES[name].adapted({"prompt": "x", "seed": seed}, Operation.TEXT)
    assert body["seed"] == sent


def test_a_seed_of_minus_1_is_left_out_where_it_is_no_number_but_a_word_for_any() -> None:
    assert adapted(PROFILES["dashscope"], seed=-1) == ({}, ())


# --- tools ---

TOOL = {"type": "function", "function": {"name": "f"}}
WITHOUT_TOOLS = replace(PROFILES["llama-cpp"], has_tools=False)


@each(
    "fields",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": "none"},
        {"functions": [TOOL["function"]], "function_call": "auto"},
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}},
        },
    ],
)
def test_tools_for_a_model_without_are_left_out_and_named(fields: dict[str, Any]) -> None:
    assert adapted(WITHOUT_TOOLS, **fields, top_k=1) == ({"top_k": 1}, tuple(fields))
    assert adapted(PROFILES["llama-cpp"], **fields) == (fields, ())


@each(
    "fields",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}},
        {"function_call": {"name": "f"}},
    ],
)
def test_a_tool_that_must_be_called_is_refused_where_there_are_none(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="cannot call tools") as raised:
        adapted(WITHOUT_TOOLS, tools=[TOOL], **fields)

    assert [one.field for one in raised.value.fields] == list(fields)
    assert adapted(PROFILES["llama-cpp"], tools=[TOOL], tool_choice="required")[1] == ()


def test_a_request_that_cannot_be_adapted_is_not_sent(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    asker = asker_of(profile=PROFILES["dashscope"])

    error = asker.fail(response_format={"type": "xml"})

    assert (error.reason, asker.attempts, upstream.connections) == ("not_supported", 0, 0)
    assert PROMPT not in error.message
