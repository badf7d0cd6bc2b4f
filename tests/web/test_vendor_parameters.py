"""What the routes under /v1 pass to whom: vendors' own fields, and the operator's say in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.settings.settings import PROJECT_ROOT
from tests.conftest import AppOf, SettingsOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.openai_calls import body_of, post_body
from tests.web.refusals import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    OPTIMIZE,
    TEXT,
    good_body,
    read_refusal,
)

Send = Callable[..., tuple[dict[str, Any], list[str]]]

OPENAI_FIELDS = {
    "service_tier": "flex",
    "verbosity": "low",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "u1",
    "prediction": {"type": "content", "content": "x"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "store": False,
    "web_search_options": {},
}
# Ark's SDK sends a null for every field that its caller leaves out.
NULLS = dict.fromkeys(["service_tier", "thinking", "logit_bias", "stop", "user", "mine", "stream"])


@pytest.fixture
def send(app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream) -> Send:
    """Chat with an upstream of a profile; return what it got, and what was left out."""

    def chat(
        profile: str | None = None, env: dict[str, str] | None = None, **fields: Any
    ) -> tuple[dict[str, Any], list[str]]:
        named = {"FAST_LLM_PROFILE": profile} if profile else {}
        client = app_of(upstream_env | named | (env or {})).test_client()
        answer = post_body(client, COMPLETIONS, body_of(COMPLETIONS, **fields))
        assert answer.status_code == 200, answer.text
        sent = upstream.requests[-1].json
        del sent["model"], sent["messages"]
        return sent, answer.headers.get("x-dropped-params", "").split(",")

    return chat


@pytest.mark.parametrize("profile", ["openai", "azure", None])
def test_fields_of_openais_reference_are_passed_on(send: Send, profile: str | None) -> None:
    assert send(profile, **OPENAI_FIELDS) == (OPENAI_FIELDS, [""])


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("vllm", {"top_k": -1, "min_p": 0.05, "bad_words": ["x"], "ignore_eos": True}),
        ("vllm", {"structured_outputs": {"json": {"type": "object"}}, "n": 128}),
        ("sglang", {"regex": "a+", "top_k": -1, "separate_reasoning": False}),
        ("llama-cpp", {"grammar": "root ::= x", "min_p": 0.1, "cache_prompt": True}),
        ("dashscope", {"enable_search": True, "search_options": {"forced_search": True}}),
        (None, {"chat_template_kwargs": {"enable_thinking": False}}),
        (None, {"repetition_penalty": 1.1, "top_k": -1, "provider": {"order": ["x"]}}),
    ],
)
def test_fields_of_a_vendors_reference_are_passed_to_it(
    send: Send, profile: str | None, fields: dict[str, Any]
) -> None:
    assert send(profile, **fields) == (fields, [""])


@pytest.mark.parametrize(
    ("profile", "fields", "sent"),
    [
        ("dashscope", {"reasoning_effort": "none"}, {"enable_thinking": False}),
        (
            "dashscope",
            {"chat_template_kwargs": {"enable_thinking": False}},
            {"enable_thinking": False},
        ),
        ("dashscope", {"seed": 360139647746456}, {"seed": 360139647746456 % 2**31}),
        (
            "llama-cpp",
            {"enable_thinking": False},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        ("llama-cpp", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("deepseek", {"think": False}, {"thinking": {"type": "disabled"}}),
        ("openrouter", {"enable_thinking": False}, {"reasoning": {"enabled": False}}),
    ],
)
def test_a_field_is_put_into_the_vendors_words(
    send: Send, profile: str, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert send(profile, **fields) == (sent, [""])


def test_a_field_of_another_vendor_is_left_out_and_named(send: Send) -> None:
    assert send("openai", min_p=0.1, mine=1) == ({}, ["min_p", "mine"])
    assert send(None, min_p=0.1, mine=1) == ({"min_p": 0.1}, ["mine"])


@pytest.mark.parametrize("profile", ["openai", "dashscope", None])
def test_a_setting_lets_all_fields_through(send: Send, profile: str | None) -> None:
    env = {"PASS_UNKNOWN_PARAMETERS": "true"}

    assert send(profile, env, mine={"a": [1]}, top_a=1) == ({"mine": {"a": [1]}, "top_a": 1}, [""])


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key", "extra_headers"])
def test_that_setting_does_not_let_a_client_choose_the_upstream(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, name: str
) -> None:
    client = app_of(upstream_env | {"PASS_UNKNOWN_PARAMETERS": "true"}).test_client()

    answer = client.post(COMPLETIONS, json=body_of(COMPLETIONS, mine=[{name: "x"}]))

    refusal = read_refusal(COMPLETIONS, answer.status_code, answer.headers, answer.data)
    assert refusal.reason == "forbidden_parameter"
    assert upstream.connections == 0


def test_a_models_entry_lets_its_fields_through(
    settings_of: SettingsOf,
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
) -> None:
    root = settings_of(upstream_env).root
    own_config(root, '[models."special"]\nupstream = "fast"\nparameters = ["mine"]\n')
    client = app_of(upstream_env | {"FAST_LLM_PROFILE": "openai"}).test_client()

    for model in ("special", "scripted"):
        answer = client.post(COMPLETIONS, json=body_of(COMPLETIONS, model=model, mine=1))
        assert answer.status_code == 200

    assert [request.json.get("mine") for request in upstream.requests] == [1, None]


def own_config(root: Path, models: str) -> None:
    """Give a root a catalogue of its own beside the shipped files."""
    shipped = PROJECT_ROOT / "config"
    (root / "config").unlink()
    (root / "config").mkdir()
    for name in ("profiles", "rubrics", "targets.toml"):
        (root / "config" / name).symlink_to(shipped / name)
    (root / "config" / "models.toml").write_text(models)


# --- the strict setting ---


@pytest.fixture
def strict(app_of: AppOf, upstream_env: dict[str, str]) -> FlaskClient:
    """Call an application that refuses what no vendor takes."""
    return app_of(upstream_env | {"REFUSE_UNKNOWN_PARAMETERS": "true"}).test_client()


@pytest.mark.parametrize(
    "fields", [OPENAI_FIELDS, {"metadata": {"a": "b"}}, {"min_p": 0.1}, NULLS], ids=str
)
def test_documented_fields_and_nulls_are_known(strict: FlaskClient, fields: dict[str, Any]) -> None:
    answer = strict.post(COMPLETIONS, json=body_of(COMPLETIONS, **fields))

    assert answer.status_code == 200, answer.text


def test_a_null_is_not_sent_and_not_named(send: Send) -> None:
    assert send(None, **NULLS) == ({}, [""])


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (COMPLETIONS, {"mine": 1}),
        (COMPLETIONS, {"prompt": []}),
        (COMPLETIONS, {"best_of": "x"}),
        (TEXT, {"messages": [1]}),
        (TEXT, {"max_completion_tokens": "x"}),
        (EMBEDDINGS, {"n": "x"}),
        (EMBEDDINGS, {"max_tokens": []}),
    ],
    ids=str,
)
def test_fields_of_other_routes_are_left_out_and_named(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, path: str, fields: Any
) -> None:
    documents: dict[str, Any] = {
        TEXT: {"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]},
        EMBEDDINGS: {"data": [{"index": 0, "embedding": [0.5]}]},
    }
    if path in documents:
        upstream.script(replies.json_reply(200, documents[path]))
    client = app_of(upstream_env | {"PASS_UNKNOWN_PARAMETERS": "true"}).test_client()

    answer = client.post(path, json=body_of(path, **fields))

    assert answer.status_code == 200, answer.text
    [name] = fields
    is_sent = name == "mine"
    assert (name in upstream.requests[0].json) == is_sent
    assert answer.headers.get("x-dropped-params") == (None if is_sent else name)


# --- defaults of the service, and nulls, under /api/v1 ---

REFUSED = replies.api_error(400, "unsupported_value", "'temperature' does not support 0.7")


def test_a_chat_goes_without_the_default_temperature_that_a_model_refuses(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(REFUSED)

    answers = [client.post(CHAT, json=good_body(CHAT)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [request.json.get("temperature") for request in upstream.requests] == [0.7, None, None]


def test_a_temperature_that_the_caller_names_is_sent(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(REFUSED)

    answer = client.post(CHAT, json=good_body(CHAT) | {"temperature": 0.7})

    refusal = read_refusal(CHAT, answer.status_code, answer.headers, answer.data)
    assert (refusal.status, refusal.reason) == (400, "upstream_rejected")
    assert len(upstream.requests) == 1


def test_a_rewrite_goes_without_the_parameters_that_a_model_refuses(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(REFUSED, replies.api_error(400, "unsupported_parameter", "seed"))

    for _ in range(2):
        answer = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"seed": 7})
        assert answer.status_code == 200, answer.text

    names = [request.json.keys() - {"model", "messages"} for request in upstream.requests]
    assert names[:3] == [
        {"temperature", "top_p", "max_tokens", "seed"},
        {"max_tokens", "seed"},
        {"max_tokens"},
    ]
    assert all(sent == {"max_tokens"} for sent in names[3:])


def test_null_is_left_out_under_rest(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    nothing = dict.fromkeys(["model", "temperature", "max_tokens", "stream"])

    answer = client.post(CHAT, json=good_body(CHAT) | nothing)

    assert answer.status_code == 200, answer.text
    assert upstream.requests[0].json.keys() == {"model", "messages", "temperature"}
    assert upstream.requests[0].json["temperature"] == 0.7


def test_null_is_left_out_of_a_rewrite(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    fields = client.get("/openapi.json").json["components"]["schemas"]["PromptRequest"]
    optional = set(fields["properties"]) - set(fields["required"])

    answer = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | dict.fromkeys(optional))

    assert answer.status_code == 200, answer.text
    assert len(optional) > 10
    assert "seed" not in upstream.requests[0].json


@pytest.mark.parametrize(
    ("path", "name"), [(CHAT, "messages"), (OPTIMIZE, "prompt"), (OPTIMIZE, "type")]
)
def test_what_is_required_cannot_be_null(client: FlaskClient, path: str, name: str) -> None:
    answer = client.post(path, json=good_body(path) | {name: None})

    refusal = read_refusal(path, answer.status_code, answer.headers, answer.data)
    assert (refusal.status, refusal.reason, refusal.fields) == (400, "invalid_type", (name,))
